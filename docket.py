"""The command line: ``docket train``, ``evaluate``, ``predict``, ``serve``, ``keys`` and ``models``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from model import __version__, command_output, interrupts
from model.errors import UsageError
from training.data.corpora import NAMED_CORPORA
from training.data.read_options import add_corpus_arguments, add_text_arguments, parse_read_options
from training.recipe import RECIPES

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0: done. 2: the command or its input cannot be used, and stderr says why in one sentence. 130: interrupted.
    """
    command_output.open_closed_streams()
    command_output.use_utf8_output()
    parsed = build_parser().parse_args(arguments)
    if parsed.run is not _serve:  # the service drains on a signal
        interrupts.raise_on_first()
    try:
        parsed.run(parsed)
    except UsageError as error:
        command_output.print_message(str(error))
        return 2
    except BrokenPipeError:  # the reader of the output has ended
        return 0
    except KeyboardInterrupt as interrupt:  # its message names the file or checkpoint that is kept
        interrupts.ignore_signals()
        command_output.print_message(f"stopped: {interrupt}" if interrupt.args else "stopped")
        return interrupts.EXIT_CODE
    return 0


class ArgumentParser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, and that accepts ``-`` for a file after an option."""

    def error(self, message: str) -> NoReturn:
        """Print one sentence and exit with 2."""
        command_output.print_message(f"{message}: see {self.prog} --help")
        self.exit(2)

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]  # as argparse has it
        """Parse, and take a first unknown argument as the file: until Python 3.13 argparse misses it."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if getattr(parsed, "file", None) == "-" and unknown and (unknown[0] == "-" or unknown[0][:1] != "-"):
            parsed.file = unknown.pop(0)
        return parsed, unknown


Commands = argparse._SubParsersAction


def build_parser() -> ArgumentParser:
    """Return the parser of all commands; ``run`` of what it returns is the command's function."""
    parser = ArgumentParser(
        prog="docket", description="Train a tanh recurrent network on labelled documents, and serve it."
    )
    parser.add_argument("--version", action="version", version=f"docket {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add_command in (_add_train, _add_evaluate, _add_predict, _add_serve, _add_keys, _add_models):
        add_command(commands)
    return parser


def _add_train(commands: Commands[ArgumentParser]) -> None:
    parser = commands.add_parser("train", help="labelled documents → an artifact")
    add_corpus_arguments(parser, f"{', '.join(NAMED_CORPORA)}, a file of rows, or a folder of folders")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write the artifact to")
    parser.add_argument("--recipe", default="default", metavar="NAME", help=" or ".join(RECIPES))
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the draw of the test; 0, if left out")
    parser.add_argument("--epochs", type=_positive_integer, metavar="N", help="how often to read the documents")
    parser.add_argument("--resume", action="store_true", help="go on where the same training was stopped")
    parser.add_argument("--no-golden", action="store_true", help="keep no text of test documents in the manifest")
    _add_device(parser)
    parser.set_defaults(run=_train)


def _train(arguments: argparse.Namespace) -> None:
    from training import checkpoint, job, recipe

    chosen = recipe.find_recipe(arguments.recipe)
    if arguments.epochs:
        chosen = replace(chosen, epochs=arguments.epochs, least_steps=0, most_steps=sys.maxsize)
    options = parse_read_options(arguments)
    try:
        scores = job.run(
            job.Job(
                arguments.corpus,
                arguments.out,
                chosen,
                arguments.seed,
                arguments.device,
                options,
                arguments.resume,
                golden=not arguments.no_golden,
            )
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(checkpoint.describe_interruption(arguments.out)) from None
    if not scores:
        return
    if not arguments.no_golden:
        command_output.print_message(
            "the manifest keeps text of up to 8 test documents, to try the network on: --no-golden keeps none"
        )
    command_output.print_message(
        f"accuracy {scores.accuracy:.4f} on {command_output.format_count(scores.documents, 'test document')}"
    )
    if uncertainty := scores.uncertainty():
        command_output.print_message(uncertainty)
    report = arguments.out / "report" / "index.html"
    command_output.print_message(f"{arguments.out} is ready, {report} shows it: docket serve {arguments.out}")


def _add_evaluate(commands: Commands[ArgumentParser]) -> None:
    parser = commands.add_parser("evaluate", help="an artifact's scores on labelled documents, as JSON")
    _add_artifact(parser)
    add_corpus_arguments(parser, "as for train; of a corpus with a test part, that part")
    parser.add_argument("--json", action="store_true", help="JSON alone, without the summary on stderr")
    _add_device(parser)
    parser.set_defaults(run=_evaluate)


def _evaluate(arguments: argparse.Namespace) -> None:
    from training.evaluation import command

    evaluation = command.run(arguments.artifact, arguments.corpus, parse_read_options(arguments), arguments.device)
    if not arguments.json:
        for line in evaluation.summary:
            command_output.print_message(line)
    command_output.write_json(evaluation.as_json)


def _add_predict(commands: Commands[ArgumentParser]) -> None:
    parser = commands.add_parser("predict", help="documents → answers: lines of JSON, CSV or Parquet")
    _add_artifact(parser)
    parser.add_argument(
        "file", nargs="?", default="-", metavar="FILE|-", help='texts; {"text": …} a line on stdin, if left out'
    )
    parser.add_argument("--out", metavar="FILE", help="a .csv, .jsonl or .parquet file; a stopped run goes on")
    add_text_arguments(parser)
    parser.add_argument("--top-k", type=_positive_integer, metavar="N", help="only the N highest scores")
    parser.add_argument("--explain", action="store_true", help="the attribution of each word")
    parser.add_argument(
        "--workers", type=_positive_integer, default=0, metavar="N", help="processes; one a core, if left out"
    )
    parser.add_argument("--engine", choices=("local", "ray"), default="local", help="ray: a cluster of machines")
    _add_device(parser)
    parser.set_defaults(run=_predict)


def _predict(arguments: argparse.Namespace) -> None:
    from app.parsing.schemas import Options
    from scoring import job

    predict_job = job.Job(
        arguments.artifact,
        arguments.file,
        arguments.out,
        parse_read_options(arguments),
        Options(top_k=arguments.top_k, explain=arguments.explain),
        arguments.device,
        arguments.workers,
    )
    if arguments.engine == "local":
        job.run(predict_job)
        return
    try:
        from scoring import ray_cluster
    except ImportError as error:
        raise UsageError(
            f"the engine ray needs more ({error.msg}): on every machine, in a checkout, pip install '.[ray]'"
        ) from None
    ray_cluster.run(predict_job)


def _add_serve(commands: Commands[ArgumentParser]) -> None:
    parser = commands.add_parser("serve", help="answer POST /predict")
    parser.add_argument(
        "artifact", nargs="?", type=Path, metavar="DIR", help="DOCKET_ARTIFACT or artifacts/demo, if left out"
    )
    parser.add_argument("--host", metavar="H", help="the address to listen on; 127.0.0.1, if left out")
    parser.add_argument("--port", type=int, metavar="P", help="the port to listen on; 8000, if left out")
    parser.add_argument("--workers", type=_positive_integer, metavar="N", help="processes; one a core, if left out")
    parser.set_defaults(run=_serve)


def _serve(arguments: argparse.Namespace) -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))  # PID 1 ignores it without a handler
    from app.server.serve import Settings, serve

    serve(
        Settings.read(artifact=arguments.artifact, host=arguments.host, port=arguments.port, workers=arguments.workers)
    )


def _add_keys(commands: Commands[ArgumentParser]) -> None:
    subcommands = commands.add_parser("keys", help="the keys of the service's clients").add_subparsers(
        required=True, metavar="COMMAND"
    )
    parser = subcommands.add_parser("new", help="make a key, and show it once")
    parser.add_argument("name", metavar="NAME", help="the holder's name")
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="the file of keys; stdout, if left out")
    parser.set_defaults(run=_make_key)


def _make_key(arguments: argparse.Namespace) -> None:
    from app.middleware import key_file

    key, line = key_file.make(arguments.name)
    if arguments.file is None:
        command_output.write_output(f"{key}\n{line}\n")
        command_output.print_message(
            f"the first line is the key for {arguments.name}; the second goes into the service's file of keys"
        )
        return
    with key_file.appending(arguments.file) as append:
        command_output.write_output(f"{key}\n")  # first: the hash of a key that cannot be shown is useless
        append(line)
    command_output.print_message(f"{arguments.file} has its hash, and nothing has the key itself: keep it now")


def _add_models(commands: Commands[ArgumentParser]) -> None:
    subcommands = commands.add_parser(
        "models", help="versions side by side: which there are, and which is served"
    ).add_subparsers(required=True, metavar="COMMAND")
    listing = subcommands.add_parser("list", help="each version as a line of JSON")
    listing.set_defaults(run=_list_versions)
    promote = subcommands.add_parser("promote", help="try a version on its golden documents, and have it served")
    promote.set_defaults(run=_promote_version)
    rollback = subcommands.add_parser("rollback", help="the same for the version that was served before")
    rollback.set_defaults(run=_roll_back)
    for parser in (listing, promote, rollback):
        parser.add_argument("folder", type=Path, metavar="DIR", help="a folder of artifacts")
    promote.add_argument("version", metavar="VERSION", help="its digits, the first few, or its folder's name")


def _list_versions(arguments: argparse.Namespace) -> None:
    from model.artifacts import registry

    rows = registry.describe_artifacts(arguments.folder)
    for row in rows:
        command_output.write_json(row)
    if not rows:
        command_output.print_message(
            f"{arguments.folder} has no artifact in it: name the folder that holds the artifacts' folders"
        )


def _promote_version(arguments: argparse.Namespace) -> None:
    from model.artifacts import registry

    _point_to(arguments.folder, registry.find_artifact(arguments.folder, arguments.version))


def _roll_back(arguments: argparse.Namespace) -> None:
    from model.artifacts import registry

    registry.read_pointer(arguments.folder)  # raises UsageError where there is none
    previous = registry.previous_artifact(arguments.folder)
    if previous is None:
        raise UsageError(
            f"{arguments.folder} has no version before the current one: "
            f"say docket models promote {arguments.folder} VERSION"
        )
    _point_to(arguments.folder, previous)


def _point_to(folder: Path, artifact: Path) -> None:
    """Make a version the current one if it loads and gives its golden answers; the service checks them again."""
    from model.artifacts import registry
    from model.classifier import Classifier

    version = Classifier.load(artifact, "cpu", threads=1).version
    command_output.write_json({"version": version, **registry.write_pointer(folder, artifact.name)._asdict()})


def _add_artifact(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artifact", type=Path, metavar="DIR", help="an artifact, or a folder of versions")


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")


def _positive_integer(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
