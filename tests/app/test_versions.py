"""Another version takes the place of the one that is served, while it serves."""

import asyncio
import gc
import os
import shutil
import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.inference.batcher import Batcher
from app.inference.documents import EncodedDocument, classify_batch, weigh
from app.inference.queue import QueueLimits
from app.inference.reloader import Reloader
from app.observability.metrics import Metrics
from model.artifacts import artifact as artifacts
from model.artifacts import registry
from model.classifier import Classifier
from tests.support import tiny
from tests.support.processes import worker_pids as spawned
from tests.support.service import WAIT_SECONDS, Server, metric_value, run_docket, running_server, wait_until

LABELS = {"old": {"politics", "sports"}, "new": {"blue", "green", "red"}}
"""No label is one of both, and no word has the same id in both: an answer that is mixed shows."""
TEXT = "the late goal won the cup for the home side"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """``old`` and ``new`` side by side, ``old`` current."""
    tiny.add_golden(tiny.artifact(tmp_path / "old", profile=tiny.PROFILE))
    tiny.add_golden(tiny.artifact(tmp_path / "new", labels=sorted(LABELS["new"]), words=tiny.WORDS[:3:-1], seed=1))
    registry.write_pointer(tmp_path, "old")
    return tmp_path


def digits(folder: Path) -> str:
    return str(artifacts.read_manifest(folder)["version"])


def loaded(folder: Path) -> dict[str, Classifier]:
    return {name: Classifier.load(folder / name, "cpu") for name in LABELS}


def scores(classifier: Classifier) -> dict[str, float]:
    return dict(classifier.predict([classifier.encode(TEXT)])[0].scores)


def reload(server: Server) -> str:
    return str(server.get("/health").json()["reload"])


def version(server: Server) -> str:
    """On a connection of its own, so that any worker may answer."""
    return str(server.post("/predict", {"text": TEXT}).json()["version"])


@contextmanager
def asked_all_the_time(server: Server, clients: int = 4) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    """Clients that ask one document and several in turn; status and body of every answer, for as long as it lasts."""
    over, answers = threading.Event(), []

    def ask() -> None:
        with httpx.Client(base_url=server.url, timeout=WAIT_SECONDS, verify=False) as client:
            while not over.is_set():
                for path, body in (
                    ("/predict", {"text": TEXT}),
                    ("/predict/batch", {"documents": [{"text": TEXT}] * 3}),
                ):
                    answer = client.post(path, json=body)
                    answers.append((answer.status_code, answer.json()))

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        over.set()
        for thread in threads:
            thread.join(WAIT_SECONDS)


def test_a_swap_under_load_answers_every_request_whole_by_the_version_that_it_names(folder: Path) -> None:
    expected = {each.version: scores(each) for each in loaded(folder).values()}
    with running_server(folder) as server, asked_all_the_time(server) as answers:
        for name in ("new", "old", "new"):
            registry.write_pointer(folder, name)
            wait_until(lambda name=name: version(server) == digits(folder / name))
        before = len(answers)
        wait_until(lambda: len(answers) > before + 20)
    assert {status for status, _ in answers} == {200}
    for _, body in answers:
        for one in body.get("results", [body]):
            assert one["version"] == body["version"]
            assert {each["label"]: each["score"] for each in one["scores"]} == pytest.approx(expected[body["version"]])
    assert {body["version"] for _, body in answers} == expected.keys()


def test_a_batch_in_which_two_versions_meet_is_run_by_each_for_its_own(folder: Path) -> None:
    both = loaded(folder)
    texts = [("old", TEXT), ("old", "a vote"), ("new", TEXT), ("old", "quux"), ("new", "law"), ("new", "goal")]
    together = classify_batch([EncodedDocument(both[name], both[name].encode(text)) for name, text in texts])
    for (name, text), found in zip(texts, together, strict=True):
        alone = both[name].predict([both[name].encode(text)])[0]
        assert found.classifier is both[name]
        assert dict(found.prediction.scores) == pytest.approx(dict(alone.scores))
    assert classify_batch([]) == []


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (tiny.flip_bit, "model.pt is not the file that manifest.json names"),
        (tiny.truncate, "model.pt is not the file that manifest.json names"),
        (tiny.change_golden_labels, "golden document 1"),
        (shutil.rmtree, "is no artifact"),
    ],
    ids=["bit flipped", "cut short", "golden answer wrong", "not there"],
)
def test_a_broken_version_leaves_the_old_one_and_says_why_until_another_is_current(
    folder: Path, spoil: Callable[[Path], None], why: str
) -> None:
    shutil.copytree(folder / "new", folder / "whole")
    spoil(folder / "new")
    with running_server(folder) as server:
        assert reload(server) == "ok"
        assert metric_value(server, "docket_reloads_total") == 0
        registry.write_pointer(folder, "new")
        wait_until(lambda: reload(server).startswith("refused: "))
        assert why in reload(server)
        assert str(folder.parent) not in reload(
            server
        )  # health needs no key: no path, and no label of the other version
        assert not any(f" {label} " in reload(server) for label in (*tiny.LABELS, "weather"))
        assert server.get("/health").json()["version"] == version(server) == digits(folder / "old")
        assert server.get("/health/ready").status_code == 200
        assert metric_value(server, "docket_reloads_total", outcome="refused") == 1
        assert metric_value(server, "docket_artifact_info", version=digits(folder / "old")) == 1
        wait_until(lambda: any(why in line for line in server.lines))
        assert "Traceback" not in "".join(server.lines)

        registry.write_pointer(folder, "old")  # what is served already is not loaded again
        wait_until(lambda: reload(server) == "ok")
        assert metric_value(server, "docket_reloads_total", outcome="taken") == 0
        registry.write_pointer(folder, "whole")
        wait_until(lambda: version(server) == digits(folder / "whole"))
        assert metric_value(server, "docket_reloads_total", outcome="taken") == 1


def test_a_pointer_that_says_nothing_or_is_gone_leaves_the_old_version(folder: Path) -> None:
    with running_server(folder) as server:
        (folder / registry.POINTER_FILE).write_text("\n")
        wait_until(lambda: "does not name a subfolder" in reload(server))
        (folder / registry.POINTER_FILE).unlink()
        wait_until(lambda: "none of them is current" in reload(server))
        assert version(server) == digits(folder / "old")
        registry.write_pointer(folder, "new")
        wait_until(lambda: version(server) == digits(folder / "new"))


def test_all_workers_follow_the_pointer_and_the_metrics_have_the_new_version_alone(folder: Path) -> None:
    with running_server(folder, "--workers", "2") as server:
        assert metric_value(server, "docket_profile_unknown_rate", version=digits(folder / "old")) > 0
        registry.write_pointer(folder, "new")
        wait_until(lambda: metric_value(server, "docket_reloads_total", outcome="taken") == 2)
        for _ in range(30):
            assert version(server) == digits(folder / "new")
            text = server.get("/metrics").text
            assert digits(folder / "old") not in text
            assert f'docket_artifact_info{{device="cpu",version="{digits(folder / "new")}"}} 1.0' in text
        assert reload(server) == "ok"


@pytest.mark.parametrize("workers", [1, 2])
def test_sighup_has_every_worker_take_the_artifact_that_replaced_its_own_and_ends_none(
    folder: Path, workers: int
) -> None:
    """Without a pointer nothing is looked at until then: an artifact is read once."""
    old, new = digits(folder / "old"), digits(folder / "new")
    with running_server(folder / "old", "--workers", str(workers)) as server:
        wait_until(lambda: len(children(server, workers)) == workers)
        before = children(server, workers)
        with artifacts.replace_folder(folder / "old") as beside:
            shutil.copytree(folder / "new", beside, dirs_exist_ok=True)
        assert version(server) == old
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: metric_value(server, "docket_reloads_total", outcome="taken") == workers)
        assert {version(server) for _ in range(20)} == {new}
        server.process.send_signal(signal.SIGHUP)  # and where there is nothing new nothing happens
        assert version(server) == new
        assert children(server, workers) == before


def test_sighup_ends_no_worker_that_is_still_starting(folder: Path) -> None:
    with running_server(folder / "old", "--workers", "2") as server:
        wait_until(lambda: len(children(server, 2)) == 2)
        before = children(server, 2)
        os.kill(min(before), signal.SIGKILL)
        wait_until(lambda: len(children(server, 2) - before) == 1)
        started = children(server, 2)
        with artifacts.replace_folder(folder / "old") as beside:
            shutil.copytree(folder / "new", beside, dirs_exist_ok=True)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: {version(server) for _ in range(10)} == {digits(folder / "new")})
        assert children(server, 2) == started


def children(server: Server, workers: int) -> set[int]:
    """The processes that answer."""
    return {server.process.pid} if workers == 1 else set(spawned(server))


def test_a_worker_that_is_replaced_while_the_current_version_is_refused_serves_the_one_before(folder: Path) -> None:
    with running_server(folder, "--workers", "2") as server:
        tiny.flip_bit(folder / "new")
        registry.write_pointer(folder, "new")
        wait_until(lambda: metric_value(server, "docket_reloads_total", outcome="refused") >= 2)
        before = children(server, 2)
        os.kill(min(before), signal.SIGKILL)
        wait_until(lambda: len(children(server, 2) - before) == 1)
        wait_until(lambda: metric_value(server, "docket_reloads_total", outcome="refused") >= 3)
        assert {version(server) for _ in range(20)} == {digits(folder / "old")}
        assert reload(server).startswith("refused: ")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [(tiny.flip_bit, "model.pt"), (tiny.change_golden_labels, "golden document 1")],
    ids=["bit", "golden"],
)
def test_a_start_with_a_broken_current_version_is_refused(
    folder: Path, spoil: Callable[[Path], None], why: str
) -> None:
    spoil(folder / "old")
    done = run_docket("serve", folder, "--port", 0)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1), done.stderr
    assert why in done.stderr.decode()


def test_what_is_refused_is_tried_again_without_being_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder over a network may show the pointer before the version."""
    monkeypatch.setattr("app.inference.reloader.RETRY_REFUSED_SECONDS", 0.0)

    async def wait() -> None:
        (folder / "new").rename(folder / ".new")
        async with Reloader(folder, "cpu", Metrics()) as served:
            registry.write_pointer(folder, "new")
            served.request_reload()
            async with asyncio.timeout(WAIT_SECONDS):
                while not served.status.startswith("refused"):  # noqa: ASYNC110  # nobody but this test waits for it
                    await asyncio.sleep(0.01)
                (folder / ".new").rename(folder / "new")
                while served.status != "ok":  # noqa: ASYNC110  # nobody but this test waits for it
                    await asyncio.sleep(0.01)
            assert served.current.version == digits(folder / "new")

    asyncio.run(wait())


def test_who_waits_in_the_queue_holds_nothing_of_a_document_that_nobody_waited_for(folder: Path) -> None:
    async def leave() -> None:
        classifier = Classifier.load(folder, "cpu")
        gone = weakref.ref(classifier)
        async with Batcher(classify_batch, weigh, QueueLimits(16_384, 64, 2**20, WAIT_SECONDS, 0.8)) as batcher:
            batcher.enqueue(EncodedDocument(classifier, classifier.encode(TEXT))).cancel()
            del classifier
            async with asyncio.timeout(WAIT_SECONDS):
                while gone() is not None:  # noqa: ASYNC110  # a reference that dies sets no event
                    await asyncio.sleep(0.01)

    gc.disable()
    try:
        asyncio.run(leave())
    finally:
        gc.enable()


def test_the_old_version_is_gone_with_its_last_answer_though_all_is_frozen(folder: Path) -> None:
    """And an answer that was begun before the swap is the old one's."""

    async def swap() -> None:
        limits = QueueLimits(16_384, 64, 2**20, WAIT_SECONDS, 0.8)
        gc.disable()
        async with Reloader(folder, "cpu", Metrics()) as served, Batcher(classify_batch, weigh, limits) as batcher:
            gc.freeze()
            old = served.current
            parts = [weakref.ref(part) for part in (old, old._artifact.network, old._artifact.vocabulary)]
            item = EncodedDocument(old, old.encode(TEXT))
            registry.write_pointer(folder, "new")
            served.request_reload()
            async with asyncio.timeout(WAIT_SECONDS):
                while served.current is old:  # noqa: ASYNC110  # nobody but this test waits for it
                    await asyncio.sleep(0.01)
            outcome = await batcher.submit(item)
            assert {label for label, _ in outcome.result.prediction.scores} == LABELS["old"]
            del old, item, outcome
            async with asyncio.timeout(WAIT_SECONDS):
                # the thread lets go of the batch a moment after its result is known
                while any(part() is not None for part in parts):  # noqa: ASYNC110  # a reference that dies sets no event
                    await asyncio.sleep(0.01)

    try:
        asyncio.run(swap())
    finally:
        gc.enable()
        gc.unfreeze()
