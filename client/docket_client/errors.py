"""What can go wrong: one family of exceptions, each with the service's own account of it."""

from __future__ import annotations

import time
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError

from docket_client.responses import Problem

if TYPE_CHECKING:
    import httpx


class DocketError(Exception):
    """Any failure of this client; its text says what is wrong and, where the service said so, what to do.

    ``problem``: the service's account of it, if it gave one. ``status``: of the response, if there was one.
    """

    def __init__(self, message: str, *, problem: Problem | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.problem, self.status = problem, status


class Refused(DocketError):
    """The request is not one that the service answers: it will say the same to another attempt."""


class Unauthorized(Refused):
    """The key is missing, unknown, or not one for this."""


class TooLarge(Refused):
    """More than the service, or a gateway before it, takes at once."""


class Unexpected(DocketError):
    """An answer that is not of Docket's API: most likely the address is another's."""


class Unavailable(DocketError):
    """The service cannot answer now, or cannot be reached; ``retry_after``: seconds, if it said when to come back."""

    retry_after: float | None = None


class Overloaded(Unavailable):
    """More is asked of the service than it can answer."""


class TimedOut(Unavailable):
    """There was no answer in time."""


KINDS: dict[int, type[DocketError]] = {
    401: Unauthorized,
    403: Unauthorized,
    408: TimedOut,
    413: TooLarge,
    429: Overloaded,
    504: TimedOut,
}


def failure(response: httpx.Response) -> DocketError:
    """What a response that is no success tells."""
    status, problem = response.status_code, _problem(response)
    detail = problem.detail if problem else ""
    message = detail or f"{response.request.url} answered {status} {response.reason_phrase}".rstrip()
    if response.is_redirect:
        message += f": ask {response.headers.get('location')} instead"
    kind = KINDS.get(status) or (Unavailable if status >= 500 else Refused if status >= 400 else Unexpected)
    error = kind(message, problem=problem, status=status)
    if isinstance(error, Unavailable):
        error.retry_after = seconds(response.headers.get("retry-after", ""))
    return error


def seconds(retry_after: str) -> float | None:
    """How long a ``Retry-After`` asks to wait, be it a number or a date; None where it is neither."""
    if retry_after.isdecimal():
        return float(retry_after)
    with suppress(ValueError):
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    return None


def _problem(response: httpx.Response) -> Problem | None:
    if response.headers.get("content-type", "").split(";")[0] != "application/problem+json":
        return None
    with suppress(ValidationError):
        return Problem.model_validate_json(response.content)
    return None
