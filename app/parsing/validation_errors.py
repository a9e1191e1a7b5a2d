"""Validation errors as sentences: the place, the fault, and the value to send instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.errors import quote_input
from app.parsing.json_reader import RepeatedKey
from model.command_output import format_count

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

MAX_LISTED_ERRORS = 20
"""Errors that an answer lists. A body with a million unknown fields would get an answer larger than itself."""
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
"""A sentence for each type of error that the schemas of bodies can raise."""
FALLBACK = "this value cannot be used: /docs has what can"


def describe_errors(error: ValidationError) -> tuple[str, list[dict[str, str]]]:
    """Describe all errors in one line, and the first ``MAX_LISTED_ERRORS`` as places and messages."""
    listed = [_describe(details) for details in error.errors(include_url=False)[:MAX_LISTED_ERRORS]]
    unlisted = error.error_count() - len(listed)
    counted = [format_count(unlisted, "more error")] if unlisted else []
    return "; ".join([*map(_join_place, listed), *counted]), listed


def describe_first_error(error: ValidationError) -> str:
    """Describe the first error and its place, and count the others."""
    return _join_place(_describe(error.errors(include_url=False)[0])) + _count_more(error.error_count() - 1)


def describe_unknown_fields(names: list[str], missing: str | None) -> str:
    """Describe unknown fields and a missing one; this costs less than a validation error for each field."""
    absent = f"{missing}: {SENTENCES['missing']}; " if missing else ""
    return f"{absent}{quote_input(names[0])}: {SENTENCES['extra_forbidden']}" + _count_more(len(names) - 1)


def _count_more(count: int) -> str:
    return f" ({format_count(count, 'more error')})" if count else ""


def _describe(details: ErrorDetails) -> dict[str, str]:
    value: Any = details["input"]
    if isinstance(value, RepeatedKey):
        message = value.sentence
    else:
        limits = {
            name: f"{limit:g}" if isinstance(limit, float) else limit for name, limit in details.get("ctx", {}).items()
        }
        message = SENTENCES.get(details["type"], FALLBACK).format(**limits)
    return {"place": ".".join(quote_input(str(part)) for part in details["loc"]), "message": message}


def _join_place(error: dict[str, str]) -> str:
    return f"{error['place']}: {error['message']}" if error["place"] else error["message"]
