"""A thread that hangs or fails shows in the batcher's health, and probes show it without requests too."""

import asyncio
import threading

import pytest

from app.inference import liveness
from app.inference.batcher import DeadlinePassed
from app.inference.queue import QueueFull
from app.inference.results import BatchRecord
from tests.support.batching import (
    TEST_TIMEOUT_SECONDS,
    BlockingNetwork,
    block,
    blocked_batcher,
    exception_of,
    make_batcher,
    results_of,
    wait_until,
)

pytestmark = pytest.mark.anyio


class Probe:
    """Keeps the names of the threads that called it, and raises where it is broken."""

    def __init__(self) -> None:
        self.threads: list[str] = []
        self.broken = False

    def __call__(self) -> int:
        self.threads.append(threading.current_thread().name)
        if self.broken:
            raise ZeroDivisionError
        return 1


@pytest.fixture
def frequent_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "PROBE_INTERVAL_SECONDS", 0.01)


@pytest.mark.parametrize("batch_weight", [1, 100], ids=["heavy", "light"])
async def test_a_batch_that_takes_longer_than_its_weight_explains_is_stuck(
    batch_weight: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with blocked_batcher(weigh=len, batch_weight=batch_weight) as (batcher, network, first):
        await asyncio.sleep(0.01)
        assert not batcher.stuck
        monkeypatch.setattr(liveness, "GRACE_SECONDS", 0.0)
        await wait_until(lambda: batcher.stuck)
        batcher.discount_pause(TEST_TIMEOUT_SECONDS)
        assert not batcher.stuck
        network.release.set()
        assert await results_of(first) == ["BLOCK"]
        assert not batcher.stuck


async def test_a_batch_that_takes_longer_than_the_timeout_is_not_stuck() -> None:
    network = BlockingNetwork()
    async with make_batcher(network, timeout=0.05) as batcher:
        assert isinstance(await exception_of(await block(batcher, network)), DeadlinePassed)
        assert not batcher.stuck
        network.release.set()


async def test_a_batcher_whose_task_has_ended_is_stuck() -> None:
    def end_task(record: BatchRecord) -> None:
        raise asyncio.CancelledError

    async with make_batcher(BlockingNetwork(), on_batch=end_task) as batcher:
        assert (await batcher.submit("last")).result == "LAST"
        await wait_until(lambda: batcher.stuck)


async def test_an_idle_batcher_probes_both_threads_and_records_no_batch(frequent_probes: None) -> None:
    network, records, probe = BlockingNetwork(), list[BatchRecord](), Probe()
    async with make_batcher(network, on_batch=records.append, probe=probe) as batcher:
        await wait_until(lambda: min(map(probe.threads.count, ("batcher", "batcher, heavy"))) > 2)
        assert (await batcher.submit("a")).result == "A"
    assert len(records) == 1
    assert network.batches == [["a"]]


async def test_successful_batches_make_probes_unnecessary() -> None:
    probe = Probe()
    async with make_batcher(BlockingNetwork(), probe=probe) as batcher:
        await wait_until(lambda: len(probe.threads) == 2)
        for _ in range(20):
            await batcher.submit("a")
    assert len(probe.threads) == 2


async def test_a_full_queue_refuses_no_probe(frequent_probes: None) -> None:
    probe = Probe()
    async with blocked_batcher(max_items=1, batch_weight=1, probe=probe) as (batcher, network, first):
        queued = batcher.submit("a")
        with pytest.raises(QueueFull):
            batcher.submit("b")
        probes = len(probe.threads)
        network.release.set()
        await results_of(first, queued)
        await wait_until(lambda: len(probe.threads) > probes)
        assert batcher.error is None


async def test_a_probe_that_hangs_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "GRACE_SECONDS", 0.05)
    release = threading.Event()
    async with make_batcher(BlockingNetwork(), probe=lambda: release.wait(TEST_TIMEOUT_SECONDS)) as batcher:
        await wait_until(lambda: batcher.stuck)
        release.set()
        await wait_until(lambda: not batcher.stuck)


async def test_a_probe_follows_a_failed_batch_at_once_and_tells_bad_items_from_a_bad_network(
    caplog: pytest.LogCaptureFixture,
) -> None:
    probe = Probe()
    async with make_batcher(BlockingNetwork(), probe=probe) as batcher:
        await wait_until(lambda: len(probe.threads) == 2)
        with pytest.raises(ValueError, match="no"):
            await batcher.submit("raise")
        await wait_until(lambda: len(probe.threads) == 3)
        assert batcher.error is None
        probe.broken = True
        with pytest.raises(ValueError, match="no"):
            await batcher.submit("raise")
        await wait_until(lambda: isinstance(batcher.error, ZeroDivisionError))
        assert (await batcher.submit("a")).result == "A"
        assert batcher.error is None
    assert caplog.text.count("the network fails its probe") == 1
