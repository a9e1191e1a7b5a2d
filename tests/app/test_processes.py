"""Several processes behind one socket."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path

import pytest

from app.server.supervisor import AGAIN
from tests.app.served import PATIENCE, Server, docket, environment, served, until
from tests.app.test_drain import children


@pytest.fixture
def pair(artifact: Path) -> Iterator[Server]:
    with served(artifact, "--workers", "2", head_timeout=PATIENCE) as running:  # a connection may wait in silence
        until_both_serve(running)
        yield running


def connections(pid: int, port: int) -> int:
    """Open connections of a process to the port that it serves; none where it has ended."""
    inodes = set()
    with suppress(FileNotFoundError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # it was closed meanwhile
                inodes.add(str(link.readlink()))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    established = [row for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01"]
    return sum(f"socket:[{row[9]}]" in inodes for row in established)


def workers(server: Server) -> list[int]:
    """Its processes that serve."""
    return copies(server.process.pid)


def copies(parent: int) -> list[int]:
    """Processes that are copies of the one that has imported all they need."""
    return [pid for own in children(parent) if b"forkserver" in command(own) for pid in children(own)]


def command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def dealt(server: Server) -> list[int]:
    """How many of twenty connections each process that serves gets."""
    opened = [socket.create_connection((server.host, server.port), timeout=PATIENCE) for _ in range(20)]
    try:
        until(lambda: sum(connections(pid, server.port) for pid in workers(server)) == 20)
        return [connections(pid, server.port) for pid in workers(server)]
    finally:
        for each in opened:
            each.close()
        until(lambda: sum(connections(pid, server.port) for pid in workers(server)) == 0)


def until_both_serve(server: Server) -> None:
    """Ready it is with one: while the other starts, that one gets all connections; then they are dealt out evenly."""
    until(lambda: dealt(server) == [10, 10])


def test_connections_are_dealt_out_evenly(pair: Server) -> None:
    until_both_serve(pair)


def test_a_process_that_is_killed_is_replaced_and_the_others_answer_meanwhile(pair: Server) -> None:
    first, second = workers(pair)
    os.kill(first, signal.SIGKILL)
    until(lambda: len(workers(pair)) == 2 and first not in workers(pair))
    for _ in range(8):
        answer = pair.post("/predict", {"text": "the late goal"})
        assert answer.status_code == 200, answer.text
    assert second in workers(pair), pair.lines
    told = f"process {first} ended with -9, another takes its place"
    until(lambda: any(told in line for line in pair.lines))


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


def test_the_service_ends_soon_after_its_grace_time_although_a_process_is_stopped(artifact: Path) -> None:
    with served(artifact, "--workers", "2", grace=1) as server:
        stopped, *_ = workers(server)
        os.kill(stopped, signal.SIGSTOP)
        server.terminate()
        assert server.ended() == 0
    assert any(f"process {stopped} did not end in time" in line for line in server.lines)


def test_the_service_ends_although_connections_wait_that_no_process_takes(artifact: Path) -> None:
    with served(artifact, "--workers", "2", grace=1) as server, ExitStack() as stack:
        until(lambda: len(workers(server)) == 2)
        for stopped in workers(server):
            os.kill(stopped, signal.SIGSTOP)
        for _ in range(900):
            stack.enter_context(socket.create_connection((server.host, server.port), timeout=PATIENCE))
        server.terminate()
        assert server.ended() == 0


NO_ROOM = """
import os
fork, forked = os.fork, []
def fork_where_there_is_room():
    if {when}:
        raise BlockingIOError(11, "no room")
    forked.append(1)
    return fork()
os.fork = fork_where_there_is_room
"""
"""The first process that is forked tries the artifact."""


def at_the_start_of_what_is_copied(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Have the process that workers are copies of run ``code`` first."""
    (folder / "sitecustomize.py").write_text(
        f"import sys\nif 'forkserver' in ' '.join(sys.orig_argv):\n    exec({code!r})\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_a_process_that_there_is_no_room_for_is_tried_again_while_another_answers(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = tmp_path / "full"
    at_the_start_of_what_is_copied(tmp_path, monkeypatch, NO_ROOM.format(when=f"os.path.exists({str(full)!r})"))
    with served(artifact, "--workers", "2", head_timeout=PATIENCE) as server:
        until_both_serve(server)
        full.touch()
        os.kill(workers(server)[0], signal.SIGKILL)
        until(lambda: any("no process can be started" in line for line in server.lines))
        assert server.post("/predict", {"text": "the late goal"}).status_code == 200
        full.unlink()  # the process that all are copies of has ended with it, and so both are replaced
        until(lambda: "".join(server.lines).count("another takes its place") == 2)
        until_both_serve(server)


def test_where_there_is_no_room_for_a_first_process_a_sentence_says_so(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_the_start_of_what_is_copied(tmp_path, monkeypatch, NO_ROOM.format(when="forked"))
    ended = docket("serve", artifact, "--port", "0", "--workers", "2")
    assert ended.returncode == 2
    assert b"2 workers cannot be started" in ended.stderr


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


def test_a_process_that_cannot_be_replaced_is_tried_again_while_the_others_answer(
    artifact: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(artifact, tmp_path / "artifact"))
    with served(folder, "--workers", "2", head_timeout=PATIENCE) as server:
        until_both_serve(server)
        first, second = workers(server)
        away = (folder / "vocabulary.json").rename(tmp_path / "vocabulary.json")
        os.kill(first, signal.SIGKILL)
        until(lambda: any("ended with 3, another" in line for line in server.lines))
        assert server.post("/predict", {"text": "the late goal"}).status_code == 200
        away.rename(folder / "vocabulary.json")
        until_both_serve(server)
        assert second in workers(server)
        assert any("has no vocabulary.json" in line for line in server.lines)


def test_a_process_that_is_killed_while_it_tries_the_artifact_is_told_in_one_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "manifest.json")  # who reads it waits
    command = [sys.executable, "-m", "docket", "serve", str(tmp_path), "--port", "0", "--workers", "2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment({})) as process:
        until(lambda: len(copies(process.pid)) == 1)
        os.kill(copies(process.pid)[0], signal.SIGKILL)
        _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert told.count("\n") == 1
    assert "more memory" in told


def test_the_service_ends_although_the_process_that_workers_are_copies_of_is_stopped(artifact: Path) -> None:
    """It does not learn then that a worker has ended, and can start no other."""
    with served(artifact, "--workers", "2", grace=1) as server:
        (stopped,) = [pid for pid in children(server.process.pid) if b"forkserver" in command(pid)]
        os.kill(stopped, signal.SIGSTOP)
        try:
            os.kill(workers(server)[0], signal.SIGKILL)
            server.terminate()
            assert server.ended() == 0
        finally:
            os.kill(stopped, signal.SIGCONT)
    until(lambda: not alive(stopped))


def test_a_process_that_ends_soon_after_its_start_is_not_replaced_at_once(artifact: Path) -> None:
    with served(artifact, "--workers", "2", head_timeout=PATIENCE, log="json") as server:
        until_both_serve(server)
        ends, stays = workers(server)
        for count in (1, 2):
            os.kill(ends, signal.SIGKILL)
            until(lambda count=count: "".join(server.lines).count("another takes its place") == count)
            until(lambda: len(workers(server)) == 2)
            (ends,) = set(workers(server)) - {stays}
    first, second = [
        datetime.fromisoformat(json.loads(line)["timestamp"]).timestamp()
        for line in server.lines
        if "another takes its place" in line
    ]
    assert second - first >= AGAIN - 0.1


def test_where_no_process_can_start_the_service_ends_and_says_so(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The artifact goes between the parent's look at it and the processes'."""
    at_the_start_of_what_is_copied(tmp_path, monkeypatch, "import os; os.environ['DOCKET_ARTIFACT'] = '/nowhere'")
    ended = docket("serve", artifact, "--port", "0", "--workers", "2")
    assert ended.returncode == 3
    assert b"/nowhere" in ended.stderr
