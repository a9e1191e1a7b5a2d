"""A document to score, with the columns of its row in the input."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from app.api.answer_schemas import BatchAnswer
from app.parsing.documents import read_document
from app.parsing.schemas import BatchDocument, BatchError

Row = dict[str, Any]
ANSWER_FIELDS = (BatchAnswer.__annotations__.keys() | BatchError.__annotations__.keys()) - {"id"}
"""A column of the input with such a name gets another name in the output."""


class InputRow(NamedTuple):
    """``columns``: of the input, in order. ``error``: why there is no text."""

    columns: Row
    text: str | None
    error: str | None = None

    @property
    def characters(self) -> int:
        """The length of the text and of the other texts of the row."""
        return sum(len(value) for value in (self.text, *self.columns.values()) if isinstance(value, str))

    def parse(self) -> BatchDocument | BatchError:
        """Return the document as ``POST /predict/batch`` would read it, or its error."""
        if self.text is None:
            return BatchError(error=self.error or "there is no text")
        return read_document({"text": self.text})

    def join_answer(self, answer: BatchAnswer | BatchError) -> Row:
        """Return the columns of the input followed by the answer, and the error of an invalid ``id``."""
        id_error = {} if "error" in answer else _check_id(self.columns.get("id"))
        columns = {rename_column(name, self.columns): value for name, value in self.columns.items()}
        return columns | dict(answer) | id_error


def rename_column(name: str, columns: Row) -> str:
    """Return the name of an input column in the output: ``label`` becomes ``input_label``, as answers have a label."""
    if name not in ANSWER_FIELDS:
        return name
    renamed = f"input_{name}"
    while renamed in columns:
        renamed = f"input_{renamed}"
    return renamed


def _check_id(value: Any) -> Row:
    """Return the error of an ``id`` that ``POST /predict/batch`` would refuse."""
    is_integral = isinstance(value, float) and (math.isnan(value) or value.is_integer())
    if value is None or type(value) is int or is_integral:  # pandas writes 7.0 for 7, and NaN for none
        return {}
    document = read_document({"id": value, "text": "one"})
    return {} if isinstance(document, BatchDocument) else {"error": document["error"]}
