"""Several workers behind one socket."""

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
from functools import partial
from pathlib import Path

import pytest

from app.server.worker import RESTART_INTERVAL_SECONDS
from tests.support.processes import child_pids, is_alive, wait_until_both_serve, worker_pids
from tests.support.service import WAIT_SECONDS, Server, docket_environment, run_docket, running_server, wait_until

pytestmark = pytest.mark.slow
REPLACED = "another takes its place"


@pytest.fixture
def pair(artifact: Path) -> Iterator[Server]:
    """A service with two workers that both serve."""
    with running_server(artifact, "--workers", "2", head_timeout=WAIT_SECONDS, log="json") as server:
        wait_until_both_serve(server)
        yield server


def has_line(server: Server, part: str) -> bool:
    return any(part in line for line in server.lines)


def is_reaped(pid: int) -> bool:
    """Whether a process has ended with all its threads: until then it holds its connections open."""
    return not Path(f"/proc/{pid}").exists()


def test_a_killed_worker_is_replaced_at_once_and_its_replacement_some_seconds_later(pair: Server) -> None:
    killed, survivor = worker_pids(pair)
    for _ in range(2):
        os.kill(killed, signal.SIGKILL)
        wait_until(partial(is_reaped, killed))
        for _ in range(4):
            assert pair.post("/predict", {"text": "the late goal"}).status_code == 200
        line = f"process {killed} ended with -9, {REPLACED}"
        wait_until(partial(has_line, pair, line))
        (killed,) = set(worker_pids(pair)) - {survivor}
    lines = [json.loads(line) for line in pair.lines if REPLACED in line]
    assert {(line["level"], line["code"]) for line in lines} == {("warning", -9)}
    first, second = (datetime.fromisoformat(line["timestamp"]) for line in lines)
    assert (second - first).total_seconds() >= RESTART_INTERVAL_SECONDS - 0.1


def test_a_worker_that_receives_no_connections_gets_no_more(pair: Server) -> None:
    stopped, _ = worker_pids(pair)
    os.kill(stopped, signal.SIGSTOP)
    try:
        answers = [is_answered(pair) for _ in range(6)]
    finally:
        os.kill(stopped, signal.SIGCONT)
    assert answers.count(True) >= 5, "one connection is sent to it before it falls behind"


def is_answered(server: Server) -> bool:
    """Whether a new connection gets an answer."""
    with socket.create_connection((server.host, server.port), timeout=3) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
        try:
            return connection.recv(12) == b"HTTP/1.1 200"
        except TimeoutError:
            return False


def test_workers_end_when_the_supervisor_is_killed(pair: Server) -> None:
    pids = worker_pids(pair)
    pair.process.kill()
    wait_until(lambda: not any(map(is_alive, pids)))
    assert not has_line(pair, "Traceback")


@pytest.mark.parametrize(("stopped", "connections"), [(1, 0), (2, 900)])
def test_stopped_workers_and_waiting_connections_do_not_outlast_the_grace_time(
    artifact: Path, stopped: int, connections: int
) -> None:
    with running_server(artifact, "--workers", "2", grace=1) as server, ExitStack() as stack:
        pids = worker_pids(server)[:stopped]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        for _ in range(connections):
            stack.enter_context(socket.create_connection((server.host, server.port), timeout=WAIT_SECONDS))
        server.terminate()
        assert server.wait_for_exit() == 0
    assert all(has_line(server, f"process {pid} did not end in time") for pid in pids)


FAILING_FORK = """
import os
fork, copies = os.fork, []
def fork_if_there_is_room():
    if {is_full}:
        raise BlockingIOError(11, "no room")
    copies.append(1)
    return fork()
os.fork = fork_if_there_is_room
"""
"""The first copy of the process checks the artifact, the next ones are workers."""


def run_at_start(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Have the interpreter of ``docket serve`` run ``code`` first."""
    (folder / "sitecustomize.py").write_text(f"import sys\nif 'serve' in sys.orig_argv:\n    exec({code!r})\n")
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_a_replacement_without_room_or_artifact_is_tried_again_while_the_other_worker_answers(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, full = Path(shutil.copytree(artifact, tmp_path / "artifact")), tmp_path / "full"
    run_at_start(tmp_path, monkeypatch, FAILING_FORK.format(is_full=f"os.path.exists({str(full)!r})"))
    with running_server(folder, "--workers", "2", new_interpreter=True, head_timeout=WAIT_SECONDS) as server:
        wait_until_both_serve(server)
        killed, survivor = worker_pids(server)
        full.touch()
        vocabulary = (folder / "vocabulary.json").rename(tmp_path / "vocabulary.json")
        os.kill(killed, signal.SIGKILL)
        wait_until(partial(has_line, server, "no process can be started"))
        assert server.post("/predict", {"text": "the late goal"}).status_code == 200
        full.unlink()
        wait_until(partial(has_line, server, "has no vocabulary.json"))
        assert server.post("/predict", {"text": "the late goal"}).status_code == 200
        wait_until(partial(has_line, server, "ended with 3, another"))
        vocabulary.rename(folder / "vocabulary.json")
        wait_until_both_serve(server)
        assert survivor in worker_pids(server)


@pytest.mark.parametrize("copies", [0, 1])
def test_a_start_without_room_for_the_workers_is_refused_in_a_sentence(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copies: int
) -> None:
    run_at_start(tmp_path, monkeypatch, FAILING_FORK.format(is_full=f"len(copies) >= {copies}"))
    result = run_docket("serve", artifact, "--port", "0", "--workers", "2")
    assert result.returncode == 2
    assert b"workers cannot be started" in result.stderr
    assert b"give more memory" in result.stderr
    assert b"Traceback" not in result.stderr


def test_a_kill_during_the_check_of_the_artifact_is_reported_in_one_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "manifest.json")  # its reader waits
    command = [sys.executable, "-m", "docket", "serve", str(tmp_path), "--port", "0", "--workers", "2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=docket_environment({})) as process:
        wait_until(lambda: len(child_pids(process.pid)) == 1)
        (copy,) = child_pids(process.pid)
        os.kill(copy, signal.SIGKILL)
        _, stderr = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 2
    assert stderr.count("\n") == 1
    assert "more memory" in stderr


def test_the_service_ends_with_a_reason_if_no_worker_can_start(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of the artifact disappears between the check and the start of the workers."""
    folder = Path(shutil.copytree(artifact, tmp_path / "artifact"))
    away = f"len(copies) == 1 and os.rename({str(folder / 'model.pt')!r}, {str(tmp_path / 'away')!r})"
    run_at_start(tmp_path, monkeypatch, FAILING_FORK.format(is_full=away))
    result = run_docket("serve", folder, "--port", "0", "--workers", "2")
    assert result.returncode == 3
    assert b"model.pt" in result.stderr


def test_a_service_of_one_worker_imports_no_supervisor() -> None:
    code = "import sys, app.server.serve, app.server.http_server; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    modules = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS, check=True).stdout.split()
    assert "app.server.http_server" in modules
    assert not {"app.server.supervisor", "app.server.worker"} & set(modules)
