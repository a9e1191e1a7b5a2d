"""One document to score, and its row: what is kept of the input beside the answer."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from app.api.responses import BatchAnswer
from app.parsing.batch_documents import read_document
from app.parsing.schemas import BatchDocument, BatchError

Row = dict[str, Any]
ANSWER = (BatchAnswer.__annotations__.keys() | BatchError.__annotations__.keys()) - {"id"}
"""The names of an answer's fields. A column of the input that has such a name is kept under another."""


class InputRow(NamedTuple):
    """``row``: the columns of the input, in order. ``error``: why there is no text, where there is none."""

    row: Row
    text: str | None
    error: str | None = None

    @property
    def characters(self) -> int:
        """How long its text and its other columns are."""
        return sum(len(value) for value in (self.text, *self.row.values()) if isinstance(value, str))

    def read(self) -> BatchDocument | BatchError:
        """What ``POST /predict/batch`` would read, or its error."""
        if self.text is None:
            return BatchError(error=self.error or "there is no text")
        return read_document({"text": self.text})

    def answered(self, answer: BatchAnswer | BatchError) -> Row:
        """The columns of the input, and behind them the answer; what is wrong with the ``id`` stands beside it."""
        wrong = {} if "error" in answer else _wrong_id(self.row.get("id"))
        return {kept_name(name, self.row): value for name, value in self.row.items()} | dict(answer) | wrong


def kept_name(name: str, row: Row) -> str:
    """The name of an input's column in the output: ``label`` becomes ``input_label``, since the answer has a label."""
    if name not in ANSWER:
        return name
    kept = f"input_{name}"
    while kept in row:
        kept = f"input_{kept}"
    return kept


def _wrong_id(own: Any) -> Row:
    """The error of an ``id`` that ``POST /predict/batch`` would refuse."""
    if own is None or type(own) is int or (isinstance(own, float) and (math.isnan(own) or own.is_integer())):
        return {}  # pandas makes 7.0 of 7, and NaN of none
    read = read_document({"id": own, "text": "one"})
    return {} if isinstance(read, BatchDocument) else {"error": read["error"]}
