"""What is to be scored: stdin, a file, a folder or a corpus' test part → documents, one after the other."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from model.refusal import Refusal
from scoring.lines import document
from training.data import reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scoring.lines import Document
    from training.data.options import ReadOptions

CORPORA = ("bbc-news", "20newsgroups", "20newsgroups-body")


class Source(NamedTuple):
    """Documents as they are asked for; ``share``: how much of the source has been read, from 0 to 1, where known."""

    documents: Iterator[Document]
    share: Callable[[], float | None] = lambda: None


def read(name: str, options: ReadOptions = reader.DEFAULT) -> Source:
    """The documents of ``name``; what cannot be read raises ``Refusal``, here or where it stands."""
    path = Path(name)
    if name == "-":
        if sys.stdin is None:
            raise Refusal("standard input is closed: name a file, or pipe documents in")
        return Source(map(document, reader.inputs_of(sys.stdin.buffer, "stdin", options)))
    if name in CORPORA:
        return Source(_corpus(name))
    if not path.exists():
        raise Refusal(f"{path} does not exist: name a file, a folder, {', '.join(CORPORA)}, or - for stdin")
    meter = _Meter()
    return Source(map(document, reader.inputs(path, options, watch=meter.watch)), meter.share)


class _Meter:
    """How much of a file has been read."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None

    def watch(self, file: IO[bytes]) -> None:
        self._file, self._size = file, os.fstat(file.fileno()).st_size

    def share(self) -> float | None:
        if self._file is None or not self._size:  # it is not open yet, or a pipe
            return None
        return 1.0 if self._file.closed else self._file.tell() / self._size


def _corpus(name: str) -> Iterator[Document]:
    """The part that ``docket evaluate`` reads."""
    from training.data import corpora  # with the libraries that training alone has

    corpus = corpora.load(name)
    for number, text in enumerate((corpus.train if corpus.test is None else corpus.test).texts, start=1):
        yield {"id": number, "text": text, "fields": {"id": number, "text": text}}
