"""The busy request past the framework: from a connection's bytes to its answer without a task or a router."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json
from structlog.contextvars import bind_contextvars
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.answers import server_timing
from app.drain import PatientProtocol
from app.errors import answer_to
from app.ids import HEADER, RequestIds
from app.logs import answered
from app.metrics import LEFT
from app.schemas import Document
from app.service import INLINE

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sized

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from app.main import State
    from app.outcome import Outcome
    from app.versions import Read

PATH, JSON = "/predict", b"application/json"


class InTurn(FlowControl):
    """uvicorn's flow control, which reads no further while requests that were read wait for their turn.

    Else a client that sends without reading its answers could fill the memory with them.
    """

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        """Read on, unless requests wait."""
        if not self._waiting:
            super().resume_reading()


class DirectProtocol(PatientProtocol):
    """uvicorn's connection, which answers a plain ``POST /predict`` itself and leaves all else to the application.

    Plain is what is whole, small, valid and let in. What turns out not to be goes to the application from the start:
    nothing has been taken from it yet, and the application knows each refusal and its words.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._coming: RequestResponseCycle | None = None  # the request whose body is not whole yet
        self._answer: asyncio.Future[Outcome[Read]] | None = None  # the one that is waited for

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take the connection."""
        super().connection_made(transport)
        self.flow = InTurn(transport, self.pipeline)
        self._ids = RequestIds()

    @property
    def _state(self) -> State:
        state: State = self.app_state  # type: ignore[assignment]  # uvicorn knows it as a dict of anything
        return state

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        name = cycle.scope["state"]["request_id"] = self._ids.of(cycle.scope["headers"])
        cycle.default_headers = [*cycle.default_headers, (HEADER, name.encode())]  # whoever answers sends it
        self._most = min(INLINE, self._state["max_body"])
        if not self._state["traces"] and _is_plain(cycle, self._most):
            self._coming, self._began = cycle, time.perf_counter()
            self._go_on(cycle)
        else:
            super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        """Give up on a body that is not small."""
        super().on_body(body)
        if self._coming is self.cycle:
            self._go_on(self.cycle)

    def on_message_complete(self) -> None:
        """Read a body that is whole."""
        super().on_message_complete()
        if self._coming is self.cycle:
            self._go_on(self.cycle)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the answer that nobody waits for."""
        super().connection_lost(exc)
        self._coming = None
        if self._answer is not None:
            self._answer.cancel()

    def _go_on(self, cycle: RequestResponseCycle) -> None:
        """Answer the request if its body is whole, hand it over if it is too large, else wait for more."""
        if len(cycle.body) > self._most or self.flow.write_paused:
            self._hand_over(cycle)
        elif not cycle.more_body:
            try:
                document = Document.model_validate_json(bytes(cycle.body))
                self._answer = self._state["service"].put(document.text, document)
            except Exception:  # whatever is wrong with it, the application finds it again and says so
                self._hand_over(cycle)
            else:
                self._coming = None
                self._answer.add_done_callback(partial(self._reply, cycle, document, self._began))
        else:
            self.flow.resume_reading()

    def _hand_over(self, cycle: RequestResponseCycle) -> None:
        self._coming = None
        super()._start_asgi_task(cycle, self.app)

    def _reply(
        self,
        cycle: RequestResponseCycle,
        document: Document,
        began: float,
        answer: asyncio.Future[Outcome[Read]],
    ) -> None:
        """Write the answer, or what became of the request while it waited."""
        self._answer = None
        service = self._state["service"]
        if answer.cancelled():
            self._note(cycle, LEFT, began)
            return
        try:
            outcome = answer.result()
            body = to_json(service.said(outcome, document.text, document))
            timing = (b"server-timing", server_timing(outcome.timing).encode())
            status, headers = 200, [(b"content-length", b"%d" % len(body)), (b"content-type", JSON), timing]
        except Exception as error:  # whatever it is, its client is told, as by the application
            bind_contextvars(request_id=cycle.scope["state"]["request_id"])
            response = answer_to(error)
            status, headers, body = response.status_code, response.raw_headers, bytes(response.body)
        self._note(cycle, str(status), began)
        self._write(cycle, status, headers, body)

    def _note(self, cycle: RequestResponseCycle, status: str, began: float) -> None:
        """Count the request, and write its line where requests have one."""
        seconds = time.perf_counter() - began
        self._state["service"].metrics.request(PATH, status, seconds)
        if self._state["access_log"]:
            bind_contextvars(request_id=cycle.scope["state"]["request_id"])
            answered("POST", PATH, status, seconds)

    def _write(self, cycle: RequestResponseCycle, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Send the response as uvicorn would, and go on to the connection's next request."""
        if (b"connection", b"close") in headers:
            cycle.keep_alive = False
        elif not cycle.keep_alive:
            headers = [*headers, (b"connection", b"close")]
        lines = [b"%b: %b\r\n" % header for header in (*cycle.default_headers, *headers)]
        self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", body]))
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()


def _is_plain(cycle: RequestResponseCycle, most: int) -> bool:
    """Whether a request's head asks for what is answered here, in ``most`` bytes as far as it says how many."""
    scope = cycle.scope
    if scope["path"] != PATH or scope["method"] != "POST" or scope["http_version"] != "1.1":
        return False
    headers = dict(scope["headers"])
    return (
        headers.get(b"content-type") == JSON
        and int(headers.get(b"content-length", 0)) <= most
        and not cycle.waiting_for_100_continue
    )
