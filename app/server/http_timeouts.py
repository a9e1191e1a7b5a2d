"""How a request arrives: on one of so many connections, and whole in time, or its client is told why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.errors import RequestTimeout, TooManyConnections
from app.server.http_protocol import HttpProtocol

if TYPE_CHECKING:
    import asyncio

    from app.settings import Settings

SPARE = 128
"""Connections beyond the limit that may linger after their refusal: half of the open files kept for other things."""


class TimeoutProtocol(HttpProtocol):
    """A connection that waits for no client that does not come to its point.

    A request that comes in one piece costs no timer.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take the connection, or say that there are too many."""
        super().connection_made(transport)
        settings: Settings = self.app_state["settings"]
        self._seconds = {"head": settings.head_timeout, "body": settings.body_timeout}
        self._missing: str | None = None  # the part of a request that is not whole yet
        self._late: asyncio.TimerHandle | None = self.loop.call_later(settings.head_timeout, self._pass_time)
        surplus = len(self.connections) - settings.connections
        if surplus > 0:
            self.refuse(TooManyConnections(settings.connections))
        if surplus > SPARE:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._expect(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, and wait for so long for what is still missing."""
        super().data_received(data)
        if self._missing and self._late is None and not self._refused:
            self._late = self.loop.call_later(self._seconds[self._missing], self._pass_time)
        elif self._missing is None and self._rests():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _rests(self) -> bool:
        """Whether nothing is asked or missing any more, as after the body of a request that was refused before it."""
        answered = self.cycle is not None and self.cycle.response_complete
        return answered and self.timeout_keep_alive_task is None and not self.transport.is_closing()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._missing = "head"
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A body begins."""
        self._expect("body")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All has come."""
        self._expect(None)
        super().on_message_complete()

    def refuse(self, error: Exception) -> None:
        """Wait for nothing more."""
        self._expect(None)
        super().refuse(error)

    def _expect(self, part: str | None) -> None:
        self._missing = part
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _pass_time(self) -> None:
        """Wait no longer, unless it is we who do not read on."""
        self._late = None
        if self._refused:
            return  # it is known what is said in its turn
        if self._missing is None or (self._missing == "body" and self.cycle.response_started):
            self.transport.close()  # it was opened and left, or has its answer already
        elif self.flow.read_paused or self._answering():
            self._late = self.loop.call_later(self._seconds[self._missing], self._pass_time)
        else:
            self.refuse(RequestTimeout(self._missing, self._seconds[self._missing]))

    def _answering(self) -> bool:
        """Whether a request is at work, and the one that is missing is behind it."""
        return self._missing == "head" and self.cycle is not None and not self.cycle.response_complete
