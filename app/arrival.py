"""How a request arrives: on one of so many connections, and whole in time, or its client is told why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.errors import Crowded, Malformed, TooSlow, answer_to

if TYPE_CHECKING:
    import asyncio

LINGER = 0.3
"""Seconds in which what still comes is thrown away: a socket that is closed with bytes unread takes back its answer."""


class Arrival(NamedTuple):
    """How many ``connections`` at once; seconds until a request's ``head`` is whole, and from then its ``body``."""

    connections: int
    head: float
    body: float


class ArrivingProtocol(HttpToolsProtocol):
    """uvicorn's connection, which waits for no client that does not come to its point.

    A request that comes in one piece costs no timer.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take the connection, or say that there are too many."""
        super().connection_made(transport)
        self._limits: Arrival = self.app_state["arrival"]
        self._missing: str | None = None  # the part of a request that is not whole yet
        self._refused = False
        self._late: asyncio.TimerHandle | None = self.loop.call_later(self._limits.head, self._pass_time)
        if len(self.connections) > self._limits.connections:
            self.refuse(Crowded(self._limits.connections))

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._expect(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, and wait for so long for what is still missing."""
        if self._refused:
            return
        super().data_received(data)
        if self._missing and self._late is None and not self._refused:
            self._late = self.loop.call_later(getattr(self._limits, self._missing), self._pass_time)

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

    def send_400_response(self, msg: str) -> None:
        """Say in the one form of all failures that this is no HTTP."""
        self.refuse(Malformed("this is no HTTP request that can be read: send HTTP/1.1"))

    def refuse(self, error: Exception) -> None:
        """Answer with a failure in place of what has not been answered yet, and close the connection."""
        told = answer_to(error)
        response = told.under(self.scope["path"], self.app_state["forms"]) if self._missing == "body" else told
        status = response.status_code
        headers = (*self.server_state.default_headers, *response.raw_headers, (b"connection", b"close"))
        lines = [b"%b: %b\r\n" % header for header in headers]
        self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", bytes(response.body)]))
        self._refused = True
        self._expect(None)
        if not self.give_up(str(status)):
            self.app_state["service"].metrics.refused(str(status))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER, self.transport.close)

    def give_up(self, status: str) -> bool:
        """Tell who works on a request that it was answered for them; False where nobody does."""
        if self.cycle is None or self.cycle.response_complete:
            return False
        self.cycle.scope["refused"] = status  # type: ignore[typeddict-unknown-key]  # ours, for who counts
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        return True

    def _expect(self, part: str | None) -> None:
        self._missing = part
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _pass_time(self) -> None:
        """Wait no longer, unless it is we who do not read on."""
        self._late = None
        if self._missing is None:
            self.transport.close()  # it was opened and left: there is nothing to answer to
        elif self.flow.read_paused or self._answering():
            self._late = self.loop.call_later(getattr(self._limits, self._missing), self._pass_time)
        else:
            self.refuse(TooSlow(self._missing, getattr(self._limits, self._missing)))

    def _answering(self) -> bool:
        """Whether a request is at work, and the one that is missing is behind it."""
        return self._missing == "head" and self.cycle is not None and not self.cycle.response_complete
