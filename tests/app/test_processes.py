"""Several processes behind one socket."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.app.served import PATIENCE, Server, docket, served, until
from tests.app.test_drain import children


@pytest.fixture
def pair(artifact: Path) -> Iterator[Server]:
    with served(artifact, "--workers", "2") as running:
        yield running


def connections(pid: int, port: int) -> int:
    """Open connections of a process to the port that it serves."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # it was closed meanwhile
            inodes.add(str(link.readlink()))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    established = [row for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01"]
    return sum(f"socket:[{row[9]}]" in inodes for row in established)


def workers(server: Server) -> list[int]:
    """Its processes that serve: copies of the one that has imported all they need."""
    return [pid for own in children(server.process.pid) if b"forkserver" in command(own) for pid in children(own)]


def command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_connections_are_dealt_out_evenly(pair: Server) -> None:
    """Once both are there: while one starts, the other gets all."""

    def dealt() -> list[int]:
        opened = [socket.create_connection((pair.host, pair.port), timeout=PATIENCE) for _ in range(20)]
        try:
            until(lambda: sum(connections(pid, pair.port) for pid in workers(pair)) == 20)
            return [connections(pid, pair.port) for pid in workers(pair)]
        finally:
            for each in opened:
                each.close()
            until(lambda: sum(connections(pid, pair.port) for pid in workers(pair)) == 0)

    until(lambda: dealt() == [10, 10])


def test_a_process_that_is_killed_is_replaced_and_the_others_answer_meanwhile(pair: Server) -> None:
    first, second = workers(pair)
    os.kill(first, signal.SIGKILL)
    until(lambda: len(workers(pair)) == 2 and first not in workers(pair))
    for _ in range(8):
        assert pair.post("/predict", {"text": "the late goal"}).status_code == 200
    assert second in workers(pair)
    assert any(f"process {first} ended with -9, another takes its place" in line for line in pair.lines)


def test_a_process_that_takes_no_connections_in_gets_no_more(pair: Server) -> None:
    stopped, _ = workers(pair)
    os.kill(stopped, signal.SIGSTOP)
    try:
        answered = [asked(pair) for _ in range(6)]
    finally:
        os.kill(stopped, signal.SIGCONT)
    assert answered.count(True) >= 5, "one is given to it before it is known that it takes none"


def asked(server: Server) -> bool:
    """Whether a connection of its own gets an answer."""
    with socket.create_connection((server.host, server.port), timeout=PATIENCE) as connection:
        connection.settimeout(3)
        connection.sendall(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
        try:
            return connection.recv(12) == b"HTTP/1.1 200"
        except TimeoutError:
            return False


def test_processes_end_when_the_one_that_started_them_is_killed(pair: Server) -> None:
    started = workers(pair)
    pair.process.kill()
    until(lambda: not any(alive(pid) for pid in started))
    assert "Traceback" not in "".join(pair.lines)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_where_a_process_cannot_start_the_service_ends_and_says_so(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The artifact goes between the parent's look at it and the processes'."""
    gone = tmp_path / "sitecustomize.py"
    gone.write_text(
        "import sys\nif 'forkserver' in ' '.join(sys.orig_argv):\n"
        "    import os\n    os.environ['DOCKET_ARTIFACT'] = '/nowhere'\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    ended = docket("serve", artifact, "--port", "0", "--workers", "2")
    assert ended.returncode == 3
    assert b"/nowhere" in ended.stderr
