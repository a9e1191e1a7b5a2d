"""Several processes behind one socket."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pytest

from app.server.supervisor import AGAIN
from tests.support.processes import (
    child_pids,
    command_line_of,
    forkserver_child_pids,
    is_alive,
    wait_until_both_serve,
    worker_pids,
)
from tests.support.service import WAIT_SECONDS, Server, docket_environment, run_docket, running_server, wait_until


@pytest.fixture
def pair(artifact: Path) -> Iterator[Server]:
    with running_server(
        artifact, "--workers", "2", head_timeout=WAIT_SECONDS
    ) as running:  # a connection may wait in silence
        wait_until_both_serve(running)
        yield running


def test_connections_are_dealt_out_evenly(pair: Server) -> None:
    wait_until_both_serve(pair)


def test_a_process_that_is_killed_is_replaced_and_the_others_answer_meanwhile(pair: Server) -> None:
    first, second = worker_pids(pair)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(worker_pids(pair)) == 2 and first not in worker_pids(pair))
    for _ in range(8):
        answer = pair.post("/predict", {"text": "the late goal"})
        assert answer.status_code == 200, answer.text
    assert second in worker_pids(pair), pair.lines
    told = f"process {first} ended with -9, another takes its place"
    wait_until(lambda: any(told in line for line in pair.lines))


def test_a_process_that_takes_no_connections_in_gets_no_more(pair: Server) -> None:
    stopped, _ = worker_pids(pair)
    os.kill(stopped, signal.SIGSTOP)
    try:
        answered = [asked(pair) for _ in range(6)]
    finally:
        os.kill(stopped, signal.SIGCONT)
    assert answered.count(True) >= 5, "one is given to it before it is known that it takes none"


def asked(server: Server) -> bool:
    """Whether a connection of its own gets an answer."""
    with socket.create_connection((server.host, server.port), timeout=WAIT_SECONDS) as connection:
        connection.settimeout(3)
        connection.sendall(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
        try:
            return connection.recv(12) == b"HTTP/1.1 200"
        except TimeoutError:
            return False


def test_the_service_ends_soon_after_its_grace_time_although_a_process_is_stopped(artifact: Path) -> None:
    with running_server(artifact, "--workers", "2", grace=1) as server:
        stopped, *_ = worker_pids(server)
        os.kill(stopped, signal.SIGSTOP)
        server.terminate()
        assert server.wait_for_exit() == 0
    assert any(f"process {stopped} did not end in time" in line for line in server.lines)


def test_the_service_ends_although_connections_wait_that_no_process_takes(artifact: Path) -> None:
    with running_server(artifact, "--workers", "2", grace=1) as server, ExitStack() as stack:
        wait_until(lambda: len(worker_pids(server)) == 2)
        for stopped in worker_pids(server):
            os.kill(stopped, signal.SIGSTOP)
        for _ in range(900):
            stack.enter_context(socket.create_connection((server.host, server.port), timeout=WAIT_SECONDS))
        server.terminate()
        assert server.wait_for_exit() == 0


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
    with running_server(artifact, "--workers", "2", head_timeout=WAIT_SECONDS) as server:
        wait_until_both_serve(server)
        full.touch()
        os.kill(worker_pids(server)[0], signal.SIGKILL)
        wait_until(lambda: any("no process can be started" in line for line in server.lines))
        assert server.post("/predict", {"text": "the late goal"}).status_code == 200
        full.unlink()  # the process that all are copies of has ended with it, and so both are replaced
        wait_until(lambda: "".join(server.lines).count("another takes its place") == 2)
        wait_until_both_serve(server)


def test_where_there_is_no_room_for_a_first_process_a_sentence_says_so(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_the_start_of_what_is_copied(tmp_path, monkeypatch, NO_ROOM.format(when="forked"))
    ended = run_docket("serve", artifact, "--port", "0", "--workers", "2")
    assert ended.returncode == 2
    assert b"2 workers cannot be started" in ended.stderr


def test_processes_end_when_the_one_that_started_them_is_killed(pair: Server) -> None:
    started = worker_pids(pair)
    pair.process.kill()
    wait_until(lambda: not any(is_alive(pid) for pid in started))
    assert "Traceback" not in "".join(pair.lines)


def test_a_process_that_cannot_be_replaced_is_tried_again_while_the_others_answer(
    artifact: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(artifact, tmp_path / "artifact"))
    with running_server(folder, "--workers", "2", head_timeout=WAIT_SECONDS) as server:
        wait_until_both_serve(server)
        first, second = worker_pids(server)
        away = (folder / "vocabulary.json").rename(tmp_path / "vocabulary.json")
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: any("ended with 3, another" in line for line in server.lines))
        assert server.post("/predict", {"text": "the late goal"}).status_code == 200
        away.rename(folder / "vocabulary.json")
        wait_until_both_serve(server)
        assert second in worker_pids(server)
        assert any("has no vocabulary.json" in line for line in server.lines)


def test_a_process_that_is_killed_while_it_tries_the_artifact_is_told_in_one_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "manifest.json")  # who reads it waits
    command = [sys.executable, "-m", "docket", "serve", str(tmp_path), "--port", "0", "--workers", "2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=docket_environment({})) as process:
        wait_until(lambda: len(forkserver_child_pids(process.pid)) == 1)
        os.kill(forkserver_child_pids(process.pid)[0], signal.SIGKILL)
        _, told = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 2
    assert told.count("\n") == 1
    assert "more memory" in told


def test_the_service_ends_although_the_process_that_workers_are_copies_of_is_stopped(artifact: Path) -> None:
    """It does not learn then that a worker has ended, and can start no other."""
    with running_server(artifact, "--workers", "2", grace=1) as server:
        (stopped,) = [pid for pid in child_pids(server.process.pid) if b"forkserver" in command_line_of(pid)]
        os.kill(stopped, signal.SIGSTOP)
        try:
            os.kill(worker_pids(server)[0], signal.SIGKILL)
            server.terminate()
            assert server.wait_for_exit() == 0
        finally:
            os.kill(stopped, signal.SIGCONT)
    wait_until(lambda: not is_alive(stopped))


def test_a_process_that_ends_soon_after_its_start_is_not_replaced_at_once(artifact: Path) -> None:
    with running_server(artifact, "--workers", "2", head_timeout=WAIT_SECONDS, log="json") as server:
        wait_until_both_serve(server)
        ends, stays = worker_pids(server)
        for count in (1, 2):
            os.kill(ends, signal.SIGKILL)
            wait_until(lambda count=count: "".join(server.lines).count("another takes its place") == count)
            wait_until(lambda: len(worker_pids(server)) == 2)
            (ends,) = set(worker_pids(server)) - {stays}
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
    ended = run_docket("serve", artifact, "--port", "0", "--workers", "2")
    assert ended.returncode == 3
    assert b"/nowhere" in ended.stderr
