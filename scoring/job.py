"""``docket predict``: a source in, answers out in its order, going on where the same command was stopped."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from app.parsing.schemas import Options
from model import device
from model.artifacts import registry
from model.classifier import Classifier
from model.errors import UsageError
from model.terminal import format_count, print_message, write_output
from scoring import source
from scoring.blocks import Blocks
from scoring.input_row import ANSWER, kept_name
from scoring.output_checks import check_file, check_stdout
from scoring.output_file import OutputFile
from scoring.process_pool import score
from scoring.progress import bar
from scoring.scorer import Scorer
from training.data.read_options import ReadOptions

if TYPE_CHECKING:
    from scoring.blocks import Block
    from scoring.source import Source


@dataclass(frozen=True)
class Job:
    """What ``docket predict`` was asked for; ``out``: a file, or None for stdout; ``workers``: 0 for one a core."""

    artifact: Path
    source: str = "-"
    out: str | None = None
    reading: ReadOptions = field(default_factory=ReadOptions)
    options: Options = field(default_factory=Options)
    device: str = "auto"
    workers: int = 0


def run(job: Job) -> None:
    """Raise ``UsageError`` for an artifact, a source or an output that cannot be used."""
    out = None if job.out is None else check_file(job.out, job.source)
    read = source.read(job.source, job.reading, keep_text=out is not None)
    folder = registry.resolve_artifact(
        job.artifact
    )  # once: another may be promoted before the last process has read it
    scorer = Scorer(Classifier.load(folder, job.device, threads=1), job.options)
    if out is None:
        check_stdout(job.source)
        _to_stdout(job, read, scorer, folder)
    else:
        _to_file(job, out, read, scorer, folder)


def _to_stdout(job: Job, read: Source, scorer: Scorer, folder: Path) -> None:
    renamed, errors = set[tuple[str, str]](), 0
    for block, lines in score(iter(Blocks(read.documents)), scorer, folder, _processes(job, scorer)):
        write_output(lines.text.decode())
        renamed |= _renamed(block)
        errors += lines.errors
    _tell_renamed(job.source, "the output", renamed)
    if errors:
        print_message(errors_sentence(errors))


def _to_file(job: Job, out: Path, read: Source, scorer: Scorer, folder: Path) -> None:
    asked = {"version": scorer.classifier.version, "device": scorer.classifier.device, **job.options.model_dump()}
    with OutputFile(out, asked) as output:
        blocks, before = Blocks(read.documents), output.reached
        if before.documents:
            print_message(
                f"{output.part} has the answers to {format_count(before.documents, 'document')}: going on from there"
            )
            blocks.skip(before.documents)
            if (blocks.read, blocks.fingerprint) != (before.documents, before.fingerprint):
                raise UsageError(
                    f"{output.part} has answers to other documents than {job.source} begins with: "
                    f"name the same documents, or remove {output.part} to begin anew"
                )
        began, renamed = time.perf_counter(), set[tuple[str, str]]()
        with bar(job.source, read.share) as answered:
            for block, lines in score(iter(blocks), scorer, folder, _processes(job, scorer)):
                output.write(block, lines)
                renamed |= _renamed(block)
                answered(len(block.documents))
        output.end()
    _tell_renamed(job.source, str(out), renamed)
    new, seconds = blocks.read - before.documents, time.perf_counter() - began
    failed = f"; {errors_sentence(output.reached.errors)}" if output.reached.errors else ""
    print_message(
        f"{format_count(new, 'document')} in {seconds:.1f} s, {new / seconds:,.0f} a second: "
        f"{out} has all {blocks.read:,}{failed}"
    )


def errors_sentence(count: int) -> str:
    """How many rows ended in an error, and where the reason stands."""
    return (
        f"{format_count(count, 'row')} ended in an error, and {'its' if count == 1 else 'their'} field 'error' says why"
    )


def _renamed(block: Block) -> set[tuple[str, str]]:
    """The columns of the input that have the name of an answer's field, each with the name that it is kept under."""
    rows = (document.row for document in block.documents)
    return {(name, kept_name(name, row)) for row in rows for name in row.keys() & ANSWER}


def _tell_renamed(source: str, out: str, renamed: set[tuple[str, str]]) -> None:
    if renamed:
        names = ", ".join(f"{name} as {kept}" for name, kept in sorted(renamed))
        read = "stdin" if source == "-" else source
        print_message(f"{read} has columns with the names of an answer's fields: {out} keeps {names}")


def _processes(job: Job, scorer: Scorer) -> int:
    return job.workers or (1 if scorer.classifier.device == "cuda" else device.count_usable_cores())
