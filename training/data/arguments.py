"""The parser of the command line, and its options that say how documents are read."""

from __future__ import annotations

import argparse
from typing import NoReturn

from model import terminal
from training.data.read_options import LABEL, TEXT, ReadOptions


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, and whose FILE may stand behind an option."""

    def error(self, message: str) -> NoReturn:
        """Say it in one sentence."""
        terminal.print_message(f"{message}: see {self.prog} --help")
        self.exit(2)

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]  # noqa: D102
        found, rest = super().parse_known_args(args, namespace)
        if getattr(found, "file", None) == "-" and rest and (rest[0] == "-" or rest[0][:1] != "-"):
            found.file = rest.pop(0)  # argparse takes it for left out until Python 3.13
        return found, rest


def add_text_options(parser: argparse.ArgumentParser) -> None:
    """Add what every reading command has."""
    parser.add_argument(
        "--text-field",
        action="append",
        metavar="F[,F…]",
        help="the field with the text, or a path such as data.text; several are joined in this order",
    )
    parser.add_argument("--encoding", metavar="NAME", help="of files that are not UTF-8, such as cp1252")
    parser.add_argument(
        "--no-header", action="store_true", help="the first line is a row: fields are called by their numbers, from 1"
    )


def add_corpus(parser: argparse.ArgumentParser, text: str) -> None:
    """Add what a command that reads labelled documents has; ``text``: the help of its corpus."""
    parser.add_argument("corpus", metavar="CORPUS", help=text)
    add_text_options(parser)
    parser.add_argument(
        "--label-field",
        action="append",
        metavar="F[,F…]",
        help="the field with the label; several are columns of 0 and 1, one for each label",
    )


def read_options(asked: argparse.Namespace) -> ReadOptions:
    """The options as they were given."""
    return ReadOptions(
        _names(asked.text_field) or TEXT,
        _names(getattr(asked, "label_field", None)) or LABEL,
        asked.encoding,
        header=not asked.no_header,
    )


def _names(options: list[str] | None) -> tuple[str, ...]:
    return tuple(name.strip() for option in options or () for name in option.split(",") if name.strip())
