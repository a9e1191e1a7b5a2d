"""The transport of both clients: it sends a request, retries it where that can help, and reads the response."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import stamina
from pydantic import BaseModel, ValidationError

from docket_client.errors import TimedOut, TooLarge, Unavailable, Unexpected, error_of
from docket_client.payloads import encode_body
from docket_client.responses import Answer, Answers, Health, Unanswered

if TYPE_CHECKING:
    import ssl

    from docket_client.payloads import Options

Read = TypeVar("Read", bound=BaseModel)
TIMEOUT = 30.0
"""Seconds; the service answers in milliseconds, and starts in three seconds."""
CONNECT_SECONDS = 5.0
"""Limit on opening a connection: after a lost packet, another attempt should follow long before the deadline."""
JITTER_SECONDS = 0.3
"""The largest random addition to a wait, which begins at 0.1 s and doubles up to 5 s."""


class Transport:
    """Connections to one service."""

    def __init__(self, url: str, key: str | None, timeout: float, verify: ssl.SSLContext | bool) -> None:
        if httpx.URL(url).scheme not in ("http", "https"):
            raise ValueError(f"{url!r} is no address of a service: it begins with http:// or https://")
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {}),
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),  # each call has a deadline
            limits=httpx.Limits(max_keepalive_connections=None),  # the caller limits them
            verify=verify,
        )
        self._timeout = timeout

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def health(self) -> Health:
        """The state of the service; one attempt."""
        return await self._request(Health, "/health", None, attempts=1)

    async def answer(self, text: str, options: Options, seconds: float | None) -> Answer:
        """Classify a document."""
        return await self._request(Answer, "/predict", {"text": text, **options}, seconds)

    async def answer_all(self, texts: list[str], options: Options, seconds: float | None) -> list[Answer | Unanswered]:
        """Classify a batch. A batch that is too large for one request is halved."""
        payload = {"documents": [{"text": text} for text in texts], **options}
        try:
            answers = await self._request(Answers, "/predict/batch", payload, seconds)
        except TooLarge as error:
            if len(texts) == 1:
                return [Unanswered(error=str(error))]
            half = len(texts) // 2
            first = await self.answer_all(texts[:half], options, seconds)
            return first + await self.answer_all(texts[half:], options, seconds)
        if len(answers.results) != len(texts):
            raise Unexpected(f"{len(texts)} documents were sent, and {len(answers.results)} results came back")
        return answers.results

    async def _request(
        self, kind: type[Read], path: str, payload: Any, seconds: float | None = None, attempts: int | None = None
    ) -> Read:
        seconds = self._timeout if seconds is None else seconds
        method, content = ("GET", None) if payload is None else ("POST", encode_body(payload))
        deadline = _Deadline(seconds)
        try:
            async with asyncio.timeout(seconds):
                async for attempt in stamina.retry_context(
                    on=deadline.should_retry, attempts=attempts, timeout=None, wait_jitter=JITTER_SECONDS
                ):
                    with attempt:
                        headers = deadline.header
                        request = self._http.build_request(method, path, content=content, headers=headers)
                        return await self._attempt(kind, request)
        except TimeoutError:
            last = f"; the last attempt failed: {deadline.last}" if deadline.last else ""
            raise TimedOut(f"{self._http.base_url} did not answer in {seconds:g} s{last}") from deadline.last
        raise AssertionError("stamina raises what the last attempt raised")

    async def _attempt(self, kind: type[Read], request: httpx.Request) -> Read:
        try:
            response = await self._http.send(request)
        except httpx.RequestError as error:
            raise Unavailable(f"{request.url} cannot be reached: {str(error) or type(error).__name__}") from error
        if not response.is_success:
            raise error_of(response)
        try:
            return kind.model_validate_json(response.content)
        except ValidationError as error:
            raise Unexpected(f"{request.url} did not answer as Docket does", status=response.status_code) from error


class _Deadline:
    """The end of a call, with all its attempts and waits."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self.last: Unavailable | None = None
        """The error of the last attempt."""

    @property
    def remaining(self) -> float:
        """Seconds until the deadline."""
        return self._end - time.monotonic()

    @property
    def header(self) -> dict[str, str]:
        """The header that gives the service the deadline."""
        return {"x-request-timeout": f"{max(self.remaining, 0.001):.3f}"}

    def should_retry(self, error: Exception) -> bool | float:
        """Whether stamina should retry, or after how many seconds.

        A little later than ``Retry-After``, so that clients that were refused together do not retry together.
        """
        if not isinstance(error, Unavailable):
            return False
        self.last = error
        if error.retry_after is None:
            return True
        wait = error.retry_after + random.uniform(0, 0.2)  # noqa: S311  # a jitter, not a secret
        return wait < self.remaining and wait
