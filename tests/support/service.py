"""The server as a process: it is started, receives requests over HTTP, and is ended by its pid."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from app.middleware import key_file
from tests.support.fork_server import ForkedProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WAIT_SECONDS = 120.0
"""Seconds after which a wait fails; on an idle machine nothing takes a twentieth of it."""


@dataclass
class Server:
    """A running server; ``lines``: those that it has written to stderr."""

    process: ForkedProcess | subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    url: str = ""

    @property
    def host(self) -> str:
        return self.url.partition("://")[2].rpartition(":")[0]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=WAIT_SECONDS, verify=False)

    def post(self, path: str, json: object) -> httpx.Response:
        return httpx.post(self.url + path, json=json, timeout=WAIT_SECONDS, verify=False)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait_for_exit(self) -> int:
        """Wait for the exit code."""
        return self.process.wait(WAIT_SECONDS)


def docket_environment(settings: dict[str, object]) -> dict[str, str]:
    """Return this environment with no settings but ``settings``, whose names have no prefix, and one worker."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DOCKET_")}
    environment |= {"OMP_NUM_THREADS": "1", "DOCKET_WORKERS": "1"}
    return environment | {f"DOCKET_{name.upper()}": str(value) for name, value in settings.items()}


def run_docket(
    *arguments: object, stdin: bytes | None = None, **settings: object
) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "docket", *map(str, arguments)],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        timeout=WAIT_SECONDS,
        env=docket_environment(settings),
        check=False,
    )


@contextmanager
def running_server(
    artifact: Path, *options: str, fault: str = "", new_interpreter: bool = False, **settings: object
) -> Iterator[Server]:
    """Run ``docket serve`` on a free port. ``fault`` breaks its network: see ``tests.support.faults``.

    ``new_interpreter``: start an interpreter, which takes seconds longer than a copy of a prepared process.
    """
    module, first = ("tests.support.faults", [fault]) if fault else ("docket", [])
    arguments = [*first, "serve", str(artifact), "--port", "0", *options]
    environment = docket_environment(settings)
    workers = options[options.index("--workers") + 1] if "--workers" in options else environment["DOCKET_WORKERS"]
    command = [sys.executable, "-m", module, *arguments]
    with (
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        if new_interpreter
        else ForkedProcess(module, arguments, environment, shares_metrics=workers != "1")
    ) as process:
        server, reader = Server(process), None
        try:
            assert process.stderr is not None
            server.lines.append(process.stderr.readline())
            found = re.search(r"https?://\S+", server.lines[0])
            if found is None:
                _end(process)
                raise AssertionError(f"no address in {''.join([*server.lines, *process.stderr])}")
            server.url = found[0]
            reader = threading.Thread(target=server.lines.extend, args=[process.stderr])
            reader.start()
            _wait_until_ready(server)
            yield server
        finally:
            _end(process)
            if reader is not None:
                reader.join(WAIT_SECONDS)


def write_key_file(path: Path, *names: str) -> list[str]:
    """Write a file of new keys, and return the keys."""
    keys = [key_file.make(name) for name in names]
    path.write_text("# keys of the tests\n\n" + "".join(f"{line}\n" for _, line in keys))
    return [key for key, _ in keys]


def _wait_until_ready(server: Server) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while server.process.poll() is None and time.monotonic() < until:
        try:
            if server.get("/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.02)  # the server does not listen yet
    raise AssertionError(f"the server did not become ready: {''.join(server.lines)}")


def _end(process: ForkedProcess | subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(WAIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def read_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """Return the problem document (RFC 9457) of a failure, after a check of its form."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert {"type", "title", "status", "detail"} <= problem.keys()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert "\n" not in problem["detail"]
    return problem


def metric_value(server: Server, name: str, **labels: str) -> float:
    """Return the sum of a metric's samples that have these labels."""
    families = list(text_string_to_metric_families(server.get("/metrics").text))
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition of another process, which sets no event in this one."""
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < end, "the condition never became true"
        time.sleep(0.01)
