"""Schemas of request bodies, and of the answers about health, reloads and problems."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticUseDefault
from typing_extensions import TypedDict  # pydantic refuses typing.TypedDict before Python 3.12


def _check_not_blank(text: str) -> str:
    if not text or text.isspace():
        raise ValueError("the text is blank: send at least one character that is not white space")
    return text


def _check_surrogates(text: str) -> str:
    """Refuse half a surrogate pair: JSON can write it, and no answer in UTF-8 can repeat it."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"character {error.start + 1} is half a surrogate pair: send whole characters") from None
    return text


def _convert_whole_number(value: Any) -> Any:
    """Accept 2.0, which is an integer to JSON Schema and so to the API's description."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _use_default_for_null(value: Any) -> Any:
    if value is None:
        raise PydanticUseDefault
    return value


def _check_id(value: Any) -> Any:
    """Raise one error, where a union would raise one for each of its types."""
    if isinstance(value, str):
        return _check_surrogates(value)
    if value is None or type(value) is int:
        return value
    raise ValueError("send a string or a whole number")


TEXT_SCHEMA = {"minLength": 1, "pattern": r"\S"}
"""Describes a text in the API's description."""
ValidUnicode = Annotated[str, AfterValidator(_check_surrogates)]
Id = Annotated[str | int | None, BeforeValidator(_check_id)]
NULL_IS_UNSET = BeforeValidator(_use_default_for_null)
"""Marks an option that may be null although null is not its default."""
_BOOLEAN_OR_NULL = WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "null"}]})
Text = Annotated[ValidUnicode, AfterValidator(_check_not_blank), Field(json_schema_extra=TEXT_SCHEMA)]


class StrictSchema(BaseModel):
    """Converts no type into another, and refuses unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Options(StrictSchema):
    """What to answer beside the label."""

    top_k: Annotated[
        Annotated[int, Field(ge=1), BeforeValidator(_convert_whole_number)] | None,
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

    def with_abstain_below(self, default: float) -> Self:
        """Return the options with a default for ``abstain_below``."""
        if self.abstain_below is not None or not default:
            return self
        return self.model_copy(update={"abstain_below": default})


class Document(Options):
    """One document."""

    text: Annotated[Text, Field(description="the whole text; nothing of it is cut off")]


class BatchDocument(StrictSchema):
    """One document of a batch; its answer repeats its ``id``."""

    id: Id = None
    text: Text


class BatchError(TypedDict):
    """Why a document of a batch has no answer."""

    id: NotRequired[str | int]
    error: str


_ANY_DOCUMENT: dict[str, Any] = {
    "anyOf": [
        BatchDocument.model_json_schema(),
        {"type": "string", "description": "the text alone"} | TEXT_SCHEMA,
        {"description": "whatever else it is has an error for a result"},
    ]
}


class Batch(Options):
    """Documents that share their options. Each is validated by itself, so that an invalid one fails alone."""

    documents: Annotated[list[Any], Field(json_schema_extra={"items": _ANY_DOCUMENT})]


class Health(BaseModel):
    """The loaded version and its health; ``reload``: ok, loading, or refused and the reason."""

    status: str
    version: str
    device: str
    labels: int
    waiting: int
    reload: str


class ReloadStarted(BaseModel):
    """The start of a reload, and the version that answers until it ends."""

    detail: str
    version: str


class Problem(BaseModel):
    """What went wrong and what to do (RFC 9457); ``errors``: for an invalid body, each place and its mend."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[dict[str, Any]] | None = None
