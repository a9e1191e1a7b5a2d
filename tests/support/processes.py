"""Processes of a running service, as /proc shows them."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.service import WAIT_SECONDS, Server, wait_until


def child_pids(pid: int) -> set[int]:
    """The processes that a process has started."""
    if not Path("/proc/self").exists():
        pytest.skip("needs /proc")
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def count_connections(pid: int, port: int) -> int:
    """Open connections of a process to the port that it serves; none where it has ended."""
    inodes = set()
    with suppress(FileNotFoundError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # the file is closed already
                inodes.add(str(link.readlink()))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    established = [row for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01"]
    return sum(f"socket:[{row[9]}]" in inodes for row in established)


def worker_pids(server: Server) -> list[int]:
    """The worker processes of a service with several workers."""
    return sorted(child_pids(server.process.pid))


def connections_per_worker(server: Server) -> list[int]:
    """How many of twenty new connections each worker gets."""

    def count() -> list[int]:
        return [count_connections(pid, server.port) for pid in worker_pids(server)]

    connections = [socket.create_connection((server.host, server.port), timeout=WAIT_SECONDS) for _ in range(20)]
    try:
        wait_until(lambda: sum(count()) == 20)
        return count()
    finally:
        for connection in connections:
            connection.close()
        wait_until(lambda: sum(count()) == 0)


def wait_until_both_serve(server: Server) -> None:
    """A service is ready with one worker, which gets all connections. They are dealt evenly once both serve."""
    wait_until(lambda: connections_per_worker(server) == [10, 10])
