"""What goes in, how the service does, and what went wrong."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticUseDefault
from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on


def _not_blank(text: str) -> str:
    if not text or text.isspace():
        raise ValueError("the text is blank: send at least one character that is not white space")
    return text


def _whole(text: str) -> str:
    """JSON can write half a surrogate pair; no answer could say it back."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"character {error.start + 1} is half a surrogate pair: send whole characters") from None
    return text


def _whole_number(given: Any) -> Any:
    """To JSON Schema, and so to the API's description, 2.0 is an integer."""
    return int(given) if isinstance(given, float) and given.is_integer() else given


def _use_default_for_null(given: Any) -> Any:
    if given is None:
        raise PydanticUseDefault
    return given


def _check_id(given: Any) -> Any:
    """One error where a union would have one for each of its types."""
    if isinstance(given, str):
        return _whole(given)
    if given is None or type(given) is int:
        return given
    raise ValueError("send a string or a whole number")


SAID = {"minLength": 1, "pattern": r"\S"}  # of a text, to those who read the API's description
ValidUnicode = Annotated[str, AfterValidator(_whole)]
Id = Annotated[str | int | None, BeforeValidator(_check_id)]
NULL_IS_UNSET = BeforeValidator(_use_default_for_null)
"""Marks an option that may be null although null is not its default."""
_BOOLEAN_OR_NULL = WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "null"}]})
Text = Annotated[ValidUnicode, AfterValidator(_not_blank), Field(json_schema_extra=SAID)]


class StrictSchema(BaseModel):
    """What takes nothing for something else, and no field that nobody knows."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Options(StrictSchema):
    """What to answer beside the label."""

    top_k: Annotated[
        Annotated[int, Field(ge=1), BeforeValidator(_whole_number)] | None,
        Field(description="only so many of the highest scores; all, if left out"),
    ] = None
    explain: Annotated[
        bool, NULL_IS_UNSET, _BOOLEAN_OR_NULL, Field(description="add each word's share of the answer")
    ] = False
    abstain_below: Annotated[
        float | None, Field(ge=0, le=1, description="no label if its score is lower; DOCKET_ABSTAIN_BELOW, if left out")
    ] = None
    coverage: Annotated[
        float | None, Field(gt=0, lt=1, description="add the smallest set that holds the right label so often")
    ] = None

    def with_abstain_below(self, score: float) -> Self:
        """The same options, with ``score`` where they do not say when to abstain."""
        return self if self.abstain_below is not None or not score else self.model_copy(update={"abstain_below": score})


class Document(Options):
    """One document."""

    text: Annotated[Text, Field(description="the whole text; nothing of it is cut off")]


class BatchDocument(StrictSchema):
    """One document of a batch; ``id`` comes back with its answer."""

    id: Id = None
    text: Text


class BatchError(TypedDict):
    """Why this document has no answer."""

    id: NotRequired[str | int]
    error: str


_ANY_DOCUMENT: dict[str, Any] = {
    "anyOf": [
        BatchDocument.model_json_schema(),
        {"type": "string", "description": "the text alone"} | SAID,
        {"description": "whatever else it is has an error for a result"},
    ]
}


class Batch(Options):
    """Documents that share their options; each is validated by itself, so that a bad one fails alone."""

    documents: Annotated[list[Any], Field(json_schema_extra={"items": _ANY_DOCUMENT})]


class Health(BaseModel):
    """What is loaded and how it does; ``reload``: ok, loading, or refused with the reason that the version stays."""

    status: str
    version: str
    device: str
    labels: int
    waiting: int
    reload: str


class ReloadStarted(BaseModel):
    """What is done about another version, and the one that answers until then."""

    detail: str
    version: str


class Problem(BaseModel):
    """What went wrong and what to do (RFC 9457); ``errors``: for an invalid body, each place and its mend."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[dict[str, Any]] | None = None
