"""A service whose network or event loop is unhealthy: its health answers, its exit, and its replacement.

The watchdog takes seconds to find a fault, so all servers run at once.
"""

import os
import re
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest

from app.inference import watchdog
from tests.support.processes import worker_pids
from tests.support.service import WAIT_SECONDS, Server, metric_value, read_problem, running_server, wait_until

pytestmark = pytest.mark.slow
TEXT = {"text": "the late goal"}
REPLACED = "ended with 70, another takes its place"


@dataclass
class Observation:
    """A server from the request that makes it unhealthy to its end.

    ``answer``: that of the request, None where the connection broke. ``health``: the statuses of ``/health/ready`` and
    ``/health/live``, read repeatedly over new connections.
    """

    answer: httpx.Response | None = None
    health: list[tuple[int, int]] = field(default_factory=list)
    log: str = ""
    exit_code: int | None = None


def observe(is_over: Callable[[Server], bool], body: object, server: Server) -> Observation:
    """Send the request, and read the health until the fault is over."""
    observation = Observation()
    with ThreadPoolExecutor() as pool:
        path = "/predict/batch" if "documents" in str(body) else "/predict"
        request = pool.submit(server.post, path, body)
        while not is_over(server):
            try:
                statuses = server.get("/health/ready").status_code, server.get("/health/live").status_code
            except httpx.TransportError:
                continue
            observation.health.append(statuses)
            time.sleep(0.05)
    if not isinstance(request.exception(), httpx.TransportError):
        observation.answer = request.result()
    return observation


def has_exited(server: Server) -> bool:
    return server.process.poll() is not None


def has_replaced_worker(server: Server) -> bool:
    return any(REPLACED in line for line in server.lines)


def observe_two_workers(server: Server) -> Observation:
    """Send four documents, each a batch; a network hangs in the second of them."""
    workers = set(worker_pids(server))
    observation = observe(has_replaced_worker, {"documents": [TEXT] * 4}, server)
    assert [server.post("/predict", TEXT).status_code for _ in range(10)] == [200] * 10
    wait_until(lambda: len(worker_pids(server)) == 2)
    assert len(workers & set(worker_pids(server))) == 1
    assert metric_value(server, "docket_waiting_documents") == 0
    return observation


def observe_stopped_process(server: Server) -> Observation:
    """Stop an idle process for longer than a thread may hang, and let it continue."""
    os.kill(server.process.pid, signal.SIGSTOP)
    time.sleep(watchdog.LOOP_TIMEOUT_SECONDS / 2)
    os.kill(server.process.pid, signal.SIGCONT)
    time.sleep(3)
    assert metric_value(server, "docket_batch_documents_count") == 0
    return Observation(server.post("/predict", TEXT))


@pytest.fixture(scope="module")
def observations(artifact: Path) -> dict[str, Observation]:
    """The observation of each fault."""
    with ExitStack() as stack:
        start = partial(running_server, artifact)
        runs: dict[str, tuple[Server, Callable[[Server], Observation]]] = {
            fault: (stack.enter_context(start(fault=fault)), partial(observe, has_exited, TEXT))
            for fault in ("hang@1", "hold@1", "spin@1", "cuda@1-")
        }
        runs["stopped"] = stack.enter_context(start()), observe_stopped_process
        two_workers = stack.enter_context(start("--workers", "2", fault="hang@2", batch_tokens=3))
        runs["two workers"] = two_workers, observe_two_workers
        pool = stack.enter_context(ThreadPoolExecutor())
        running = {fault: pool.submit(run, server) for fault, (server, run) in runs.items()}
        observations = {fault: future.result(2 * WAIT_SECONDS) for fault, future in running.items()}
    for fault, (server, _) in runs.items():
        observations[fault].exit_code, observations[fault].log = server.wait_for_exit(), "".join(server.lines[1:])
    return observations


def test_a_hanging_network_is_unready_and_then_ends_the_process_with_a_line_and_a_code(
    observations: dict[str, Observation],
) -> None:
    observation = observations["hang@1"]
    assert list(dict.fromkeys(observation.health))[:2] == [(200, 200), (503, 200)]
    stuck, exits, answered = observation.log.splitlines()
    assert stuck == "docket: warning: the network is stuck: no new requests should be sent here"
    assert exits == "docket: critical: the network has been stuck for 10 s: this process ends with code 70"
    assert answered.startswith("docket: a request got 503: ")
    assert observation.exit_code == watchdog.EXIT_CODE


@pytest.mark.parametrize("fault", ["hang@1", "two workers"])
def test_a_request_that_waits_for_a_hanging_network_is_answered_before_the_exit(
    observations: dict[str, Observation], fault: str
) -> None:
    answer = observations[fault].answer
    assert answer is not None
    read_problem(answer, 503)


@pytest.mark.parametrize("fault", ["hold", "spin"])
def test_a_blocked_event_loop_ends_the_process_with_a_traceback(
    observations: dict[str, Observation], fault: str
) -> None:
    observation = observations[f"{fault}@1"]
    assert observation.exit_code == 1
    assert re.search(rf"thread .*\n.* in {fault}\n", observation.log, re.IGNORECASE)


def test_a_lost_device_ends_the_process(observations: dict[str, Observation]) -> None:
    observation = observations["cuda@1-"]
    assert observation.answer is not None
    read_problem(observation.answer, 500)
    assert observation.exit_code == watchdog.EXIT_CODE
    error = "AcceleratorError('CUDA error: an illegal memory access was encountered')"
    assert f"the device is lost ({error})" in observation.log


def test_a_process_that_was_stopped_continues_and_its_probes_are_not_counted(
    observations: dict[str, Observation],
) -> None:
    observation = observations["stopped"]
    assert observation.answer is not None
    assert observation.answer.status_code == 200
    assert observation.exit_code == 0
    assert len(observation.log.splitlines()) == 2, "a SIGTERM and the end of a drain"


def test_a_hanging_worker_receives_no_new_connection_and_is_replaced(observations: dict[str, Observation]) -> None:
    observation = observations["two workers"]
    ready = [ready for ready, _ in observation.health]
    assert ready.count(200) > 20
    assert ready.count(503) <= 2, "it may receive one or two connections before it reports its health"
    assert observation.log.count(REPLACED) == 1


def test_a_failing_network_is_unready_until_it_succeeds_again(artifact: Path) -> None:
    with running_server(artifact, fault="raise@2-3") as server:
        assert server.post("/predict", TEXT).status_code == 200
        assert server.post("/predict", TEXT).status_code == 500
        wait_until(lambda: server.get("/health/ready").status_code == 503)
        assert "failing" in read_problem(server.get("/health"), 503)["detail"]
        assert server.get("/health/live").status_code == 200
        assert server.post("/predict", TEXT).status_code == 500
        assert server.post("/predict", TEXT).status_code == 200
        wait_until(lambda: server.get("/health/ready").status_code == 200)


def test_a_long_document_does_not_make_the_service_unready(slow: Path) -> None:
    """It takes longer than a call without weight may take."""
    with running_server(slow) as server, ThreadPoolExecutor() as pool:
        request = pool.submit(server.post, "/predict", {"text": "the late goal won " * 300_000})
        statuses = set()
        while not request.done():
            statuses.add(server.get("/health/ready").status_code)
            time.sleep(0.1)
        assert statuses == {200}
        assert request.result().json()["tokens"] == 1_200_000
