"""The busy request past the framework: from a connection's bytes to its answer without a task or a router."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json
from structlog.contextvars import bound_contextvars
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.api.problems import answer_to
from app.api.responses import answer as form_answer
from app.api.responses import server_timing
from app.inference.batcher import Draining
from app.inference.queue import QueueFull
from app.inference.service import INLINE_CHARACTERS
from app.middleware.cors import response_headers
from app.middleware.request_ids import HEADER
from app.observability.logs import log_request
from app.observability.metrics import CLIENT_LEFT_STATUS
from app.parsing.body import parse_document
from app.parsing.limits import check_characters
from app.server.backoff import BackoffProtocol
from app.server.plain import JSON, PATH, Plain

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sized
    from contextlib import AbstractContextManager

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from app.inference.documents import ClassifiedDocument
    from app.inference.results import Outcome
    from app.parsing.schemas import Document


class InTurn(FlowControl):
    """uvicorn's flow control, which reads no further while requests that were read wait for their turn.

    Else a client that sends without reading its answers could fill the memory with them.
    """

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        """Read on, unless requests wait or nothing comes any more."""
        if not self._waiting and not self._transport.is_closing():
            super().resume_reading()


class DirectProtocol(BackoffProtocol):
    """uvicorn's connection, which answers a plain request itself and leaves all else to the application.

    What turns out not to be whole, small and valid goes to the application from the start: nothing has been taken from
    it yet, and the application knows each refusal and its words. To refuse for want of room must cost little, so that
    is said here too.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._coming: Plain | None = None  # the request whose body is not whole yet
        self._answer: asyncio.Future[Outcome[ClassifiedDocument]] | None = None  # the one that is waited for

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take the connection."""
        super().connection_made(transport)
        self.flow = InTurn(transport, self.pipeline)
        self._origins = self._state["settings"].cors_origins

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        name = cycle.scope["state"]["request_id"] = self._ids.of(cycle.scope["headers"])
        cycle.default_headers = [*cycle.default_headers, (HEADER, name.encode())]  # whoever answers sends it
        self._most = min(INLINE_CHARACTERS, self._state["settings"].max_body)
        plain = None if self._state["settings"].traces else self._plain(cycle)
        if plain is None or not self._lets_in(cycle):
            super()._start_asgi_task(cycle, app)
        else:
            self._coming = plain
            self._go_on(plain)

    def on_body(self, body: bytes) -> None:
        """Give up on a body that is not small."""
        super().on_body(body)
        if self._coming is not None and self._coming.cycle is self.cycle:
            self._go_on(self._coming)

    def on_message_complete(self) -> None:
        """Read a body that is whole."""
        super().on_message_complete()
        if self._coming is not None and self._coming.cycle is self.cycle:
            self._go_on(self._coming)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the answer that nobody waits for."""
        super().connection_lost(exc)
        if self._coming is not None:
            self._note(self._coming, CLIENT_LEFT_STATUS)
            self._coming = None
        if self._answer is not None:
            self._answer.cancel()

    def give_up(self, status: str) -> bool:
        """Let go of a request that was answered; False where nobody was at work on it."""
        if self._coming is not None:
            self._coming = None
            return False
        if self._answer is not None:
            return self._answer.cancel()
        return super().give_up(status)

    def _plain(self, cycle: RequestResponseCycle) -> Plain | None:
        now = self.loop.time()
        came = now if self._came is None else self._came
        return Plain.of(cycle, self._most, came, now - came, self._state["settings"].timeout)

    def _lets_in(self, cycle: RequestResponseCycle) -> bool:
        keys = self._state["keys"]
        if keys is None:
            return True
        name = cycle.scope["state"]["key"] = keys.name_of(cycle.scope["headers"])
        return name is not None

    def _go_on(self, plain: Plain) -> None:
        """Answer the request if its body is whole, hand it over if it is too large, else wait for more."""
        if len(plain.cycle.body) > self._most or self.flow.write_paused:
            self._hand_over(plain)
        elif plain.cycle.more_body:
            self.flow.resume_reading()
        else:
            self._take_in(plain)

    def _take_in(self, plain: Plain) -> None:
        service = self._state["service"]
        try:
            service.batcher.check(plain.until)
            document = parse_document(bytes(plain.cycle.body))
            check_characters(document.text, self._state["settings"].max_characters)
            self._answer = service.enqueue(document.text, document.explain, plain.until)
        except Draining as error:
            self._coming = None
            self._tell(plain, *_refusal(plain, error))
        except QueueFull as error:
            self._coming = None
            self._tell(plain, *_full(error.retry_after))
            if not self.pipeline:  # those behind it are read already
                self.put_off(error.retry_after, plain.until - self.loop.time())
        except Exception:  # whatever is wrong with it, the application finds it again and says so
            self._hand_over(plain)
        else:
            self._coming = None
            # Not a partial: where a callback fails, the loop logs it with its arguments, and that is the document.
            self._answer.add_done_callback(lambda answer: self._reply(plain, document, answer))

    def _hand_over(self, plain: Plain) -> None:
        self._coming = None
        super()._start_asgi_task(plain.cycle, self.app)

    def _reply(self, plain: Plain, document: Document, answer: asyncio.Future[Outcome[ClassifiedDocument]]) -> None:
        """Write the answer, or what became of the request while it waited."""
        self._answer = None
        service = self._state["service"]
        if answer.cancelled():
            self._note(plain, CLIENT_LEFT_STATUS)
            return
        try:
            outcome = answer.result()
            options = document.with_abstain_below(self._state["settings"].abstain_below)
            classifier, prediction = outcome.result
            body = to_json(form_answer(prediction, document.text, classifier, options))
            timing = (b"server-timing", server_timing(outcome.timing).encode())
        except Exception as error:  # whatever it is, its client is told, as by the application
            self._tell(plain, *_refusal(plain, error))
        else:
            self._tell(plain, 200, [(b"content-length", b"%d" % len(body)), (b"content-type", JSON), timing], body)
            service.metrics.count_prediction(outcome.result.prediction)  # its client does not wait for that

    def _tell(self, plain: Plain, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Send the response as uvicorn would, note the request, and go on to the connection's next."""
        if self.transport.is_closing():  # its client left when the answer was there already
            self._note(plain, CLIENT_LEFT_STATUS)
            return
        cycle = plain.cycle
        if (b"connection", b"close") in headers:
            cycle.keep_alive = False
        elif not cycle.keep_alive:
            headers = [*headers, (b"connection", b"close")]
        if self._origins is not None:
            headers = [*headers, *response_headers(self._origins, cycle.scope["headers"])]
        lines = [b"%b: %b\r\n" % header for header in (*cycle.default_headers, *headers)]
        self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", body]))
        self._note(plain, str(status))
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        if self.pipeline:  # a hundred that are refused one after the other would be a hundred calls deep
            self.loop.call_soon(cycle.on_response)
        else:
            cycle.on_response()

    def _note(self, plain: Plain, status: str) -> None:
        """Count the request, and write its line where requests have one."""
        seconds = time.perf_counter() - plain.began
        self._state["service"].metrics.count_request(PATH, status, seconds)
        if self._state["settings"].access_log:
            with _of(plain):
                log_request("POST", PATH, status, seconds, plain.cycle.scope["state"].get("key"))


def _of(plain: Plain) -> AbstractContextManager[object]:
    """What is logged meanwhile is the request's."""
    return bound_contextvars(request_id=plain.cycle.scope["state"]["request_id"])


@lru_cache(maxsize=64)
def _full(retry_after: int) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    response = answer_to(QueueFull(retry_after))
    return response.status_code, response.raw_headers, bytes(response.body)


def _refusal(plain: Plain, error: Exception) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    with _of(plain):
        response = answer_to(error)
    return response.status_code, response.raw_headers, bytes(response.body)
