"""Every submitted item ends with its result or with an exception, and the items share batches."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from app.inference.batcher import Batcher, DeadlinePassed, Draining
from app.inference.results import BatchRecord
from tests.support.batching import (
    BlockingNetwork,
    Submitted,
    block,
    blocked_batcher,
    exception_of,
    make_batcher,
    results_of,
    wait_until,
)

pytestmark = pytest.mark.anyio


async def test_each_item_has_the_result_of_its_place_over_several_batches() -> None:
    network = BlockingNetwork()
    items, results = [f"{number}x" for number in range(50)], [f"{number}X" for number in range(50)]
    async with make_batcher(network, batch_weight=7) as batcher:
        outcomes = await batcher.submit_all(items)
        assert [outcome.result for outcome in outcomes] == results
        assert await batcher.submit_all([]) == []
        assert len(network.batches) == 8
        assert await results_of(*map(batcher.submit, items)) == results


async def test_items_that_arrive_during_a_batch_form_the_next_batch_up_to_its_weight() -> None:
    async with blocked_batcher(weigh=len, batch_weight=10) as (batcher, network, first):
        light = [batcher.submit(item) for item in ("a" * 4, "b" * 5, "c" * 3, "e", "f" * 9)]
        await results_of(batcher.submit("g" * 20), batcher.submit("h" * 30))  # heavier than a batch: each runs alone
        network.release.set()
        assert await results_of(first, *light) == ["BLOCK", "AAAA", "BBBBB", "CCC", "E", "F" * 9]
        assert batcher.waiting == 0
    weights = [[len(item) for item in batch] for batch in network.batches]
    assert weights == [[5], [20], [30], [4, 5], [3, 1], [9]]


async def test_a_heavy_item_delays_heavy_items_only() -> None:
    async with blocked_batcher(weigh=len, batch_weight=3) as (batcher, network, first):
        heavy = batcher.submit("long")
        assert await results_of(*map(batcher.submit, "abc")) == ["A", "B", "C"]
        assert not first.done()
        assert not heavy.done()
        network.release.set()
        assert await results_of(first, heavy) == ["BLOCK", "LONG"]


async def test_one_bad_item_of_a_batch_fails_alone() -> None:
    async with blocked_batcher() as (batcher, network, first):
        good, bad, last = map(batcher.submit, ("good", "raise", "last"))
        network.release.set()
        assert await results_of(first, good, last) == ["BLOCK", "GOOD", "LAST"]
        assert isinstance(await exception_of(bad), ValueError)


async def test_an_item_whose_caller_left_the_queue_is_not_run() -> None:
    records: list[BatchRecord] = []
    async with blocked_batcher(on_batch=records.append) as (batcher, network, first):
        left, stays = map(batcher.submit, ("left", "stays"))
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
        bad, left = map(batcher.submit, ("block alone", "left"))
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


async def test_each_batch_has_a_record() -> None:
    records: list[BatchRecord] = []
    async with blocked_batcher(weigh=len, on_batch=records.append) as (batcher, network, first):
        others = [batcher.submit("aaa"), batcher.submit("bb")]
        network.release.set()
        await results_of(first, *others)
        assert isinstance(await exception_of(batcher.submit("raise")), ValueError)
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
        queued = batcher.submit("waits")
        batcher.drain()
        with pytest.raises(Draining):
            await batcher.submit_all(["new"])
        network.release.set()
        assert await results_of(first, queued) == ["BLOCK", "WAITS"]


async def test_abandoned_items_are_not_run() -> None:
    async with blocked_batcher() as (batcher, network, first):
        waits = batcher.submit("waits")
        batcher.submit("gone").cancel()
        batcher.abandon()
        assert isinstance(await exception_of(waits), Draining)
        assert isinstance(await exception_of(first), Draining)
        network.release.set()
    assert network.items == {"block"}


Action = Callable[[Batcher[str, str], Submitted], object]


def cancel(batcher: Batcher[str, str], future: Submitted) -> None:
    future.cancel()


def abandon(batcher: Batcher[str, str], future: Submitted) -> None:
    batcher.abandon()


def wait(batcher: Batcher[str, str], future: Submitted) -> None:
    pass


QUEUED, RUNNING = True, False


@pytest.mark.parametrize(
    ("item", "queued", "action", "limits", "expected"),
    [
        pytest.param("raise", RUNNING, wait, {}, ValueError, id="run raises"),
        pytest.param("too few", RUNNING, wait, {}, RuntimeError, id="run returns too few results"),
        pytest.param("too many", RUNNING, wait, {}, RuntimeError, id="run returns too many results"),
        pytest.param("exit", RUNNING, wait, {}, RuntimeError, id="run raises SystemExit"),
        pytest.param("raise", QUEUED, "release", {}, ValueError, id="run raises in the next batch"),
        pytest.param("ok", QUEUED, cancel, {}, asyncio.CancelledError, id="cancelled in the queue"),
        pytest.param("block", RUNNING, cancel, {}, asyncio.CancelledError, id="cancelled in a batch"),
        pytest.param("ok", QUEUED, wait, {"timeout": 0.5}, DeadlinePassed, id="deadline in the queue"),
        pytest.param("block", RUNNING, wait, {"timeout": 0.5}, DeadlinePassed, id="deadline in a batch"),
        pytest.param("ok", QUEUED, "release", {"max_items": 1, "max_weight": 1}, None, id="the last that is admitted"),
        pytest.param("ok", QUEUED, abandon, {}, Draining, id="abandoned in the queue"),
        pytest.param("block", RUNNING, abandon, {}, Draining, id="abandoned in a batch"),
        pytest.param("ok", QUEUED, "close", {}, Draining, id="closed with the item in the queue"),
        pytest.param("block", RUNNING, "close", {}, Draining, id="closed with the item in a batch"),
    ],
)
async def test_every_item_ends_and_the_next_item_is_answered(
    item: str, queued: bool, action: Action | str, limits: dict[str, Any], expected: type[BaseException] | None
) -> None:
    network = BlockingNetwork()
    async with make_batcher(network, **limits) as batcher:
        if queued:
            await block(batcher, network)
        future = batcher.submit(item)
        await wait_until(lambda: bool(network.batches))
        if action == "release":
            network.release.set()
        if callable(action):
            action(batcher, future)
        if action != "close":
            exception = await exception_of(future)
            network.release.set()
            if not batcher.draining:
                assert (await batcher.submit("next")).result == "NEXT"
    if action == "close":
        exception = await exception_of(future)
        network.release.set()
        with pytest.raises(Draining):
            batcher.submit("late")
    assert type(exception) is (expected or type(None))
