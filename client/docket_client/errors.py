"""The exceptions of the clients, each with the problem document of the service."""

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
    """Any failure of a call; its text has the error and, from the service, what to do.

    ``problem`` is the problem document of the service, ``status`` the status of the response, where there is one.
    """

    def __init__(self, message: str, *, problem: Problem | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.problem, self.status = problem, status


class Refused(DocketError):
    """The service refuses the request, and would refuse another attempt."""


class Unauthorized(Refused):
    """The API key is missing, unknown, or not allowed to do this."""


class TooLarge(Refused):
    """The request is larger than the service or a gateway accepts."""


class Unexpected(DocketError):
    """The answer is not one of Docket's API: the address is probably wrong."""


class Unavailable(DocketError):
    """The service cannot answer at present, or cannot be reached; ``retry_after`` is in seconds."""

    retry_after: float | None = None


class Overloaded(Unavailable):
    """The service is overloaded."""


class TimedOut(Unavailable):
    """The deadline passed without an answer."""


KINDS: dict[int, type[DocketError]] = {
    401: Unauthorized,
    403: Unauthorized,
    408: TimedOut,
    413: TooLarge,
    429: Overloaded,
    504: TimedOut,
}


def error_of(response: httpx.Response) -> DocketError:
    """The exception for a response without success."""
    status, problem = response.status_code, _problem(response)
    detail = problem.detail if problem else ""
    message = detail or f"{response.request.url} answered {status} {response.reason_phrase}".rstrip()
    if response.is_redirect:
        message += f": ask {response.headers.get('location')} instead"
    kind = KINDS.get(status) or (Unavailable if status >= 500 else Refused if status >= 400 else Unexpected)
    error = kind(message, problem=problem, status=status)
    if isinstance(error, Unavailable):
        error.retry_after = parse_retry_after(response.headers.get("retry-after", ""))
    return error


def parse_retry_after(retry_after: str) -> float | None:
    """The seconds of a ``Retry-After``, a number or a date; None where it is neither."""
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
