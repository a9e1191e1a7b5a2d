"""Start a server, wait for it, measure its process tree, and end it."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parent.parent
READY, GRACE = 180.0, 15.0
"""Limits in seconds on the start and on the end of a server."""
TICKS = os.sysconf("SC_CLK_TCK")


class NotReady(RuntimeError):
    """The server does not answer; the message has its last log line."""


class Tree(NamedTuple):
    """A server on ``port`` of 127.0.0.1; ``root`` is the pid of its first process."""

    root: int
    port: int

    def processes(self) -> list[int]:
        """The pids of the first process and of its descendants."""
        found = [self.root]
        children: dict[int, list[int]] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended
                children.setdefault(int(_stat(folder.name)[1]), []).append(int(folder.name))
        for parent in found:
            found += children.get(parent, [])
        return found

    def cpu(self) -> float:
        """CPU seconds of the tree, with its ended children."""
        ticks = 0
        for process in self.processes():
            with contextlib.suppress(OSError):
                ticks += sum(map(int, _stat(str(process))[11:15]))
        return ticks / TICKS

    def memory(self) -> int:
        """Memory of the tree in bytes, with shared pages counted once (the sum of PSS)."""
        kibibytes = 0
        for process in self.processes():
            with contextlib.suppress(OSError):
                rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
                kibibytes += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        return kibibytes * 1024

    def ask(self, path: str, body: bytes) -> bytes:
        """The body of an answer with status 200; raises ``OSError`` or ``NotReady`` otherwise."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", path, body, {"content-type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()
        if answer.status != 200:
            raise NotReady(f"{answer.status}: {content[:200].decode(errors='replace')}")
        return content


@contextmanager
def serving(
    python: Path, module: str, artifact: Path, path: str, body: bytes, settings: Mapping[str, str] | None = None
) -> Iterator[Tree]:
    """Run ``python -m module artifact port`` once it answers ``body``; raises ``NotReady``.

    ``settings``: environment variables of the server.
    """
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        variables = {"OMP_NUM_THREADS": "1", "TMPDIR": folder, **(settings or {})}
        port, log = free_port(), Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [python, "-m", module, artifact, str(port)],
                cwd=ROOT,
                env=os.environ | variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        tree = Tree(process.pid, port)
        try:
            _until_ready(process, tree, path, body, log)
            yield tree
        finally:
            _end(process, tree)


def _until_ready(process: subprocess.Popen[bytes], tree: Tree, path: str, body: bytes, log: Path) -> None:
    last, limit = "", time.monotonic() + READY
    while time.monotonic() < limit and process.poll() is None:
        try:
            tree.ask(path, body)
        except (OSError, NotReady) as error:
            last = str(error)
            time.sleep(0.02)
        else:
            return
    written = log.read_text(errors="replace").strip().splitlines()
    raise NotReady(f"{written[-1] if written else 'it wrote nothing'} ({last})")


def _end(process: subprocess.Popen[bytes], tree: Tree) -> None:
    """Send SIGTERM to the process, then SIGKILL to the remaining processes of its group and its tree."""
    descendants = {process: _begin(process) for process in tree.processes()[1:]}
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for descendant, begin in descendants.items():
        with contextlib.suppress(ProcessLookupError):
            if begin and _begin(descendant) == begin:  # the pid still belongs to this process
                os.kill(descendant, signal.SIGKILL)
    process.wait(GRACE)


def _begin(process: int) -> str:
    """Start time of a process in ticks since boot; empty if the process has ended."""
    try:
        return _stat(str(process))[19]
    except OSError:
        return ""


def _stat(process: str) -> list[str]:
    """The fields of /proc/PID/stat from the state on; the name before it may contain spaces."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
