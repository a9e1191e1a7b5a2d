"""Admission control: a full or slow queue refuses an item at once, and says when to retry."""

import asyncio
import time
from collections.abc import Callable, Sequence

import pytest

from app.inference.batcher import DeadlinePassed
from app.inference.queue import QueueFull
from tests.support.batching import BlockingNetwork, block, blocked_batcher, exception_of, make_batcher, results_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("weigh", "limits", "items"),
    [(lambda item: 1, {"max_items": 2}, ["a", "b"]), (len, {"max_weight": 5}, ["aaaa", "bb"])],
    ids=["items", "weight"],
)
async def test_a_full_queue_refuses_an_item_and_says_when_to_retry(
    weigh: Callable[[str], int], limits: dict[str, float], items: list[str]
) -> None:
    async with blocked_batcher(weigh=weigh, **limits) as (batcher, network, first):
        queued = [batcher.submit(item) for item in items]
        with pytest.raises(QueueFull) as refused:
            batcher.submit("c")
        with pytest.raises(QueueFull):
            await batcher.submit_all(["x", "y"])
        assert batcher.waiting == len(queued)
        network.release.set()
        await results_of(first, *queued)
        assert (await batcher.submit("d")).result == "D"
    assert isinstance(refused.value.retry_after, int)
    assert refused.value.retry_after >= 1
    assert str(refused.value.retry_after) in str(refused.value)
    assert not {"c", "x", "y"} & network.items


async def test_heavy_items_cause_the_refusal_of_heavy_items_only() -> None:
    async with blocked_batcher(weigh=len, batch_weight=3, max_items=4, max_weight=5) as (batcher, network, first):
        heavy = batcher.submit("a long one")
        batcher.check(weight=3)
        with pytest.raises(QueueFull):
            batcher.check(weight=4)
        with pytest.raises(QueueFull):
            await batcher.submit_all(["b", "a second one"])
        assert [outcome.result for outcome in await batcher.submit_all(["c", "d"])] == ["C", "D"]
        network.release.set()
        await results_of(first, heavy)
    assert not {"b", "a second one"} & network.items


async def test_a_cancelled_item_causes_no_refusal() -> None:
    async with blocked_batcher(max_items=1) as (batcher, network, first):
        batcher.submit("cancelled").cancel()
        queued = batcher.submit("a")
        network.release.set()
        assert await results_of(first, queued) == ["BLOCK", "A"]


async def test_an_item_with_a_past_deadline_is_admitted_to_an_empty_queue_and_expires() -> None:
    async with make_batcher(BlockingNetwork()) as batcher:
        late = batcher.submit("late", asyncio.get_running_loop().time() - 1)
        assert isinstance(await exception_of(late), DeadlinePassed)


async def test_an_item_is_refused_where_the_queue_would_take_most_of_its_time() -> None:
    async with blocked_batcher() as (batcher, network, first):
        queued = batcher.submit("a")
        await asyncio.sleep(0.1)
        soon = asyncio.get_running_loop().time() + 0.1
        with pytest.raises(QueueFull):
            batcher.submit("refused", soon)
        with pytest.raises(QueueFull):
            await batcher.submit_all(["refused", "too"], soon)
        last = batcher.submit("b")
        network.release.set()
        await results_of(first, queued, last)
        assert (await batcher.submit("c", asyncio.get_running_loop().time() + 60)).result == "C"
    assert not {"refused", "too"} & network.items


async def test_retry_after_grows_with_the_clients_that_were_refused_earlier() -> None:
    network, retry_after = BlockingNetwork(), list[int]()

    def run(items: Sequence[str]) -> list[str]:
        if items[0] == "slow":
            time.sleep(0.5)  # so that two queued items need a second
        return network(items)

    async with make_batcher(run, weigh=len, batch_weight=5, max_weight=8) as batcher:
        await batcher.submit("slow")
        futures = [await block(batcher, network), batcher.submit("four"), batcher.submit("more")]
        for _ in range(5):
            with pytest.raises(QueueFull) as refused:
                batcher.submit("late")
            retry_after.append(refused.value.retry_after)
        network.release.set()
        await results_of(*futures)
    assert retry_after[0] >= 1
    assert retry_after == sorted(retry_after)
    assert retry_after[-1] >= 2 * retry_after[0] - 1  # four refused clients: three times the wait, in whole seconds


async def test_small_batches_do_not_lower_the_expected_throughput_of_a_burst() -> None:
    network = BlockingNetwork()

    def run(items: Sequence[str]) -> list[str]:
        time.sleep(0.02)  # the same for any number of items
        return network(items)

    async with make_batcher(run, max_items=1000) as batcher:
        for _ in range(5):
            await batcher.submit("a")
        soon = asyncio.get_running_loop().time() + 2
        burst = [batcher.submit("b", soon) for _ in range(95)]  # one batch; at the throughput of "a" it takes 1.9 s
        assert len(await asyncio.gather(*burst)) == 95
