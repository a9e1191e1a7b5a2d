"""The service on a GPU for ``benchmarks.gpu``: under load, during a change of version, and without free memory."""

from __future__ import annotations

import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from model.artifacts import registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.gpu import Size, Table

ROOT = Path(__file__).parent.parent
NEEDED = ("fastapi", "httptools", "prometheus_client", "pydantic", "structlog", "uvicorn", "uvloop")
TIMEOUT_SECONDS = 90.0
"""Limit in seconds on the start of the service and on an answer."""


def measure(table: Table, folder: Path, device: str, texts: Sequence[str], size: Size) -> None:
    """Serve a folder of versions, and add the results to the table."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        table.add("the service", f"left out: {', '.join(missing)} not installed here")
        return
    with serving(folder, device) as (port, lines):
        load = Load(port, texts, size.connections)
        load.run(size.load_seconds)
        table.add(
            f"the service: requests/s of {size.connections} connections; p50 and p99 in ms", load.summary(),
            right=load.all_answered,
        )  # fmt: skip
        version = ask(port, "GET", "/health")[1]["version"]
        load = Load(port, texts, size.connections)
        names = [path.name for path in sorted(folder.iterdir()) if path.is_dir()]
        threading.Timer(size.load_seconds / 4, registry.write_pointer, [folder, names[0]]).start()
        load.run(size.load_seconds)
        until = time.monotonic() + TIMEOUT_SECONDS
        while ask(port, "GET", "/health")[1]["version"] == version and time.monotonic() < until:
            time.sleep(0.2)
        changed = ask(port, "GET", "/health")[1]["version"] != version
        table.add("the same while another version is promoted", load.summary(), right=load.all_answered and changed)
        if device == "cuda":
            without_memory(table, port, texts)
    failed = [line for line in lines if "error" in line.lower() and "memory" not in line]
    table.add("the service's log: lines with an error", str(len(failed)), right=not failed)


class Load:
    """Threads that post documents in a closed loop."""

    def __init__(self, port: int, texts: Sequence[str], connections: int) -> None:
        self._port, self._texts, self._connections = port, texts, connections
        self._number = count()
        self.took: list[float] = []
        self.statuses: list[int] = []
        self.seconds = 0.0

    def run(self, seconds: float) -> None:
        """Post for the given time."""
        began = time.monotonic()
        threads = [
            threading.Thread(target=self._post, args=[began + seconds], daemon=True) for _ in range(self._connections)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(seconds + TIMEOUT_SECONDS)
        self.seconds = time.monotonic() - began

    @property
    def all_answered(self) -> bool:
        """Whether every request was answered with 200."""
        return bool(self.statuses) and set(self.statuses) == {200}

    def summary(self) -> str:
        """Requests/s, p50, p99, and the number of unanswered requests."""
        lost = sum(status != 200 for status in self.statuses)
        ordered = sorted(self.took) or [0.0]
        p50, p99 = statistics.median(ordered), ordered[int(0.99 * (len(ordered) - 1))]
        return f"{len(self.took) / self.seconds:,.0f}; {p50:.1f}, {p99:.1f}{f'; {lost} not answered' if lost else ''}"

    def _post(self, until: float) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_SECONDS)
        while time.monotonic() < until:
            body = json.dumps({"text": self._texts[next(self._number) % len(self._texts)], "top_k": 1})
            began = time.perf_counter()
            try:
                connection.request("POST", "/predict", body, {"content-type": "application/json"})
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                self.statuses.append(0)
                connection.close()
                continue
            self.statuses.append(answer.status)
            self.took.append(1_000 * (time.perf_counter() - began))
        connection.close()


def without_memory(table: Table, port: int, texts: Sequence[str]) -> None:
    """A large batch is answered while the GPU is full, and one document with 200 afterwards."""
    body = json.dumps({"documents": [{"text": text} for text in texts[:1_000]], "top_k": 1})
    ballast = fill_memory()
    began = time.perf_counter()
    status, _ = ask(port, "POST", "/predict/batch", body)
    seconds = time.perf_counter() - began
    ballast.clear()
    torch.cuda.empty_cache()
    until = time.monotonic() + TIMEOUT_SECONDS
    one = json.dumps({"text": texts[0]})
    while (last_status := ask(port, "POST", "/predict", one)[0]) != 200 and time.monotonic() < until:
        time.sleep(0.2)
    found = f"{status} after {seconds:.1f} s, then {last_status}"
    table.add("the service with memory full: status of 1,000 documents", found, right=last_status == 200)


def fill_memory() -> list[torch.Tensor]:
    """Allocate all memory of the GPU except a few hundred kilobytes."""
    torch.cuda.empty_cache()
    tensors, size = [], torch.cuda.mem_get_info()[0]
    while size >= 2**21:
        try:
            tensors.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
        except RuntimeError:
            size //= 2
    return tensors


def ask(port: int, method: str, path: str, body: str | None = None) -> tuple[int, Any]:
    """The status and the JSON of an answer; raises ``OSError`` without an answer in time."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request(method, path, body, {"content-type": "application/json"} if body else {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@contextmanager
def serving(folder: Path, device: str) -> Iterator[tuple[int, list[str]]]:
    """Run ``docket serve``; yield its port and the list of its log lines."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DOCKET_")}
    environment |= {
        "DOCKET_DEVICE": device,
        "DOCKET_WORKERS": "1",
        "PYTHONWARNINGS": "ignore:Failed to initialize NumPy",
    }
    command = [sys.executable, "-m", "docket", "serve", str(folder), "--port", "0"]
    lines: list[str] = []
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                lines.append(line)
                if found := re.search(r"http://[\d.]+:(\d+)", line):
                    break
            else:
                raise RuntimeError(f"the service did not start: {''.join(lines)}")
            threading.Thread(target=lines.extend, args=[process.stderr], daemon=True).start()
            port, until = int(found[1]), time.monotonic() + TIMEOUT_SECONDS
            while ask(port, "GET", "/health/ready")[0] != 200 and time.monotonic() < until:
                time.sleep(0.05)
            yield port, lines
        finally:
            process.terminate()
            process.wait(TIMEOUT_SECONDS)
