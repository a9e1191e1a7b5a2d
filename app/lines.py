"""``docket predict``: documents by lines in, the answers of ``POST /predict/batch`` by lines out."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from app.schemas import BatchDocument
from app.service import read_document, results
from model.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.schemas import Options
    from model.classifier import Classifier

AT_ONCE = 256


def predict(classifier: Classifier, source: str, options: Options) -> Iterator[str]:
    """One line of JSON for each line of the file ``source``, or of stdin for ``-``, in order.

    A blank text has an ``error`` for its answer; a line that is no document raises ``Refusal`` where it stands.
    """
    with ExitStack() as stack:
        try:
            file = sys.stdin.buffer if source == "-" else stack.enter_context(Path(source).open("rb"))
        except OSError as error:
            raise Refusal(
                f"{source} cannot be read ({error.strerror}): name a file of JSON lines, or - for stdin"
            ) from error
        documents = (_document(line, number, source) for number, line in enumerate(file, start=1) if line.strip())
        while chosen := list(islice(documents, AT_ONCE)):
            read = [read_document(document) for document in chosen]
            texts = [document.text for document in read if isinstance(document, BatchDocument)]
            predictions = classifier.predict([classifier.encode(text, options.explain) for text in texts])
            for result in results(read, predictions, classifier, options):
                yield to_json(result).decode()


def _document(line: bytes, number: int, source: str) -> dict[str, Any]:
    where = f"{'stdin' if source == '-' else source}, line {number}"
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Refusal(f'{where} is no JSON ({error}): write one object a line, like {{"text": …}}') from None
    if not isinstance(record, dict) or not isinstance(record.get("text"), str):
        raise Refusal(f'{where} has no "text" that is a string: write one object a line, like {{"text": …}}')
    return {name: record[name] for name in ("id", "text") if name in record}
