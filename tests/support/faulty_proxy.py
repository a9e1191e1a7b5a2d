"""A real HTTP server before the service: it passes requests on, except those that it turns away, drops or keeps."""

from __future__ import annotations

import http.client
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Fault(Enum):
    """What may become of a request instead of an answer."""

    DROP = auto()  # the connection, without an answer
    DROP_ANSWERED = auto()  # the same, but the service has done its work
    KEEP = auto()  # say nothing until the client leaves


@dataclass(frozen=True)
class Reply:
    """An answer of its own."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def problem(cls, status: int, detail: str, **headers: str) -> Reply:
        """A failure as the service tells it."""
        told = {"type": "about:blank", "title": "A title", "status": status, "detail": detail}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, json.dumps(told).encode(), {"content-type": "application/problem+json"} | named)


@dataclass
class Request:
    """One that came; ``answered``: with success."""

    path: str
    headers: dict[str, str]
    body: bytes
    answered: bool = False

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


@dataclass
class Gate:
    """What came, how many at once at the most, and how many clients left without an answer."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    left: int = 0
    most: int = 0
    inside: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def running_proxy(
    service: str, decide: Callable[[int, Request], Fault | Reply | None] = lambda *_: None
) -> Iterator[Gate]:
    """On a free port, before ``service``; ``decide`` says what becomes of the nth request."""
    found = Gate()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            self.behind = http.client.HTTPConnection(service.removeprefix("http://"), timeout=60)

        def finish(self) -> None:
            self.behind.close()
            super().finish()

        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.path, headers, self.rfile.read(int(headers.get("content-length", 0))))
            with found.lock:
                number = len(found.requests)
                found.requests.append(request)
                found.inside += 1
                found.most = max(found.most, found.inside)
            try:
                self._answer(request, decide(number, request))
            finally:
                with found.lock:
                    found.inside -= 1

        def do_GET(self) -> None:
            self.do_POST()

        def _answer(self, request: Request, fault: Fault | Reply | None) -> None:
            if fault in (None, Fault.DROP_ANSWERED):
                self.behind.request(self.command, self.path, request.body, {"content-type": "application/json"})
                response = self.behind.getresponse()
                told = {name: value for name, value in response.getheaders() if name.lower() == "content-type"}
                reply = Reply(response.status, response.read(), told)
            if isinstance(fault, Fault):
                self.close_connection = True
                if fault is Fault.KEEP and not self.rfile.read(1):
                    with found.lock:
                        found.left += 1
                return
            self._write(fault or reply)
            request.answered = (fault or reply).status == 200

        def _write(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

    with _Server(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that its end waits for its connections'
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client may leave while it is answered."""
