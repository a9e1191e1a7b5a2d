"""One connection, below ASGI: what uvicorn leaves open and what no ASGI application can see.

A head has a time limit and a size limit, and a process has a limit on connections. An offer of another protocol is
ignored, and a drain waits for a request that is on its way. ``tests/app/server/test_uvicorn_contract.py`` names what
this file uses of uvicorn.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.errors import HeadTooLarge, MalformedRequest, RequestTimeout, TooManyConnections

if TYPE_CHECKING:
    from collections.abc import Sized

    from uvicorn import Config
    from uvicorn.server import ServerState

    from app.settings import Settings

MAX_HEAD_BYTES = 1 << 16
"""Bytes of a head, and of chunk sizes and trailers; the parser has no limit."""
SPARE_CONNECTIONS = 128
"""Connections over the limit that get an answer; half of the open files that are reserved for other purposes."""
DRAIN_SECONDS = 0.3
"""Seconds between the close of the listening socket and the close of a connection without a request."""
REFUSED_REQUEST = b"POST / HTTP/1.1\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
"""Stands for a request that cannot be read. The application answers it in its turn, then discards its body."""
FORWARDED_HEADERS = (b"origin", b"x-request-id")
"""Headers of an unreadable request that its answer depends on."""


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's connection, with limits. A request that arrives in one piece costs no timer."""

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        super().__init__(config, server_state, app_state)
        self._settings: Settings = app_state["settings"]
        self._unparsed_bytes = 0  # since the last byte of a body or the end of a request
        self._is_in_body = False
        self._is_in_head = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._refusal: Exception | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Accept the connection, or answer that there are too many."""
        super().connection_made(transport)
        self._connection = transport
        self.flow = PipelineFlowControl(transport, self.pipeline)
        surplus = len(self.connections) - self._settings.connections
        if surplus > SPARE_CONNECTIONS:
            transport.close()
        elif surplus > 0:
            self._refuse(TooManyConnections(self._settings.connections))
        else:
            self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._stop_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the bytes; after a refusal, they are the rest of an unreadable request."""
        if self._refusal is not None:
            self.on_body(data)
            return
        self._unset_keepalive_if_required()
        self._unparsed_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._ignore_upgrade(data[offer.args[0] :])
        except httptools.HttpParserError:
            self._refuse(MalformedRequest("this is no HTTP request that can be read: send HTTP/1.1"))
        else:
            if self._unparsed_bytes > MAX_HEAD_BYTES:
                self._refuse(HeadTooLarge(MAX_HEAD_BYTES))
            elif self._head_timer is None and (self._is_in_head or self._has_early_response()):
                self._start_head_timer()

    def on_message_begin(self) -> None:
        """Begin a head."""
        partial_headers = self.headers if self._is_in_head else []
        super().on_message_begin()
        self._is_in_head = True
        if self._refusal is not None:
            self.scope["state"]["refusal"] = self._refusal
            self.headers.extend(header for header in partial_headers if header[0] in FORWARDED_HEADERS)

    def on_headers_complete(self) -> None:
        """Start the request, unless it is a tunnel or will be parsed again without its offer of another protocol."""
        self._stop_head_timer()
        if self.parser.get_method() == b"CONNECT":
            raise httptools.HttpParserError("CONNECT")
        if not self.parser.should_upgrade():
            super().on_headers_complete()  # raises for a target that is no URL: the head is unreadable then
            self._is_in_head, self._is_in_body = False, True
            self.headers = []  # trailers are not headers (RFC 9110, 6.5.1)

    def on_body(self, body: bytes) -> None:
        """Hand a part of the body to the application."""
        self._unparsed_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request."""
        self._unparsed_bytes = 0
        self._is_in_body = False
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def shutdown(self) -> None:
        """Close the connection once the requests that are on their way have arrived and have their answers."""
        asyncio.get_running_loop().call_later(DRAIN_SECONDS, super().shutdown)

    def _refuse(self, error: Exception) -> None:
        """Have the application answer with ``error`` in place of the request that is being read."""
        self._stop_head_timer()
        self._refusal = error
        if self._has_early_response():
            self._connection.close()
        elif self._is_in_body:
            self.scope["state"]["refusal"] = error
            self.on_body(b"")  # wakes the application, which waits for the body
        else:
            self.parser = httptools.HttpRequestParser(self)
            self.parser.feed_data(REFUSED_REQUEST)

    def _has_early_response(self) -> bool:
        """Whether the request has its whole response before its whole body."""
        return self._is_in_body and self.cycle.response_complete

    def _ignore_upgrade(self, remaining: bytes) -> None:
        """Parse the head again without its offer, as HTTP allows: Java's client offers h2c with its first request."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (method, self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn sets it
        self.data_received(b"\r\n".join([*lines, b"", remaining]))

    def _start_head_timer(self) -> None:
        loop = asyncio.get_running_loop()
        self._head_timer = loop.call_later(self._settings.head_timeout, self._end_head_time)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end_head_time(self) -> None:
        """Refuse the head that is late; close a connection without one; wait while an earlier request is at work."""
        self._head_timer = None
        if self.cycle is not None and not self.cycle.response_complete:
            self._start_head_timer()
        elif self._is_in_head:
            self._refuse(RequestTimeout("head", self._settings.head_timeout))
        else:
            self._connection.close()


class PipelineFlowControl(FlowControl):
    """uvicorn's flow control, which does not read on while requests of the connection wait for their turn.

    Otherwise, a client that sends requests and never reads an answer could fill the memory.
    """

    def __init__(self, transport: asyncio.Transport, pipeline: Sized) -> None:
        super().__init__(transport)
        self._connection, self._pipeline = transport, pipeline

    def resume_reading(self) -> None:
        """Read on, unless requests wait or the connection closes."""
        if not self._pipeline and not self._connection.is_closing():
            super().resume_reading()
