"""A server as a tree of processes: started, waited for, measured from outside, ended."""

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
"""Seconds that a server may take until it answers, and to end."""
TICKS = os.sysconf("SC_CLK_TCK")


class NotReady(RuntimeError):
    """A server that does not answer; says the last that it wrote."""


class Tree(NamedTuple):
    """A server that listens on ``port`` of 127.0.0.1; ``root`` is the process that was started."""

    root: int
    port: int

    def processes(self) -> list[int]:
        """The ids of the process and of all that descend from it."""
        found = [self.root]
        children: dict[int, list[int]] = {}
        for own in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended
                children.setdefault(int(_stat(own.name)[1]), []).append(int(own.name))
        for parent in found:
            found += children.get(parent, [])
        return found

    def cpu(self) -> float:
        """Seconds of CPU that the tree has used, its ended children included."""
        ticks = 0
        for process in self.processes():
            with contextlib.suppress(OSError):
                ticks += sum(map(int, _stat(str(process))[11:15]))
        return ticks / TICKS

    def memory(self) -> int:
        """Bytes that the tree holds, a page that processes share counted once (the sum of their PSS)."""
        held = 0
        for process in self.processes():
            with contextlib.suppress(OSError):
                rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
                held += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        return held * 1024

    def ask(self, path: str, body: bytes) -> bytes:
        """What the server answers with status 200; raises ``OSError`` or ``NotReady`` otherwise."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", path, body, {"content-type": "application/json"})
            answer = connection.getresponse()
            said = answer.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()
        if answer.status != 200:
            raise NotReady(f"{answer.status}: {said[:200].decode(errors='replace')}")
        return said


@contextmanager
def serving(
    python: Path, module: str, artifact: Path, path: str, body: bytes, settings: Mapping[str, str] | None = None
) -> Iterator[Tree]:
    """``python -m module artifact port``, from the moment when it answers ``body`` on; raises ``NotReady``.

    ``settings``: variables of its environment.
    """
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        own = {"OMP_NUM_THREADS": "1", "TMPDIR": folder, **(settings or {})}
        port, log = free_port(), Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [python, "-m", module, artifact, str(port)],
                cwd=ROOT,
                env=os.environ | own,
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
    """SIGTERM to the process, then SIGKILL to what is left of its group and of its tree."""
    descendants = {process: _begin(process) for process in tree.processes()[1:]}
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for descendant, begin in descendants.items():
        with contextlib.suppress(ProcessLookupError):
            if begin and _begin(descendant) == begin:  # its id is still its own
                os.kill(descendant, signal.SIGKILL)
    process.wait(GRACE)


def _begin(process: int) -> str:
    """When a process began, in ticks since the machine did; empty of one that has ended."""
    try:
        return _stat(str(process))[19]
    except OSError:
        return ""


def _stat(process: str) -> list[str]:
    """The fields of /proc/…/stat from the process' state on: a name may have spaces and brackets."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
