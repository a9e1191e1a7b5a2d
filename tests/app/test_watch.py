"""A service whose network or event loop is no longer well: what it says, how it ends, and who goes on.

Faults take their time to be found, so several servers have theirs at once.
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

TEXT = {"text": "the late goal"}
REPLACED = "ended with 70, another takes its place"


@dataclass
class Seen:
    """What was seen of a server from the request on that brings it down."""

    answer: httpx.Response | None = None
    """Of that request; None where it was cut off."""
    health: list[tuple[int, int]] = field(default_factory=list)
    """``/health/ready`` and ``/health/live``, again and again, each on a connection of its own."""
    log: str = ""
    code: int | None = None


def bring_down(is_over: Callable[[Server], bool], body: object, server: Server) -> Seen:
    """Send the request, and look at its health until all is over."""
    seen = Seen()
    with ThreadPoolExecutor() as pool:
        path = "/predict/batch" if "documents" in str(body) else "/predict"
        asked = pool.submit(server.post, path, body)
        while not is_over(server):
            try:
                seen.health.append((server.get("/health/ready").status_code, server.get("/health/live").status_code))
            except httpx.TransportError:
                continue
            time.sleep(0.05)
    if not isinstance(asked.exception(), httpx.TransportError):
        seen.answer = asked.result()
    return seen


def has_ended(server: Server) -> bool:
    return server.process.poll() is not None


def has_replaced(server: Server) -> bool:
    return any(REPLACED in line for line in server.lines)


alone = partial(bring_down, has_ended, TEXT)


def one_of_two(server: Server) -> Seen:
    """Its fourth document waits behind three, each of which is a batch, when a network hangs in the second of them."""
    before = worker_pids(server)
    seen = bring_down(has_replaced, {"documents": [TEXT] * 4}, server)
    assert [server.post("/predict", TEXT).status_code for _ in range(10)] == [200] * 10
    wait_until(lambda: len(worker_pids(server)) == 2)
    assert len(set(worker_pids(server)) & set(before)) == 1
    assert metric_value(server, "docket_waiting_documents") == 0
    return seen


def stopped(server: Server) -> Seen:
    """It stands still for longer than a thread may, goes on for a while, and has had a request in all its life."""
    os.kill(server.process.pid, signal.SIGSTOP)
    time.sleep(watchdog.LOOP_TIMEOUT_SECONDS / 2)
    os.kill(server.process.pid, signal.SIGCONT)
    time.sleep(3)
    assert metric_value(server, "docket_batch_documents_count") == 0
    return Seen(server.post("/predict", TEXT))


@pytest.fixture(scope="module")
def seen(artifact: Path) -> dict[str, Seen]:
    """By the fault."""
    with ExitStack() as stack:
        start = partial(running_server, artifact)
        acts: dict[str, tuple[Server, Callable[[Server], Seen]]] = {
            fault: (stack.enter_context(start(fault=fault)), alone)
            for fault in ("hang@1", "hold@1", "spin@1", "cuda@1-")
        }
        acts["stopped"] = stack.enter_context(start()), stopped
        acts["one of two"] = stack.enter_context(start("--workers", "2", fault="hang@2", batch_tokens=3)), one_of_two
        pool = stack.enter_context(ThreadPoolExecutor())
        running = {fault: pool.submit(act, server) for fault, (server, act) in acts.items()}
        seen = {fault: future.result(2 * WAIT_SECONDS) for fault, future in running.items()}
    for fault, (server, _) in acts.items():
        seen[fault].code, seen[fault].log = server.wait_for_exit(), "".join(server.lines[1:])
    return seen


def test_a_network_that_hangs_is_not_ready_may_live_a_while_and_then_ends_with_a_line_and_a_code(
    seen: dict[str, Seen],
) -> None:
    own = seen["hang@1"]
    assert list(dict.fromkeys(own.health))[:2] == [(200, 200), (503, 200)]
    found, ends, answered = own.log.splitlines()
    assert found == "docket: warning: the network is stuck: no new requests should be sent here"
    assert (
        ends
        == f"docket: critical: the network has been stuck for 10 s: this process ends with code {watchdog.EXIT_CODE}"
    )
    assert answered.startswith("docket: a request got 503: ")
    assert own.code == watchdog.EXIT_CODE


@pytest.mark.parametrize("fault", ["hang@1", "one of two"])
def test_who_waits_for_a_network_that_hangs_is_answered_before_the_process_ends(
    seen: dict[str, Seen], fault: str
) -> None:
    answer = seen[fault].answer
    assert answer is not None
    read_problem(answer, 503)


@pytest.mark.parametrize("fault", ["hold", "spin"])
def test_a_loop_that_does_not_turn_ends_the_process_which_says_where_it_was(seen: dict[str, Seen], fault: str) -> None:
    own = seen[f"{fault}@1"]
    assert own.code == 1
    assert re.search(rf"thread .*\n.* in {fault}\n", own.log, re.IGNORECASE)


def test_a_lost_device_ends_the_process(seen: dict[str, Seen]) -> None:
    own = seen["cuda@1-"]
    assert own.answer is not None
    read_problem(own.answer, 500)
    assert own.code == watchdog.EXIT_CODE
    assert "the device is lost (AcceleratorError('CUDA error: an illegal memory access was encountered'))" in own.log


def test_a_process_that_was_stopped_goes_on_and_its_probes_are_not_counted(seen: dict[str, Seen]) -> None:
    own = seen["stopped"]
    assert own.answer is not None
    assert own.answer.status_code == 200
    assert own.code == 0
    assert len(own.log.splitlines()) == 2, "a SIGTERM and the end of a drain"


def test_of_two_workers_the_one_that_hangs_gets_no_new_connection_and_is_replaced(seen: dict[str, Seen]) -> None:
    own = seen["one of two"]
    ready = [ready for ready, _ in own.health]
    assert ready.count(200) > 20
    assert ready.count(503) <= 2, "one or two may be given to it before it is known how it does"
    assert own.log.count(REPLACED) == 1


def test_a_network_that_fails_is_not_ready_until_it_succeeds_again(artifact: Path) -> None:
    with running_server(artifact, fault="raise@2-3") as server:
        assert server.post("/predict", TEXT).status_code == 200
        assert server.post("/predict", TEXT).status_code == 500
        wait_until(lambda: server.get("/health/ready").status_code == 503)
        assert "failing" in read_problem(server.get("/health"), 503)["detail"]
        assert server.get("/health/live").status_code == 200
        assert server.post("/predict", TEXT).status_code == 500
        assert server.post("/predict", TEXT).status_code == 200
        wait_until(lambda: server.get("/health/ready").status_code == 200)


def test_a_long_document_is_no_ill_health(slow: Path) -> None:
    """It takes longer than a thread may that has nothing to do."""
    with running_server(slow) as server, ThreadPoolExecutor() as pool:
        asked = pool.submit(server.post, "/predict", {"text": "the late goal won " * 300_000})
        told = set()
        while not asked.done():
            told.add(server.get("/health/ready").status_code)
            time.sleep(0.1)
        assert told == {200}
        assert asked.result().json()["tokens"] == 1_200_000
