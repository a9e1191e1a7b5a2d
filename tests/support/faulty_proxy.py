"""An HTTP server in front of the service: it passes requests on, except those that it refuses, drops or holds."""

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
    """A fault in place of an answer."""

    DROP = auto()  # end the connection
    DROP_ANSWERED = auto()  # end the connection after the service has done its work
    KEEP = auto()  # send nothing until the client leaves


@dataclass(frozen=True)
class Reply:
    """An answer of the proxy."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def problem(cls, status: int, detail: str, **headers: str) -> Reply:
        """A problem document as the service writes it."""
        problem = {"type": "about:blank", "title": "A title", "status": status, "detail": detail}
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, json.dumps(problem).encode(), {"content-type": "application/problem+json"} | names)


@dataclass
class Request:
    """A request of a client; ``answered``: with status 200."""

    path: str
    headers: dict[str, str]
    body: bytes
    answered: bool = False

    @property
    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.body)


class Proxy(ThreadingHTTPServer):
    """Has the ``requests``, the largest number of concurrent ones (``most``), and how many clients ``left``."""

    daemon_threads = False  # so that its end waits for the connections
    request_queue_size = 128

    def __init__(self, service: str, decide: Callable[[int, Request], Fault | Reply | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service, self.decide = service.removeprefix("http://"), decide
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.lock = threading.Lock()
        self.requests: list[Request] = []
        self.left = self.most = self.active = 0

    def handle_error(self, request: object, client_address: object) -> None:
        """A client may leave before its answer."""


class _Handler(BaseHTTPRequestHandler):
    server: Proxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.service = http.client.HTTPConnection(self.server.service, timeout=60)

    def finish(self) -> None:
        self.service.close()
        super().finish()

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.path, headers, self.rfile.read(int(headers.get("content-length", 0))))
        proxy = self.server
        with proxy.lock:
            number = len(proxy.requests)
            proxy.requests.append(request)
            proxy.active += 1
            proxy.most = max(proxy.most, proxy.active)
        try:
            fault = proxy.decide(number, request)
            reply = fault if isinstance(fault, Reply) else None
            if fault in (None, Fault.DROP_ANSWERED):
                reply = self._ask_service(request)
            if isinstance(fault, Fault):
                self._fail(fault)
            elif reply is not None:
                self._write(reply)
                request.answered = reply.status == 200
        finally:
            with proxy.lock:
                proxy.active -= 1

    do_POST = do_GET  # noqa: N815  # the name that the library calls

    def _ask_service(self, request: Request) -> Reply:
        self.service.request(self.command, self.path, request.body, {"content-type": "application/json"})
        response = self.service.getresponse()
        headers = {name: value for name, value in response.getheaders() if name.lower() == "content-type"}
        return Reply(response.status, response.read(), headers)

    def _fail(self, fault: Fault) -> None:
        self.close_connection = True
        if fault is Fault.KEEP and not self.rfile.read(1):
            with self.server.lock:
                self.server.left += 1

    def _write(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)


@contextmanager
def running_proxy(
    service: str, decide: Callable[[int, Request], Fault | Reply | None] = lambda *_: None
) -> Iterator[Proxy]:
    """Run a proxy in front of ``service``; ``decide`` returns the fault or the answer of the nth request."""
    with Proxy(service, decide) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=[0.02])
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
