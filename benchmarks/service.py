"""Start a server, wait for it, send it requests, measure its process tree, and end it. It needs Linux."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from model.artifacts import registry
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parent.parent
DEMO, SECOND = ROOT / "artifacts" / "demo", ROOT / "artifacts" / "second"
VERSIONS = ("one", "two")
DOCKET = "benchmarks.servers.docket"
FIRST_BODY = json.dumps({"text": "ready?"}).encode()
START_SECONDS, END_SECONDS, ANSWER_SECONDS = 180.0, 15.0, 180.0
"""Limits on the start of a server, on its end, and on an answer."""
TICKS = os.sysconf("SC_CLK_TCK")


class NotReady(RuntimeError):
    """The server does not start; the message has its last log line."""


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
                children.setdefault(int(_stat(int(folder.name))[1]), []).append(int(folder.name))
        for parent in found:
            found += children.get(parent, [])
        return found

    def cpu(self) -> float:
        """CPU seconds of the tree, with its ended children."""
        ticks = 0
        for process in self.processes():
            with contextlib.suppress(OSError):
                ticks += sum(map(int, _stat(process)[11:15]))
        return ticks / TICKS

    def memory(self) -> int:
        """Memory of the tree in bytes, with shared pages counted once (the sum of PSS)."""
        kibibytes = 0
        for process in self.processes():
            with contextlib.suppress(OSError):
                rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
                kibibytes += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        return kibibytes * 1024

    def send(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Return the status and the body of an answer; raise ``OSError`` where there is none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        try:
            connection.request(method, path, body, {"content-type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as error:
            raise OSError(repr(error)) from error
        finally:
            connection.close()

    def post(self, path: str, body: bytes) -> bytes:
        """Return the body of an answer with status 200; raise ``OSError`` otherwise."""
        status, content = self.send("POST", path, body)
        if status != 200:
            raise OSError(f"{status}: {content[:200].decode(errors='replace')}")
        return content


@contextmanager
def running(
    artifact: Path,
    module: str = DOCKET,
    python: str | Path = sys.executable,
    path: str = "/predict",
    body: bytes = FIRST_BODY,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Tree]:
    """Run ``python -m module artifact port`` and yield it once it answers ``body``; raises ``NotReady``.

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
            _wait_until_ready(process, tree, path, body, log)
            yield tree
        finally:
            _end(process, tree)


@contextmanager
def two_versions() -> Iterator[Path]:
    """Yield a folder of two versions, the first one current. Train the second if it does not exist."""
    if not SECOND.exists():
        command = [sys.executable, "-m", "docket", "train", "--seed", "1", "--epochs", "1", "--out", str(SECOND)]
        subprocess.run(command, cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        for link, artifact in zip(VERSIONS, (DEMO, SECOND), strict=True):
            (folder / link).symlink_to(artifact)
        registry.write_pointer(folder, VERSIONS[0])
        yield folder


def _wait_until_ready(process: subprocess.Popen[bytes], tree: Tree, path: str, body: bytes, log: Path) -> None:
    reason, limit = "", time.monotonic() + START_SECONDS
    while time.monotonic() < limit and process.poll() is None:
        try:
            tree.post(path, body)
        except OSError as error:
            reason = str(error)
            time.sleep(0.02)
        else:
            return
    lines = log.read_text(errors="replace").strip().splitlines()
    raise NotReady(f"{lines[-1] if lines else 'it wrote nothing'} ({reason})")


def _end(process: subprocess.Popen[bytes], tree: Tree) -> None:
    """Send SIGTERM to the process, then SIGKILL to the remaining processes of its group and its tree."""
    with contextlib.ExitStack() as descriptors:
        descendants = []
        for descendant in tree.processes()[1:]:
            with contextlib.suppress(ProcessLookupError):  # a descriptor, since a pid may be used again
                descendants.append(os.pidfd_open(descendant))
                descriptors.callback(os.close, descendants[-1])
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for descriptor in descendants:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        process.wait(END_SECONDS)


def _stat(process: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; the name before it may contain spaces."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
