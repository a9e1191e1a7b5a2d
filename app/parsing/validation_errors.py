"""Validation errors as sentences: the place, what is wrong, what to send instead"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.errors import quote_input
from app.parsing.json_reader import RepeatedKey
from model.terminal import format_count

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

MAX_ERRORS = 20
"""Errors that one answer lists; a body with a million unknown fields would else get an answer larger than itself."""
SENTENCES = {
    "missing": "this field is missing: send it",
    "extra_forbidden": "there is no such field: remove it, or correct its name",
    "string_type": "send a string",
    "string_unicode": "the string has half a surrogate pair: send whole characters",
    "int_type": "send a whole number",
    "int_from_float": "send a whole number",
    "float_type": "send a number",
    "finite_number": "send a finite number",
    "bool_type": "send true or false",
    "list_type": "send a list",
    "dict_type": "send an object",
    "model_type": "send an object",
    "greater_than": "send a number greater than {gt}",
    "greater_than_equal": "send a number that is {ge} or more",
    "less_than": "send a number less than {lt}",
    "less_than_equal": "send a number that is {le} or less",
    "too_short": "send at least {min_length} of them",
    "too_long": "send at most {max_length} of them",
    "literal_error": "send {expected}",
    "value_error": "{error}",
}
"""A sentence for each type of error that the bodies' schemas can have."""
FALLBACK = "this value cannot be used: /docs has what can"


def describe_first_error(error: ValidationError) -> str:
    """The first error as a sentence with its place; the number of the others."""
    return _with_place(_sentence_of(error.errors(include_url=False)[0])) + _more(error.error_count() - 1)


def describe_unknown_fields(names: list[str], missing: str | None) -> str:
    """The sentence for an object with unknown fields and a missing one; it costs less than an error for each field."""
    absent = f"{missing}: {SENTENCES['missing']}; " if missing else ""
    return f"{absent}{quote_input(names[0])}: {SENTENCES['extra_forbidden']}" + _more(len(names) - 1)


def _more(others: int) -> str:
    return f" ({format_count(others, 'more error')})" if others else ""


def describe_errors(error: ValidationError) -> tuple[str, list[dict[str, str]]]:
    """All errors in one line, and the first ``MAX_ERRORS`` with their places."""
    listed = [_sentence_of(each) for each in error.errors(include_url=False)[:MAX_ERRORS]]
    left_out = error.error_count() - len(listed)
    more = [format_count(left_out, "more error")] if left_out else []
    return "; ".join([*map(_with_place, listed), *more]), listed


def _sentence_of(error: ErrorDetails) -> dict[str, str]:
    given: Any = error["input"]
    if isinstance(given, RepeatedKey):
        message = given.sentence
    else:
        limits = {name: f"{it:g}" if isinstance(it, float) else it for name, it in error.get("ctx", {}).items()}
        message = SENTENCES.get(error["type"], FALLBACK).format(**limits)
    return {"place": ".".join(quote_input(str(part)) for part in error["loc"]), "message": message}


def _with_place(error: dict[str, str]) -> str:
    return f"{error['place']}: {error['message']}" if error["place"] else error["message"]
