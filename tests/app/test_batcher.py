import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import wraps

import pytest

from app.inference import liveness
from app.inference.batcher import Batcher, DeadlinePassed, Draining
from app.inference.queue import QueueFull, QueueLimits
from app.inference.results import BatchRecord, Outcome

PATIENCE = 30.0
LIMITS = QueueLimits(batch_weight=100, max_items=100, max_weight=1000, timeout=PATIENCE, timeout_share=0.8)


def asynchronous(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    @wraps(test)
    def run(**fixtures: object) -> None:
        asyncio.run(asyncio.wait_for(test(**fixtures), PATIENCE))

    return run


class Network:
    """A ``run`` that does what its items say: ``hold`` waits for ``go``, and ``batches`` keeps what it was given."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self, items: Sequence[str]) -> list[str]:
        self.batches.append(list(items))
        if "hold" in items or ("hold alone" in items and len(items) == 1):
            self.begun.set()
            assert self.go.wait(PATIENCE)
        if "raise" in items or "hold alone" in items:
            raise ValueError("no")
        if "exit" in items:
            raise SystemExit(1)
        if "few" in items:
            return []
        if "many" in items:
            return [*items, "one more"]
        return [item.upper() for item in items]

    @property
    def ran(self) -> set[str]:
        return {item for batch in self.batches for item in batch}


def by_one(item: str) -> int:
    return 1


def batcher_of(
    network: Callable[[Sequence[str]], Sequence[str]],
    weigh: Callable[[str], int] = by_one,
    record: Callable[[BatchRecord], None] = lambda record: None,
    probe: Callable[[], int] = lambda: 0,
    **limits: float,
) -> Batcher[str, str]:
    return Batcher(network, weigh, replace(LIMITS, **limits), record, probe)


async def until(condition: Callable[[], bool]) -> None:
    """Let the others run until it is so; the test's own time limit ends it where it never is."""
    while not condition():  # noqa: ASYNC110  # it reads the queue, which sets no event for tests
        await asyncio.sleep(0.001)


async def held(batcher: Batcher[str, str], network: Network) -> "asyncio.Task[Outcome[str]]":
    """A submit whose batch is at work until ``network.go``."""
    task = asyncio.create_task(batcher.submit("hold"))
    await asyncio.to_thread(network.begun.wait, PATIENCE)
    return task


def own(outcomes: Sequence[Outcome[str]]) -> list[str]:
    return [outcome.result for outcome in outcomes]


async def waiting(batcher: Batcher[str, str], items: Sequence[str]) -> "list[asyncio.Task[Outcome[str]]]":
    """Submits that are in the queue, behind a batch at work."""
    before = batcher.waiting
    tasks = [asyncio.create_task(batcher.submit(item)) for item in items]
    await until(lambda: batcher.waiting == before + len(items))
    return tasks


async def ended(task: "asyncio.Task[Outcome[str]]") -> BaseException | None:
    """How it ended: a caller that is left waiting fails the test."""
    done, _ = await asyncio.wait([task], timeout=5)
    assert done, "this submit does not end"
    return asyncio.CancelledError() if task.cancelled() else task.exception()


@asynchronous
async def test_everybody_gets_their_own_result() -> None:
    async with batcher_of(Network(), max_items=1000) as batcher:
        items = [f"item {number}" for number in range(300)]
        assert own(await asyncio.gather(*map(batcher.submit, items))) == [item.upper() for item in items]


@asynchronous
async def test_many_at_once_come_back_in_their_order_over_several_batches() -> None:
    network = Network()
    async with batcher_of(network, batch_weight=7) as batcher:
        assert own(await batcher.submit_all([f"{number}x" for number in range(50)])) == [f"{n}X" for n in range(50)]
    assert len(network.batches) == 8


@asynchronous
async def test_none_at_once_is_an_answer() -> None:
    async with batcher_of(Network()) as batcher:
        assert await batcher.submit_all([]) == []


@asynchronous
async def test_what_arrives_while_a_batch_runs_is_the_next_batch() -> None:
    network = Network()
    async with batcher_of(network) as batcher:
        first = await held(batcher, network)
        others = await waiting(batcher, ["a", "b", "c"])
        assert batcher.waiting == 3
        network.go.set()
        assert own(await asyncio.gather(first, *others)) == ["HOLD", "A", "B", "C"]
    assert network.batches == [["hold"], ["a", "b", "c"]]
    assert batcher.waiting == 0


@asynchronous
async def test_a_batch_keeps_to_its_budget_and_an_item_that_exceeds_it_is_a_batch_of_its_own() -> None:
    network = Network()
    async with batcher_of(network, weigh=len, batch_weight=10) as batcher:
        first = await held(batcher, network)
        others = await waiting(batcher, ["a" * 4, "b" * 5, "c" * 3, "e", "f" * 9])
        heavy = [asyncio.create_task(batcher.submit(item)) for item in ("g" * 20, "h" * 30)]
        await asyncio.gather(*heavy)
        network.go.set()
        await asyncio.gather(first, *others)
    assert [[len(item) for item in batch] for batch in network.batches] == [[4], [20], [30], [4, 5], [3, 1], [9]]


@asynchronous
async def test_an_item_that_exceeds_the_budget_holds_up_its_like_alone() -> None:
    network = Network()
    async with batcher_of(network, weigh=len, batch_weight=3) as batcher:
        first = await held(batcher, network)
        (like,) = await waiting(batcher, ["long"])
        assert [(await batcher.submit(item)).result for item in ("a", "b", "c")] == ["A", "B", "C"]
        assert not first.done()
        assert not like.done()
        network.go.set()
        assert own(await asyncio.gather(first, like)) == ["HOLD", "LONG"]


@asynchronous
async def test_one_bad_item_of_a_batch_fails_alone() -> None:
    network = Network()
    async with batcher_of(network) as batcher:
        first = await held(batcher, network)
        good, bad, other = await waiting(batcher, ["good", "raise", "other"])
        network.go.set()
        assert own(await asyncio.gather(first, good, other)) == ["HOLD", "GOOD", "OTHER"]
        assert isinstance(await ended(bad), ValueError)


@asynchronous
async def test_an_item_whose_caller_has_left_is_not_run() -> None:
    network, records = Network(), []
    async with batcher_of(network, record=records.append) as batcher:
        first = await held(batcher, network)
        left, stays = await waiting(batcher, ["left", "stays"])
        left.cancel()
        network.go.set()
        assert own(await asyncio.gather(first, stays)) == ["HOLD", "STAYS"]
        await batcher.submit("next")
        await until(lambda: len(records) == 3)
    assert "left" not in network.ran
    assert [record.cancelled for record in records] == [0, 1, 0]


@asynchronous
async def test_an_item_whose_caller_leaves_is_not_run_again_alone() -> None:
    network = Network()
    async with batcher_of(network) as batcher:
        many = asyncio.create_task(batcher.submit("hold alone"))
        left = asyncio.create_task(batcher.submit("left"))
        await asyncio.to_thread(network.begun.wait, PATIENCE)
        left.cancel()
        network.go.set()
        assert isinstance(await ended(many), ValueError)
        await batcher.submit("last")
    assert ["left"] not in network.batches


@asynchronous
async def test_where_one_of_many_fails_the_others_are_not_run_for_nobody() -> None:
    network = Network()
    async with batcher_of(network, batch_weight=1) as batcher:
        with pytest.raises(ValueError, match="no"):
            await batcher.submit_all(["raise", *"abcdefgh"])
        await batcher.submit("last")
    assert not {"b", "c", "d", "e", "f", "g", "h"} & network.ran  # a may have been at work


@asynchronous
async def test_a_full_queue_refuses_by_items_and_says_when_to_come_back() -> None:
    network = Network()
    async with batcher_of(network, max_items=2) as batcher:
        first = await held(batcher, network)
        others = await waiting(batcher, ["a", "b"])
        with pytest.raises(QueueFull) as refused:
            await batcher.submit("c")
        network.go.set()
        await asyncio.gather(first, *others)
        assert (await batcher.submit("d")).result == "D"
    assert isinstance(refused.value.retry_after, int)
    assert refused.value.retry_after >= 1
    assert str(refused.value.retry_after) in str(refused.value)
    assert "c" not in network.ran


@asynchronous
async def test_a_full_queue_refuses_by_weight() -> None:
    network = Network()
    async with batcher_of(network, weigh=len, max_weight=5) as batcher:
        first = await held(batcher, network)
        others = await waiting(batcher, ["aaaa", "bb"])
        with pytest.raises(QueueFull) as refused:
            await batcher.submit("c")
        network.go.set()
        await asyncio.gather(first, *others)
        assert (await batcher.submit("d")).result == "D"
    assert isinstance(refused.value.retry_after, int)
    assert refused.value.retry_after >= 1


@asynchronous
async def test_those_that_outweigh_a_batch_are_refused_for_their_like_and_refuse_nobody_else() -> None:
    network = Network()
    async with batcher_of(network, weigh=len, batch_weight=3, max_items=4, max_weight=5) as batcher:
        first = await held(batcher, network)
        long = await waiting(batcher, ["a long one"])
        batcher.check(weight=3)
        with pytest.raises(QueueFull):
            batcher.check(weight=4)
        with pytest.raises(QueueFull):
            await batcher.submit("a second one")
        with pytest.raises(QueueFull):
            await batcher.submit_all(["b", "a second one"])
        assert own(await batcher.submit_all(["c", "d"])) == ["C", "D"]
        network.go.set()
        await asyncio.gather(first, *long)
    assert not {"b", "a second one"} & network.ran


@asynchronous
async def test_one_that_outweighs_a_batch_and_whose_caller_has_left_refuses_nobody() -> None:
    network = Network()
    async with batcher_of(network, weigh=len, batch_weight=3, max_weight=5) as batcher:
        first = await held(batcher, network)
        (left,) = await waiting(batcher, ["another"])
        left.cancel()
        assert (await batcher.submit("a")).result == "A"
        network.go.set()
        await first


@asynchronous
async def test_who_finds_nobody_before_is_let_in_and_told_when_it_is_too_late() -> None:
    async with batcher_of(Network()) as batcher:
        with pytest.raises(DeadlinePassed):
            await batcher.submit("late", asyncio.get_running_loop().time() - 1)


@asynchronous
async def test_nobody_is_let_in_behind_one_that_has_waited_for_most_of_their_time() -> None:
    network = Network()
    async with batcher_of(network) as batcher:
        first = await held(batcher, network)
        (second,) = await waiting(batcher, ["a"])
        await asyncio.sleep(0.1)
        soon = asyncio.get_running_loop().time() + 0.1
        with pytest.raises(QueueFull):
            await batcher.submit("hasty", soon)
        with pytest.raises(QueueFull):
            await batcher.submit_all(["hasty", "too"], soon)
        (patient,) = await waiting(batcher, ["b"])
        network.go.set()
        await asyncio.gather(first, second, patient)
        assert (await batcher.submit("c", asyncio.get_running_loop().time() + 1)).result == "C"
    assert not {"hasty", "too"} & network.ran


@asynchronous
async def test_the_time_to_come_back_is_that_of_who_waits_and_of_who_was_turned_away_before() -> None:
    network, told = Network(), []

    def slow(items: Sequence[str]) -> list[str]:
        if items[0] == "slow":
            time.sleep(0.5)  # two that wait need a second
        return network(items)

    async with batcher_of(slow, weigh=len, batch_weight=4, max_weight=8) as batcher:
        await batcher.submit("slow")
        first = await held(batcher, network)
        others = await waiting(batcher, ["four", "more"])
        for _ in range(5):
            with pytest.raises(QueueFull) as refused:
                await batcher.submit("late")
            told.append(refused.value.retry_after)
        network.go.set()
        await asyncio.gather(first, *others)
    assert told[0] >= 1
    assert told == sorted(told)
    assert told[-1] >= 2 * told[0] - 1  # four were turned away before: thrice the time, in whole seconds


@asynchronous
async def test_batches_with_next_to_nothing_in_them_do_not_make_a_burst_seem_long() -> None:
    network = Network()

    def run(items: Sequence[str]) -> list[str]:
        time.sleep(0.02)  # whatever it is
        return network(items)

    async with batcher_of(run, max_items=1000, timeout_share=0.8) as batcher:
        for _ in range(5):
            await batcher.submit("a")
        soon = asyncio.get_running_loop().time() + 2
        burst = [batcher.submit("b", soon) for _ in range(95)]  # one batch; at the pace of those before, 1.9 s
        assert len(await asyncio.gather(*burst)) == 95


@asynchronous
async def test_of_many_at_once_a_full_queue_takes_none() -> None:
    network = Network()
    async with batcher_of(network, max_items=1) as batcher:
        first = await held(batcher, network)
        (other,) = await waiting(batcher, ["a"])
        with pytest.raises(QueueFull):
            await batcher.submit_all(["x", "y"])
        assert batcher.waiting == 1
        network.go.set()
        await asyncio.gather(first, other)
    assert not {"x", "y"} & network.ran


@asynchronous
async def test_an_item_that_cannot_be_weighed_fails_alone() -> None:
    async with batcher_of(Network(), weigh=int) as batcher:
        with pytest.raises(ValueError, match="invalid literal"):
            await batcher.submit("no number")
        assert (await batcher.submit("3")).result == "3"


@pytest.mark.parametrize("batch", [1, 100], ids=["heavy", "light"])
@asynchronous
async def test_a_batch_that_takes_longer_than_its_weight_explains_is_said_to_be_stuck(
    batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Network()
    async with batcher_of(network, weigh=len, batch_weight=batch) as batcher:
        first = await held(batcher, network)
        await asyncio.sleep(0.01)
        assert not batcher.stuck
        monkeypatch.setattr(liveness, "GRACE_SECONDS", 0.0)
        await until(lambda: batcher.stuck)
        batcher.discount_pause(PATIENCE)
        assert not batcher.stuck
        network.go.set()
        assert (await first).result == "HOLD"
        assert not batcher.stuck


@asynchronous
async def test_a_batch_that_takes_longer_than_anybody_waits_is_at_work_and_not_stuck() -> None:
    network = Network()
    async with batcher_of(network, timeout=0.05) as batcher:
        assert isinstance(await ended(await held(batcher, network)), DeadlinePassed)
        assert not batcher.stuck
        network.go.set()


@asynchronous
async def test_a_batcher_without_work_probes_in_both_threads_and_records_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(liveness, "PROBE_INTERVAL_SECONDS", 0.01)
    network, records, threads = Network(), list[BatchRecord](), list[str]()

    def probe() -> int:
        threads.append(threading.current_thread().name)
        return 1

    async with batcher_of(network, record=records.append, probe=probe) as batcher:
        await until(lambda: threads.count("batcher") > 2 and threads.count("batcher, heavy") > 2)
        assert (await batcher.submit("a")).result == "A"
    assert len(records) == 1
    assert network.batches == [["a"]]


@asynchronous
async def test_while_batches_succeed_nothing_is_probed() -> None:
    threads: list[str] = []

    def probe() -> int:
        threads.append(threading.current_thread().name)
        return 1

    async with batcher_of(Network(), probe=probe) as batcher:
        await until(lambda: len(threads) == 2)
        for _ in range(20):
            await batcher.submit("a")
    assert len(threads) == 2


@asynchronous
async def test_a_full_queue_that_moves_refuses_no_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "PROBE_INTERVAL_SECONDS", 0.01)
    network, probes = Network(), list[int]()
    async with batcher_of(network, max_items=1, batch_weight=1, probe=lambda: probes.append(1) or 1) as batcher:
        first = await held(batcher, network)
        (other,) = await waiting(batcher, ["a"])
        with pytest.raises(QueueFull):
            await batcher.submit("b")
        before = len(probes)
        network.go.set()
        await asyncio.gather(first, other)
        await until(lambda: len(probes) > before)
        assert batcher.error is None


@asynchronous
async def test_a_probe_that_hangs_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "GRACE_SECONDS", 0.05)
    go = threading.Event()
    async with batcher_of(Network(), probe=lambda: go.wait(PATIENCE)) as batcher:
        await until(lambda: batcher.stuck)
        go.set()
        await until(lambda: not batcher.stuck)


@asynchronous
async def test_whose_fault_it_was_that_a_batch_failed_a_probe_tells_at_once(caplog: pytest.LogCaptureFixture) -> None:
    well, probes = True, list[bool]()

    def probe() -> int:
        probes.append(well)
        if not well:
            raise ZeroDivisionError
        return 1

    async with batcher_of(Network(), probe=probe) as batcher:
        await until(lambda: len(probes) == 2)
        assert isinstance(await ended(asyncio.create_task(batcher.submit("raise"))), ValueError)
        await until(lambda: len(probes) == 3)
        assert batcher.error is None
        well = False
        assert isinstance(await ended(asyncio.create_task(batcher.submit("raise"))), ValueError)
        await until(lambda: isinstance(batcher.error, ZeroDivisionError))
        assert (await batcher.submit("a")).result == "A"
        assert batcher.error is None
    assert caplog.text.count("the network fails its probe") == 1


@asynchronous
async def test_a_batcher_that_takes_up_nothing_again_is_said_to_be_stuck() -> None:
    def end(record: BatchRecord) -> None:
        raise asyncio.CancelledError

    async with batcher_of(Network(), record=end) as batcher:
        assert (await batcher.submit("last")).result == "LAST"
        await until(lambda: batcher.stuck)


@asynchronous
async def test_each_batch_is_recorded() -> None:
    network, records = Network(), []
    async with batcher_of(network, weigh=len, record=records.append) as batcher:
        first = await held(batcher, network)
        others = await waiting(batcher, ["aaa", "bb"])
        network.go.set()
        await asyncio.gather(first, *others)
        assert isinstance(await ended(asyncio.create_task(batcher.submit("raise"))), ValueError)
        await until(lambda: len(records) == 3)
    assert [(record.items, record.weight) for record in records] == [(1, 4), (2, 5), (1, 5)]
    assert [record.waiting for record in records] == [2, 0, 0]
    assert [type(record.error) for record in records] == [type(None), type(None), ValueError]
    assert all(len(record.queue_seconds) == record.items and min(record.queue_seconds) >= 0 for record in records)
    assert all(record.seconds >= 0 for record in records)


@asynchronous
async def test_a_hook_that_fails_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fail(record: BatchRecord) -> None:
        raise ZeroDivisionError

    async with batcher_of(Network(), record=fail) as batcher:
        assert [(await batcher.submit(item)).result for item in "ab"] == ["A", "B"]
        assert not batcher.stuck
    assert "a hook on the batch record failed" in caplog.text


@asynchronous
async def test_while_it_drains_what_waits_is_answered_and_nothing_new_is_taken() -> None:
    network = Network()
    async with batcher_of(network) as batcher:
        first = await held(batcher, network)
        (other,) = await waiting(batcher, ["waits"])
        batcher.drain()
        with pytest.raises(Draining):
            await batcher.submit_all(["new"])
        network.go.set()
        assert own(await asyncio.gather(first, other)) == ["HOLD", "WAITS"]


@asynchronous
async def test_what_is_abandoned_is_not_run() -> None:
    network = Network()
    async with batcher_of(network) as batcher:
        await held(batcher, network)
        (left, gone) = await waiting(batcher, ["waits", "gone"])
        gone.cancel()
        await asyncio.sleep(0)
        batcher.abandon()
        assert isinstance(await ended(left), Draining)
        network.go.set()
    assert network.ran == {"hold"}


def cancel(batcher: Batcher[str, str], task: "asyncio.Task[Outcome[str]]") -> None:
    task.cancel()


def abandon(batcher: Batcher[str, str], task: "asyncio.Task[Outcome[str]]") -> None:
    batcher.abandon()


def nothing(batcher: Batcher[str, str], task: "asyncio.Task[Outcome[str]]") -> None:
    pass


@pytest.mark.parametrize(
    ("item", "behind", "happens", "limits", "expected"),
    [
        pytest.param("raise", False, nothing, {}, ValueError, id="run raises"),
        pytest.param("few", False, nothing, {}, RuntimeError, id="run returns too few"),
        pytest.param("many", False, nothing, {}, RuntimeError, id="run returns too many"),
        pytest.param("exit", False, nothing, {}, RuntimeError, id="run raises SystemExit"),
        pytest.param("raise", True, None, {}, ValueError, id="run raises in the next batch"),
        pytest.param("ok", True, cancel, {}, asyncio.CancelledError, id="cancelled while waiting"),
        pytest.param("hold", False, cancel, {}, asyncio.CancelledError, id="cancelled while running"),
        pytest.param("ok", True, nothing, {"timeout": 0.5}, DeadlinePassed, id="deadline while waiting"),
        pytest.param("hold", False, nothing, {"timeout": 0.5}, DeadlinePassed, id="deadline while running"),
        pytest.param("ok", True, nothing, {"max_items": 1, "max_weight": 1}, None, id="the last that fits"),
        pytest.param("ok", True, abandon, {}, Draining, id="abandoned while waiting"),
        pytest.param("hold", False, abandon, {}, Draining, id="abandoned while running"),
    ],
)
@asynchronous
async def test_every_submit_ends_and_the_next_batch_is_served(
    item: str,
    behind: bool,
    happens: Callable[[Batcher[str, str], "asyncio.Task[Outcome[str]]"], None] | None,
    limits: dict[str, float],
    expected: type[BaseException] | None,
) -> None:
    network = Network()
    async with batcher_of(network, **limits) as batcher:
        if behind:
            await held(batcher, network)
            (task,) = await waiting(batcher, [item])
        else:
            task = asyncio.create_task(batcher.submit(item))
            await until(lambda: bool(network.batches))
        if happens is None or expected is None:
            network.go.set()
        else:
            happens(batcher, task)
        end = await ended(task)
        network.go.set()
        assert type(end) is (expected or type(None))
        if not batcher.draining:
            assert (await batcher.submit("next")).result == "NEXT"


@pytest.mark.parametrize(("item", "behind"), [("ok", True), ("hold", False)], ids=["waiting", "running"])
@asynchronous
async def test_every_submit_ends_when_the_batcher_closes(item: str, behind: bool) -> None:
    network = Network()
    async with batcher_of(network) as batcher:
        if behind:
            await held(batcher, network)
            (task,) = await waiting(batcher, [item])
        else:
            task = await held(batcher, network)
    end = await ended(task)
    network.go.set()
    assert isinstance(end, Draining)
    with pytest.raises(Draining):
        await batcher.submit("late")
