import asyncio
import os
import re
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.inference.batcher import Batcher, Draining
from app.inference.queue import QueueLimits
from app.server.drain import draining_on_sigterm
from tests.support.processes import child_pids
from tests.support.service import WAIT_SECONDS, Server, read_problem, running_server, wait_until

CLIENTS = 16
EXPECTED = re.compile(r"docket: (a request got 503: |SIG(TERM|INT): |(the service has|all workers have) ended, after )")
LONG = {"text": "the late goal won " * 30_000}


@pytest.mark.parametrize("workers", [1, 2])
def test_under_load_every_accepted_request_has_a_whole_answer(artifact: Path, workers: int) -> None:
    told, connected = asyncio.Event(), set[int]()

    async def client(server: Server, number: int) -> list[httpx.Response]:
        """Ask until told to go elsewhere."""
        answers: list[httpx.Response] = []
        async with httpx.AsyncClient(timeout=WAIT_SECONDS, verify=False) as connection:
            while not answers or answers[-1].status_code == 200:
                text = f"the late goal won {number} " * 50
                try:
                    answers.append(await connection.post(server.url + "/predict", json={"text": text}))
                except httpx.ConnectError:  # it was so late that nobody took its request
                    break
                connected.add(number)
                if len(answers) >= 10 and len(connected) == CLIENTS:
                    told.set()
        return answers

    async def crowd(server: Server) -> list[list[httpx.Response]]:
        clients = [asyncio.create_task(client(server, number)) for number in range(CLIENTS)]
        await told.wait()
        server.terminate()
        return await asyncio.wait_for(asyncio.gather(*clients), WAIT_SECONDS)

    with running_server(artifact, "--workers", str(workers), grace=20) as server:
        started = child_pids(server.process.pid)
        started |= {pid for own in started for pid in child_pids(own)}
        everybody = asyncio.run(crowd(server))
        assert server.wait_for_exit() == 0
    refused = [answer for answers in everybody for answer in answers if answer.status_code != 200]
    assert refused
    assert all(answer.json()["label"] for answers in everybody for answer in answers if answer not in refused)
    for answer in refused:
        read_problem(answer, 503)
        assert answer.headers["connection"] == "close"
        assert answer.headers["retry-after"] == "1"
    with pytest.raises(httpx.ConnectError):
        server.get("/health")
    assert all(EXPECTED.match(line) for line in server.lines[1:]), server.lines
    assert (len(started) >= 2) is (workers == 2)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started))


@pytest.mark.parametrize(("workers", "signals"), [(1, 1), (1, 2), (2, 1)])
def test_what_is_at_work_and_what_waits_at_sigterm_is_answered(slow: Path, workers: int, signals: int) -> None:
    async def rule(server: Server) -> httpx.Response:
        async with httpx.AsyncClient(timeout=WAIT_SECONDS, verify=False) as client:
            asked = asyncio.create_task(client.post(server.url + "/predict/batch", json={"documents": [LONG] * 3}))
            await asyncio.to_thread(wait_until, lambda: server.get("/health").json()["waiting"] == 2)
            for _ in range(signals):
                server.terminate()
                await asyncio.to_thread(wait_until, lambda: has_gone(server))
            return await asked

    with running_server(slow, "--workers", str(workers), batch_tokens=1, grace=40) as server:
        response = asyncio.run(rule(server))
        assert server.wait_for_exit() == 0
    assert response.status_code == 200
    assert [result["tokens"] for result in response.json()["results"]] == [120_000] * 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_to_all_processes_at_once_lets_them_answer_and_the_first_ends_last(
    slow: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # it would have its own way with SIGTERM

    async def rule(server: Server, everybody: set[int]) -> httpx.Response:
        async with httpx.AsyncClient(timeout=WAIT_SECONDS, verify=False) as client:
            asked = asyncio.create_task(client.post(server.url + "/predict/batch", json={"documents": [LONG] * 12}))
            await asyncio.to_thread(wait_until, lambda: server.get("/health").json()["waiting"] >= 8)
            for pid in everybody:
                os.kill(pid, number)
            return await asked

    with running_server(slow, "--workers", "2", batch_tokens=1, grace=40) as server:
        own = child_pids(server.process.pid)
        workers = {pid for each in own for pid in child_pids(each)}
        response = asyncio.run(rule(server, {server.process.pid, *own, *workers}))
        assert server.wait_for_exit() == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert response.status_code == 200


def has_gone(server: Server) -> bool:
    """Whether it says that it drains, or takes no connections any more."""
    try:
        return server.get("/health").status_code == 503
    except httpx.TransportError:
        return True


def test_what_cannot_be_answered_within_the_grace_time_is_503_and_the_exit_is_clean(slow: Path) -> None:
    async def rule(server: Server) -> httpx.Response:
        async with httpx.AsyncClient(timeout=WAIT_SECONDS, verify=False) as client:
            documents = [{"text": LONG["text"] * 14}] * 2
            asked = asyncio.create_task(client.post(server.url + "/predict/batch", json={"documents": documents}))
            await asyncio.to_thread(wait_until, lambda: server.get("/health").json()["waiting"] == 1)
            server.terminate()
            return await asked

    with running_server(slow, batch_tokens=1, grace=1) as server:
        response = asyncio.run(rule(server))
        assert server.wait_for_exit() == 0
    read_problem(response, 503)
    assert all(EXPECTED.match(line) for line in server.lines[1:]), server.lines


@contextmanager
def receiving(number: signal.Signals) -> Iterator[list[int]]:
    """What reaches the server's own handler: a list of signals."""
    received: list[int] = []
    before = signal.signal(number, lambda number, frame: received.append(number))
    try:
        yield received
    finally:
        signal.signal(number, before)


def echo(items: Sequence[str]) -> Sequence[str]:
    return items


def echoing() -> Batcher[str, str]:
    return Batcher(
        echo, len, QueueLimits(batch_weight=10, max_items=10, max_weight=100, timeout=WAIT_SECONDS, timeout_share=0.8)
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_drains_and_the_second_goes_to_the_server_at_once(number: signal.Signals) -> None:
    async def rule(received: list[int]) -> None:
        async with echoing() as batcher:
            with draining_on_sigterm(batcher, grace=WAIT_SECONDS):
                os.kill(os.getpid(), number)
                assert batcher.draining
                assert received == []
                os.kill(os.getpid(), number)
                assert received == [number]

    with receiving(number) as received:
        asyncio.run(rule(received))


def test_after_a_moment_the_first_signal_goes_to_the_server_too() -> None:
    async def rule(received: list[int]) -> None:
        async with echoing() as batcher:
            with draining_on_sigterm(batcher, grace=WAIT_SECONDS):
                os.kill(os.getpid(), signal.SIGTERM)
                while not received:  # noqa: ASYNC110  # a signal handler sets no event
                    await asyncio.sleep(0.01)

    with receiving(signal.SIGTERM) as received:
        asyncio.run(asyncio.wait_for(rule(received), WAIT_SECONDS))
    assert received == [signal.SIGTERM]


def test_what_still_waits_near_the_end_of_the_grace_time_is_told_so() -> None:
    go = threading.Event()

    def hold(items: Sequence[str]) -> Sequence[str]:
        assert go.wait(WAIT_SECONDS)
        return items

    async def rule() -> None:
        async with Batcher(
            hold,
            len,
            QueueLimits(batch_weight=1, max_items=10, max_weight=100, timeout=WAIT_SECONDS, timeout_share=0.8),
        ) as batcher:
            with draining_on_sigterm(batcher, grace=1.2):
                works, waits = (asyncio.create_task(batcher.submit(item)) for item in ("at work", "waits"))
                while batcher.waiting != 1:  # noqa: ASYNC110  # what is waited for sets no event
                    await asyncio.sleep(0)
                os.kill(os.getpid(), signal.SIGTERM)
                for told in (waits, works):
                    with pytest.raises(Draining):
                        await told
                go.set()

    with receiving(signal.SIGTERM):
        asyncio.run(asyncio.wait_for(rule(), WAIT_SECONDS))


def test_when_the_service_has_stopped_the_signals_are_as_before() -> None:
    async def rule() -> None:
        async with echoing() as batcher:
            with draining_on_sigterm(batcher, grace=1):
                pass

    with receiving(signal.SIGTERM) as received:
        asyncio.run(rule())
        os.kill(os.getpid(), signal.SIGTERM)
        assert received == [signal.SIGTERM]


def test_in_a_thread_that_gets_no_signals_nothing_is_touched() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    async def rule() -> None:
        async with echoing() as batcher:
            with draining_on_sigterm(batcher, grace=1):
                seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=lambda: asyncio.run(rule()))
    thread.start()
    thread.join(WAIT_SECONDS)
    assert seen == [before]
