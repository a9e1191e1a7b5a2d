"""Every submit ends with the result of its item or with an exception, and the items share batches."""

import asyncio
from collections.abc import Callable

import pytest

from app.inference.batcher import Batcher, DeadlinePassed, Draining
from app.inference.results import BatchRecord
from tests.support.batching import (
    BlockingNetwork,
    Task,
    block,
    blocked_batcher,
    exception_of,
    make_batcher,
    queue_items,
    results_of,
    wait_until,
)

pytestmark = pytest.mark.anyio


async def test_submit_returns_the_result_of_its_item() -> None:
    async with make_batcher(BlockingNetwork(), max_items=1000) as batcher:
        items = [f"item {number}" for number in range(300)]
        tasks = [asyncio.create_task(batcher.submit(item)) for item in items]
        assert await results_of(*tasks) == [item.upper() for item in items]


async def test_submit_all_keeps_the_order_over_several_batches() -> None:
    network = BlockingNetwork()
    async with make_batcher(network, batch_weight=7) as batcher:
        outcomes = await batcher.submit_all([f"{number}x" for number in range(50)])
        assert [outcome.result for outcome in outcomes] == [f"{number}X" for number in range(50)]
        assert await batcher.submit_all([]) == []
    assert len(network.batches) == 8


async def test_items_that_arrive_during_a_batch_form_the_next_batch() -> None:
    async with blocked_batcher() as (batcher, network, first):
        others = await queue_items(batcher, "a", "b", "c")
        network.release.set()
        assert await results_of(first, *others) == ["BLOCK", "A", "B", "C"]
        assert batcher.waiting == 0
    assert network.batches == [["block"], ["a", "b", "c"]]


async def test_a_batch_keeps_its_weight_and_a_heavier_item_runs_alone() -> None:
    async with blocked_batcher(weigh=len, batch_weight=10) as (batcher, network, first):
        light = await queue_items(batcher, "a" * 4, "b" * 5, "c" * 3, "e", "f" * 9)
        await results_of(*[asyncio.create_task(batcher.submit(item)) for item in ("g" * 20, "h" * 30)])
        network.release.set()
        await results_of(first, *light)
    weights = [[len(item) for item in batch] for batch in network.batches]
    assert weights == [[5], [20], [30], [4, 5], [3, 1], [9]]


async def test_a_heavy_item_delays_heavy_items_only() -> None:
    async with blocked_batcher(weigh=len, batch_weight=3) as (batcher, network, first):
        (heavy,) = await queue_items(batcher, "long")
        assert [(await batcher.submit(item)).result for item in ("a", "b", "c")] == ["A", "B", "C"]
        assert not first.done()
        assert not heavy.done()
        network.release.set()
        assert await results_of(first, heavy) == ["BLOCK", "LONG"]


async def test_one_bad_item_of_a_batch_fails_alone() -> None:
    async with blocked_batcher() as (batcher, network, first):
        good, bad, other = await queue_items(batcher, "good", "raise", "other")
        network.release.set()
        assert await results_of(first, good, other) == ["BLOCK", "GOOD", "OTHER"]
        assert isinstance(await exception_of(bad), ValueError)


async def test_an_item_whose_caller_left_the_queue_is_not_run() -> None:
    records: list[BatchRecord] = []
    async with blocked_batcher(on_batch=records.append) as (batcher, network, first):
        left, stays = await queue_items(batcher, "left", "stays")
        left.cancel()
        network.release.set()
        assert await results_of(first, stays) == ["BLOCK", "STAYS"]
        await batcher.submit("next")
        await wait_until(lambda: len(records) == 3)
    assert "left" not in network.items
    assert [record.cancelled for record in records] == [0, 1, 0]


async def test_an_item_whose_caller_left_a_failing_batch_is_not_run_again() -> None:
    network = BlockingNetwork()
    async with make_batcher(network) as batcher:
        bad = asyncio.create_task(batcher.submit("block alone"))
        left = asyncio.create_task(batcher.submit("left"))
        await asyncio.to_thread(network.blocked.wait)
        left.cancel()
        network.release.set()
        assert isinstance(await exception_of(bad), ValueError)
        await batcher.submit("last")
    assert ["left"] not in network.batches


async def test_after_the_failure_of_one_item_submit_all_withdraws_the_others() -> None:
    network = BlockingNetwork()
    async with make_batcher(network, batch_weight=1) as batcher:
        with pytest.raises(ValueError, match="no"):
            await batcher.submit_all(["raise", *"abcdefgh"])
        await batcher.submit("last")
    assert not set("bcdefgh") & network.items  # "a" may have started


async def test_an_item_that_cannot_be_weighed_fails_alone() -> None:
    async with make_batcher(BlockingNetwork(), weigh=int) as batcher:
        with pytest.raises(ValueError, match="invalid literal"):
            await batcher.submit("no number")
        assert (await batcher.submit("3")).result == "3"


async def test_each_batch_has_a_record() -> None:
    records: list[BatchRecord] = []
    async with blocked_batcher(weigh=len, on_batch=records.append) as (batcher, network, first):
        others = await queue_items(batcher, "aaa", "bb")
        network.release.set()
        await results_of(first, *others)
        assert isinstance(await exception_of(asyncio.create_task(batcher.submit("raise"))), ValueError)
        await wait_until(lambda: len(records) == 3)
    assert [(record.items, record.weight, record.waiting) for record in records] == [(1, 5, 2), (2, 5, 0), (1, 5, 0)]
    assert [type(record.error) for record in records] == [type(None), type(None), ValueError]
    assert all(len(record.queue_seconds) == record.items and min(record.queue_seconds) >= 0 for record in records)
    assert all(record.seconds >= 0 for record in records)


async def test_a_hook_that_raises_stops_no_batch(caplog: pytest.LogCaptureFixture) -> None:
    def fail(record: BatchRecord) -> None:
        raise ZeroDivisionError

    async with make_batcher(BlockingNetwork(), on_batch=fail) as batcher:
        assert [(await batcher.submit(item)).result for item in "ab"] == ["A", "B"]
        assert not batcher.stuck
    assert "a hook on the batch record failed" in caplog.text


async def test_a_drain_answers_queued_items_and_admits_no_new_one() -> None:
    async with blocked_batcher() as (batcher, network, first):
        (other,) = await queue_items(batcher, "waits")
        batcher.drain()
        with pytest.raises(Draining):
            await batcher.submit_all(["new"])
        network.release.set()
        assert await results_of(first, other) == ["BLOCK", "WAITS"]


async def test_abandoned_items_are_not_run() -> None:
    async with blocked_batcher() as (batcher, network, _):
        waits, gone = await queue_items(batcher, "waits", "gone")
        gone.cancel()
        await asyncio.sleep(0)
        batcher.abandon()
        assert isinstance(await exception_of(waits), Draining)
        network.release.set()
    assert network.items == {"block"}


def cancel(batcher: Batcher[str, str], task: Task) -> None:
    task.cancel()


def abandon(batcher: Batcher[str, str], task: Task) -> None:
    batcher.abandon()


def wait(batcher: Batcher[str, str], task: Task) -> None:
    pass


QUEUED, RUNNING = True, False


@pytest.mark.parametrize(
    ("item", "queued", "action", "limits", "expected"),
    [
        pytest.param("raise", RUNNING, wait, {}, ValueError, id="run raises"),
        pytest.param("too few", RUNNING, wait, {}, RuntimeError, id="run returns too few results"),
        pytest.param("too many", RUNNING, wait, {}, RuntimeError, id="run returns too many results"),
        pytest.param("exit", RUNNING, wait, {}, RuntimeError, id="run raises SystemExit"),
        pytest.param("raise", QUEUED, None, {}, ValueError, id="run raises in the next batch"),
        pytest.param("ok", QUEUED, cancel, {}, asyncio.CancelledError, id="cancelled in the queue"),
        pytest.param("block", RUNNING, cancel, {}, asyncio.CancelledError, id="cancelled in a batch"),
        pytest.param("ok", QUEUED, wait, {"timeout": 0.5}, DeadlinePassed, id="deadline in the queue"),
        pytest.param("block", RUNNING, wait, {"timeout": 0.5}, DeadlinePassed, id="deadline in a batch"),
        pytest.param("ok", QUEUED, None, {"max_items": 1, "max_weight": 1}, None, id="the last that is admitted"),
        pytest.param("ok", QUEUED, abandon, {}, Draining, id="abandoned in the queue"),
        pytest.param("block", RUNNING, abandon, {}, Draining, id="abandoned in a batch"),
        pytest.param("ok", QUEUED, "close", {}, Draining, id="closed with the item in the queue"),
        pytest.param("block", RUNNING, "close", {}, Draining, id="closed with the item in a batch"),
    ],
)
async def test_every_submit_ends_and_the_next_item_is_answered(
    item: str,
    queued: bool,
    action: Callable[[Batcher[str, str], Task], None] | str | None,
    limits: dict[str, float],
    expected: type[BaseException] | None,
) -> None:
    network = BlockingNetwork()
    async with make_batcher(network, **limits) as batcher:
        if queued:
            await block(batcher, network)
            (task,) = await queue_items(batcher, item)
        else:
            task = asyncio.create_task(batcher.submit(item))
            await wait_until(lambda: bool(network.batches))
        if action != "close":
            if callable(action):
                action(batcher, task)
            else:
                network.release.set()
            exception = await exception_of(task)
            network.release.set()
            if not batcher.draining:
                assert (await batcher.submit("next")).result == "NEXT"
    if action == "close":
        exception = await exception_of(task)
        network.release.set()
        with pytest.raises(Draining):
            await batcher.submit("late")
    assert type(exception) is (expected or type(None))
