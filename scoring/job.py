"""The job of ``docket predict``: read a source, write answers in its order, resume a stopped run."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from app.parsing.schemas import Options
from model import device
from model.artifacts import registry
from model.classifier import Classifier
from model.command_output import format_count, print_message, write_output
from model.errors import UsageError
from scoring import source
from scoring.blocks import Blocks
from scoring.input_row import ANSWER_FIELDS, rename_column
from scoring.output_checks import check_output_file, check_stdout
from scoring.process_pool import score_blocks
from scoring.progress import show_progress
from scoring.resumable_output import OutputFile
from scoring.scorer import Scorer
from training.data.read_options import ReadOptions

if TYPE_CHECKING:
    from scoring.blocks import Block
    from scoring.source import Source


@dataclass(frozen=True)
class Job:
    """The arguments of ``docket predict``. ``out`` None is stdout; ``workers`` 0 is one a core."""

    artifact: Path
    source: str = "-"
    out: str | None = None
    reading: ReadOptions = field(default_factory=ReadOptions)
    options: Options = field(default_factory=Options)
    device: str = "auto"
    workers: int = 0


def run(job: Job) -> None:
    """Run the job; raise ``UsageError`` for an artifact, a source or an output that cannot be used."""
    out = None if job.out is None else check_output_file(job.out, job.source)
    documents = source.open_source(job.source, job.reading, keep_text=out is not None)
    folder = registry.resolve_artifact(job.artifact)  # once: another version may be promoted during the run
    scorer = Scorer(Classifier.load(folder, job.device, threads=1), job.options)
    if out is None:
        check_stdout(job.source)
        _write_to_stdout(job, documents, scorer, folder)
    else:
        _write_to_file(job, out, documents, scorer, folder)


def describe_errors(count: int) -> str:
    """Return a sentence on the number of rows with an error, and the field of the reason."""
    return (
        f"{format_count(count, 'row')} ended in an error, and {'its' if count == 1 else 'their'} field 'error' says why"
    )


def _write_to_stdout(job: Job, documents: Source, scorer: Scorer, folder: Path) -> None:
    renamed, errors = set[tuple[str, str]](), 0
    for block, lines in score_blocks(iter(Blocks(documents.rows)), scorer, folder, _count_processes(job, scorer)):
        write_output(lines.text.decode())
        renamed |= _find_renamed(block)
        errors += lines.errors
    _report_renamed(job.source, "the output", renamed)
    if errors:
        print_message(describe_errors(errors))


def _write_to_file(job: Job, out: Path, documents: Source, scorer: Scorer, folder: Path) -> None:
    settings = {"version": scorer.classifier.version, "device": scorer.classifier.device, **job.options.model_dump()}
    with OutputFile(out, settings) as output:
        blocks, resumed = Blocks(documents.rows), output.progress.documents
        if resumed:
            _skip_scored(job, blocks, output)
        start, renamed = time.perf_counter(), set[tuple[str, str]]()
        with show_progress(job.source, documents.read_fraction) as add_documents:
            for block, lines in score_blocks(iter(blocks), scorer, folder, _count_processes(job, scorer)):
                output.write(block, lines)
                renamed |= _find_renamed(block)
                add_documents(len(block.documents))
        output.finish()
    _report_renamed(job.source, str(out), renamed)
    new, seconds = blocks.end - resumed, time.perf_counter() - start
    errors = f"; {describe_errors(output.progress.errors)}" if output.progress.errors else ""
    print_message(
        f"{format_count(new, 'document')} in {seconds:.1f} s, {new / seconds:,.0f} a second: "
        f"{out} has all {blocks.end:,}{errors}"
    )


def _skip_scored(job: Job, blocks: Blocks, output: OutputFile) -> None:
    """Skip the documents that a stopped run has scored; raise ``UsageError`` if the source has other documents."""
    progress = output.progress
    print_message(
        f"{output.part} has the answers to {format_count(progress.documents, 'document')}: going on from there"
    )
    blocks.skip(progress.documents)
    if (blocks.end, blocks.fingerprint) != (progress.documents, progress.fingerprint):
        raise UsageError(
            f"{output.part} has answers to other documents than {job.source} begins with: "
            f"name the same documents, or remove {output.part} to begin anew"
        )


def _find_renamed(block: Block) -> set[tuple[str, str]]:
    """Return the input columns with the name of an answer's field, each with its name in the output."""
    rows = (document.columns for document in block.documents)
    return {(name, rename_column(name, row)) for row in rows for name in row.keys() & ANSWER_FIELDS}


def _report_renamed(source: str, out: str, renamed: set[tuple[str, str]]) -> None:
    if renamed:
        names = ", ".join(f"{name} as {new_name}" for name, new_name in sorted(renamed))
        name = "stdin" if source == "-" else source
        print_message(f"{name} has columns with the names of an answer's fields: {out} keeps {names}")


def _count_processes(job: Job, scorer: Scorer) -> int:
    return job.workers or (1 if scorer.classifier.device == "cuda" else device.count_usable_cores())
