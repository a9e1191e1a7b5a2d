"""A connection's bytes → requests: what is no HTTP is refused in its turn, an offer of another protocol passed over."""

from __future__ import annotations

from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.api.problems import answer_to
from app.errors import HeadTooLarge, MalformedRequest
from app.middleware.cors import response_headers
from app.middleware.lingering_close import IDLE, SECONDS
from app.middleware.lingering_close import MOST as DISCARDED
from app.middleware.request_ids import HEADER, RequestIds

MOST = 1 << 16
"""Bytes of a head, and of what is in no body; the parser keeps them, however many come."""


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's connection, where a refusal waits until those that were asked before it have their answers.

    uvicorn's own would be sent at once, and the connection closed: a client that had sent a good request before would
    take the refusal for its answer.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._headed = 0  # bytes since the last that were of a body, or ended a request
        self._refused = False
        self._in_turn: Exception | None = None  # what the last request is refused with, once its turn has come
        self._discarded, self._read_at, self._end = 0, 0.0, 0.0  # bytes after a refusal; when the last came; the end
        self._ids = RequestIds()

    def data_received(self, data: bytes) -> None:
        """Read on, unless there is nothing more to say."""
        self._unset_keepalive_if_required()
        if self._refused:
            self._discard(len(data))
            return
        self._headed += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._pass_over(data[offer.args[0] :])
        except httptools.HttpParserError:
            self._refuse_in_turn(MalformedRequest("this is no HTTP request that can be read: send HTTP/1.1"))
        else:
            if self._headed > MOST:
                self._refuse_in_turn(HeadTooLarge(MOST))

    def on_headers_complete(self) -> None:
        """Begin the request, if it is not to be read again without its offer; raise for a tunnel: none is dug here."""
        if self.parser.get_method() == b"CONNECT":
            raise httptools.HttpParserError("CONNECT")  # the parser reads no further, and raises in its turn
        if not self._is_offered():
            super().on_headers_complete()
            self.headers = []  # fields that follow are trailers, which are never headers (RFC 9110, 6.5.1)

    def on_body(self, body: bytes) -> None:
        """Take it."""
        self._headed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request."""
        self._headed = 0
        if not self._is_offered():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on to the next request, or say what is wrong with it."""
        last = not self.pipeline
        super().on_response_complete()
        if last and self._in_turn is not None:
            self.refuse(self._in_turn)

    def refuse(self, error: Exception) -> None:
        """Answer with a failure in place of what has not been answered yet, and close the connection."""
        self._refused, self._in_turn = True, None
        told, asked = answer_to(error), self.cycle is not None and not self.cycle.response_complete
        response = told.under(self.cycle.scope["path"], self.app_state["forms"]) if asked else told
        status = response.status_code
        sent = self.scope["headers"] if self.scope else ()
        own = (HEADER, self._ids.of(sent).encode())
        cross_origin = response_headers(self.app_state["settings"].cors_origins, sent)
        default = self.server_state.default_headers
        headers = (*default, *response.raw_headers, own, *cross_origin, (b"connection", b"close"))
        lines = [b"%b: %b\r\n" % header for header in headers]
        self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", bytes(response.body)]))
        if not self.give_up(str(status)):
            self.app_state["service"].metrics.count_refusal(str(status))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._read_at = self.loop.time()
        self._end = self._read_at + SECONDS
        self.flow.resume_reading()
        self._linger()

    def _linger(self) -> None:
        """Close once the client sends nothing more, or for too long."""
        now = self.loop.time()
        if now >= min(self._end, self._read_at + IDLE):
            self.transport.close()
        elif not self.transport.is_closing():
            self.loop.call_at(min(self._end, self._read_at + IDLE), self._linger)

    def _discard(self, size: int) -> None:
        """Throw away what comes after a refusal."""
        self._discarded, self._read_at = self._discarded + size, self.loop.time()
        if self._discarded > DISCARDED:
            self.transport.close()

    def give_up(self, status: str) -> bool:
        """Tell who works on a request that it was answered for them; False where nobody does."""
        if self.cycle is None or self.cycle.response_complete:
            return False
        self.cycle.scope["refused"] = status  # type: ignore[typeddict-unknown-key]  # ours, for who counts
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        return True

    def _is_offered(self) -> bool:
        """Whether another protocol is; the parser then reads no body, and nothing that comes after it."""
        return bool(self.parser.should_upgrade())

    def _pass_over(self, rest: bytes) -> None:
        """Read the request again without its offer, as HTTP allows: Java's own client makes one with every first."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        head = [b"%b %b HTTP/%b" % (method, self.url, version)]
        head += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        self.data_received(b"\r\n".join([*head, b"", rest]))

    def _refuse_in_turn(self, error: Exception) -> None:
        """At once where it has come to its turn, else after the answers before it; what comes then is not read."""
        self._refused = True
        begun = self.cycle is not None and self.cycle.more_body  # what is wrong is in its body
        if begun and self.pipeline:
            self.pipeline.popleft()
            self.cycle.response_complete = True  # nobody is at work on it, nor will be
            self._in_turn = error
        elif begun and self.cycle.response_started:
            self.transport.close()
        elif begun or self.cycle is None or self.cycle.response_complete:
            self.refuse(error)
        else:
            self._in_turn = error
