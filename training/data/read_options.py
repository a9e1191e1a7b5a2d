"""The options of reading documents: fields, encoding, header; and their command-line arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

DEFAULT_TEXT_FIELDS, DEFAULT_LABEL_FIELDS = ("text",), ("label",)


@dataclass(frozen=True)
class ReadOptions:
    """``text_fields`` are joined in this order; ``encoding`` None is UTF-8; ``header`` False is ``--no-header``.

    Several ``label_fields`` are columns of 0 and 1, one for each label.
    """

    text_fields: tuple[str, ...] = DEFAULT_TEXT_FIELDS
    label_fields: tuple[str, ...] = DEFAULT_LABEL_FIELDS
    encoding: str | None = None
    header: bool = True

    def required_fields(self, *, labelled: bool) -> tuple[str, ...]:
        """Return the fields that each row must have."""
        return (*self.text_fields, *self.label_fields) if labelled else self.text_fields

    @property
    def has_default_fields(self) -> bool:
        """Whether neither the text's nor the label's field was chosen."""
        return (self.text_fields, self.label_fields) == (DEFAULT_TEXT_FIELDS, DEFAULT_LABEL_FIELDS)


DEFAULT_OPTIONS = ReadOptions()


def add_text_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of each command that reads documents."""
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


def add_corpus_arguments(parser: argparse.ArgumentParser, corpus_help: str) -> None:
    """Add the arguments of each command that reads labelled documents."""
    parser.add_argument("corpus", metavar="CORPUS", help=corpus_help)
    add_text_arguments(parser)
    parser.add_argument(
        "--label-field",
        action="append",
        metavar="F[,F…]",
        help="the field with the label; several are columns of 0 and 1, one for each label",
    )


def parse_read_options(arguments: argparse.Namespace) -> ReadOptions:
    """Return the options that the arguments choose."""
    return ReadOptions(
        _split_names(arguments.text_field) or DEFAULT_TEXT_FIELDS,
        _split_names(getattr(arguments, "label_field", None)) or DEFAULT_LABEL_FIELDS,
        arguments.encoding,
        header=not arguments.no_header,
    )


def _split_names(values: list[str] | None) -> tuple[str, ...]:
    return tuple(name.strip() for value in values or () for name in value.split(",") if name.strip())
