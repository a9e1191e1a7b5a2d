"""The command line: train, evaluate, predict, serve, keys, models."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from model import __version__, interrupts, terminal
from model.errors import UsageError
from training.data import arguments

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0: done. 2: the command or its input cannot be used, and stderr says why in one sentence. 130: interrupted.
    """
    terminal.open_closed_streams()
    terminal.use_utf8_output()
    asked = _parser().parse_args(arguments)
    if asked.run is not _serve:  # which drains first
        interrupts.raise_on_first()
    try:
        asked.run(asked)
    except UsageError as refusal:
        terminal.print_message(str(refusal))
        return 2
    except BrokenPipeError:  # the reader of our output left: nobody is there to be told
        return 0
    except KeyboardInterrupt as interrupt:  # its message says what is kept
        interrupts.ignore()
        terminal.print_message(f"stopped: {interrupt}" if interrupt.args else "stopped")
        return interrupts.EXIT_CODE
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = arguments.Parser(
        prog="docket", description="Train a tanh recurrent network on labelled documents, and serve it."
    )
    parser.add_argument("--version", action="version", version=f"docket {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="labelled documents → an artifact")
    arguments.add_corpus(train, "bbc-news, 20newsgroups, 20newsgroups-body, a file of rows, or a folder of folders")
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write the artifact to")
    train.add_argument("--recipe", default="default", metavar="NAME", help="default or classic")
    train.add_argument("--seed", type=int, default=0, metavar="N", help="of the draw of the test; 0, if left out")
    train.add_argument("--epochs", type=_positive, metavar="N", help="how often to read the documents")
    train.add_argument("--resume", action="store_true", help="go on where the same training was stopped")
    train.add_argument("--no-golden", action="store_true", help="keep no text of test documents in the manifest")
    _device(train)
    train.set_defaults(run=_train)

    evaluate = commands.add_parser("evaluate", help="an artifact's scores on labelled documents, as JSON")
    evaluate.add_argument("artifact", type=Path, metavar="DIR", help="an artifact, or a folder of versions")
    arguments.add_corpus(evaluate, "as for train; of bbc-news and 20newsgroups the test part")
    evaluate.add_argument("--json", action="store_true", help="JSON alone, without the summary on stderr")
    _device(evaluate)
    evaluate.set_defaults(run=_evaluate)

    predict = commands.add_parser("predict", help="documents → answers: lines of JSON, CSV or Parquet")
    predict.add_argument("artifact", type=Path, metavar="DIR", help="an artifact, or a folder of versions")
    predict.add_argument(
        "file", nargs="?", default="-", metavar="FILE|-", help='texts; {"text": …} a line on stdin, if left out'
    )
    predict.add_argument("--out", metavar="FILE", help="a .csv, .jsonl or .parquet file; a stopped run goes on")
    arguments.add_text_options(predict)
    predict.add_argument("--top-k", type=_positive, metavar="N", help="only the N highest scores")
    predict.add_argument("--explain", action="store_true", help="each word's share of the answer")
    predict.add_argument("--workers", type=_positive, default=0, metavar="N", help="processes; one a core, if left out")
    predict.add_argument("--engine", choices=("local", "ray"), default="local", help="ray: a cluster of machines")
    _device(predict)
    predict.set_defaults(run=_predict)

    serve = commands.add_parser("serve", help="answer POST /predict")
    serve.add_argument(
        "artifact", nargs="?", type=Path, metavar="DIR", help="DOCKET_ARTIFACT or artifacts/demo, if left out"
    )
    serve.add_argument("--host", metavar="H", help="the address to listen on; 127.0.0.1, if left out")
    serve.add_argument("--port", type=int, metavar="P", help="the port to listen on; 8000, if left out")
    serve.add_argument("--workers", type=_positive, metavar="N", help="processes; one a core, if left out")
    serve.set_defaults(run=_serve)

    keys_command = commands.add_parser("keys", help="who may ask the service")
    new = keys_command.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "new", help="make a key, and show it once"
    )
    new.add_argument("name", metavar="NAME", help="the holder's name")
    new.add_argument("file", nargs="?", type=Path, metavar="FILE", help="the file of keys; stdout, if left out")
    new.set_defaults(run=_new_key)

    models = commands.add_parser("models", help="versions side by side: which there are, and which is served")
    _models(models.add_subparsers(required=True, metavar="COMMAND"))
    return parser


def _models(commands: argparse._SubParsersAction[arguments.Parser]) -> None:
    for name, run, what in (
        ("list", _list, "each version as a line of JSON"),
        ("promote", _promote, "try a version on its golden documents, and have it served"),
        ("rollback", _rollback, "the same for the version that was served before"),
    ):
        command = commands.add_parser(name, help=what)
        command.add_argument("folder", type=Path, metavar="DIR", help="a folder of artifacts")
        if name == "promote":
            command.add_argument("version", metavar="VERSION", help="its digits, the first few, or its folder's name")
        command.set_defaults(run=run)


def _device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _train(asked: argparse.Namespace) -> None:
    from training import checkpoint, job, recipe

    chosen = recipe.find_recipe(asked.recipe)
    if asked.epochs:
        chosen = replace(chosen, epochs=asked.epochs, least_steps=0, most_steps=sys.maxsize)
    asked_for = (asked.corpus, asked.out, chosen, asked.seed, asked.device, arguments.read_options(asked))
    try:
        scores = job.run(job.Job(*asked_for, asked.resume, golden=not asked.no_golden))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(checkpoint.describe_interruption(asked.out)) from None
    if scores:
        if not asked.no_golden:
            terminal.print_message(
                "the manifest keeps text of up to 8 test documents, to try the network on: --no-golden keeps none"
            )
        terminal.print_message(
            f"accuracy {scores.accuracy:.4f} on {terminal.format_count(scores.documents, 'test document')}"
        )
        if uncertainty := scores.uncertainty():
            terminal.print_message(uncertainty)
        terminal.print_message(
            f"{asked.out} is ready, {asked.out / 'report' / 'index.html'} shows it: docket serve {asked.out}"
        )


def _evaluate(asked: argparse.Namespace) -> None:
    from training.evaluation import command

    found = command.run(asked.artifact, asked.corpus, arguments.read_options(asked), asked.device)
    if not asked.json:
        for line in found.summary:
            terminal.print_message(line)
    terminal.write_json(found.as_json)


def _predict(asked: argparse.Namespace) -> None:
    from app.parsing.schemas import Options
    from scoring import job

    options, reading = Options(top_k=asked.top_k, explain=asked.explain), arguments.read_options(asked)
    asked_for = (asked.artifact, asked.file, asked.out, reading, options, asked.device, asked.workers)
    if asked.engine == "ray":
        try:
            from scoring import ray_cluster
        except ImportError as error:
            raise UsageError(
                f"the engine ray needs more ({error.msg}): on every machine, in a checkout, pip install '.[ray]'"
            ) from None
        ray_cluster.run(job.Job(*asked_for))
    else:
        job.run(job.Job(*asked_for))


def _serve(asked: argparse.Namespace) -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))  # PID 1 ignores it without a handler
    from app.server.serve import Settings, serve

    serve(Settings.read(artifact=asked.artifact, host=asked.host, port=asked.port, workers=asked.workers))


def _new_key(asked: argparse.Namespace) -> None:
    from app.middleware import key_file

    key, line = key_file.make(asked.name)
    if asked.file is None:
        terminal.write_output(f"{key}\n{line}\n")
        terminal.print_message(
            f"the first line is the key for {asked.name}; the second goes into the service's file of keys"
        )
        return
    with key_file.appending(asked.file) as append:  # the hash of a key that could not be shown would be of no use
        terminal.write_output(f"{key}\n")
        append(line)
    terminal.print_message(f"{asked.file} has its hash, and nothing has the key itself: keep it now")


def _list(asked: argparse.Namespace) -> None:
    from model.artifacts import registry

    rows = registry.describe_artifacts(asked.folder)
    for row in rows:
        terminal.write_json(row)
    if not rows:
        terminal.print_message(
            f"{asked.folder} has no artifact in it: name the folder that holds the artifacts' folders"
        )


def _promote(asked: argparse.Namespace) -> None:
    from model.artifacts import registry

    _have_served(asked.folder, registry.find_artifact(asked.folder, asked.version))


def _rollback(asked: argparse.Namespace) -> None:
    from model.artifacts import registry

    registry.read_pointer(asked.folder)  # says what is wrong where there is none
    before = registry.previous_artifact(asked.folder)
    if before is None:
        raise UsageError(
            f"{asked.folder} has no version before the current one: say docket models promote {asked.folder} VERSION"
        )
    _have_served(asked.folder, before)


def _have_served(folder: Path, artifact: Path) -> None:
    """Only what can be loaded here and gives its golden answers; the service tries it again where it runs."""
    from model.artifacts import registry
    from model.classifier import Classifier

    version = Classifier.load(artifact, "cpu", threads=1).version
    terminal.write_json({"version": version, **registry.write_pointer(folder, artifact.name)._asdict()})


if __name__ == "__main__":
    sys.exit(main())
