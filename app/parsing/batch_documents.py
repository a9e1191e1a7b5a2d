"""The documents of a batch: read each by itself, and each one's answer or error in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard, cast

from pydantic import ValidationError

from app.api.responses import BatchAnswer, BatchError, answer
from app.parsing.json_reader import RepeatedKey
from app.parsing.schemas import BatchDocument, Options
from app.parsing.validation_errors import first_sentence, unknown_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from model.classifier import Classifier, Prediction


def read_document(document: Any) -> BatchDocument | BatchError:
    """A text or one document of a batch, or what is wrong with it; its ``id`` is kept where it has one."""
    if isinstance(document, str):
        document = {"text": document}
    elif not isinstance(document, dict | RepeatedKey):
        return {"error": "send a string, or an object with a text and an optional id"}
    if isinstance(document, dict) and (unknown := [key for key in document if key not in BatchDocument.model_fields]):
        return _error(document, unknown_fields(unknown, None if "text" in document else "text"))
    try:
        return BatchDocument.model_validate(document)
    except ValidationError as error:
        return _error(document, first_sentence(error))


def _error(document: dict[str, Any] | RepeatedKey, sentence: str) -> BatchError:
    own = document.get("id") if isinstance(document, dict) else document.id
    return {"error": sentence, "id": own} if _echoable(own) else {"error": sentence}


def _echoable(own: Any) -> TypeGuard[str | int]:
    return type(own) is int or (isinstance(own, str) and own.encode(errors="replace").decode() == own)


def results(
    read: Sequence[BatchDocument | BatchError],
    predictions: Iterable[Prediction],
    classifier: Classifier,
    options: Options,
) -> list[BatchAnswer | BatchError]:
    """Each document's answer or error at its place; ``predictions`` are those of the documents without error."""
    following = iter(predictions)
    answered: list[BatchAnswer | BatchError] = []
    for each in read:
        if isinstance(each, BatchDocument):
            own = cast("BatchAnswer", answer(next(following), each.text, classifier, options))
            answered.append(own if each.id is None else {**own, "id": each.id})
        else:
            answered.append(each)
    return answered
