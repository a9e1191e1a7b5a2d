"""Another version replaces the current one under load; a broken version is refused and changes nothing."""

import asyncio
import gc
import os
import shutil
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.inference.batcher import Batcher
from app.inference.encoded_documents import EncodedDocument, classify_batch, weigh
from app.inference.queue import QueueLimits
from app.inference.reloader import POINTER_CHECK_SECONDS, Reloader, hold_load_lock
from app.observability.metrics import Metrics
from model.artifacts import artifact as artifacts
from model.artifacts import registry
from model.classifier import Classifier
from tests.support import batching, tiny
from tests.support.processes import worker_pids
from tests.support.service import WAIT_SECONDS, Server, metric_value, run_docket, running_server, wait_until

LABELS = {"old": {"politics", "sports"}, "new": {"blue", "green", "red"}}
"""The versions share no label, and no word has the same id in both, so a mixed answer shows."""
TEXT = "the late goal won the cup for the home side"
LIMITS = QueueLimits(batch_weight=16_384, max_items=64, max_weight=2**20, timeout=WAIT_SECONDS, timeout_share=0.8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of the versions ``old``, which is current, and ``new``."""
    tiny.add_golden(tiny.artifact(tmp_path / "old", profile=tiny.PROFILE))
    tiny.add_golden(tiny.artifact(tmp_path / "new", labels=sorted(LABELS["new"]), words=tiny.WORDS[:3:-1], seed=1))
    registry.write_pointer(tmp_path, "old")
    return tmp_path


def version_in(folder: Path) -> str:
    return str(artifacts.read_manifest(folder)["version"])


def load_versions(folder: Path) -> dict[str, Classifier]:
    return {name: Classifier.load(folder / name, "cpu") for name in LABELS}


def replace_artifact(folder: Path) -> None:
    """Write ``new`` over the artifact ``old``."""
    with artifacts.replace_folder(folder / "old") as beside:
        shutil.copytree(folder / "new", beside, dirs_exist_ok=True)


def reload_status(server: Server) -> str:
    return str(server.get("/health").json()["reload"])


def served_version(server: Server) -> str:
    """The version of an answer over a new connection, so that any worker may answer."""
    return str(server.post("/predict", {"text": TEXT}).json()["version"])


def serving_pids(server: Server, workers: int) -> set[int]:
    return {server.process.pid} if workers == 1 else set(worker_pids(server))


def wait_until_served(server: Server, version: str) -> None:
    wait_until(lambda: served_version(server) == version)


@contextmanager
def constant_load(server: Server, clients: int = 4) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    """Clients that send one document and a batch in turn; the statuses and bodies of all answers."""
    stop, answers = threading.Event(), []

    def send_requests() -> None:
        with httpx.Client(base_url=server.url, timeout=WAIT_SECONDS, verify=False) as client:
            while not stop.is_set():
                for path, body in (
                    ("/predict", {"text": TEXT}),
                    ("/predict/batch", {"documents": [{"text": TEXT}] * 3}),
                ):
                    answer = client.post(path, json=body)
                    answers.append((answer.status_code, answer.json()))

    threads = [threading.Thread(target=send_requests) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join(WAIT_SECONDS)


def test_a_reload_under_load_answers_every_request_by_the_version_that_the_answer_names(folder: Path) -> None:
    expected = {
        classifier.version: dict(classifier.predict([classifier.encode(TEXT)])[0].scores)
        for classifier in load_versions(folder).values()
    }
    with running_server(folder) as server, constant_load(server) as answers:
        for name in ("new", "old", "new"):
            registry.write_pointer(folder, name)
            wait_until_served(server, version_in(folder / name))
        count = len(answers)
        wait_until(lambda: len(answers) > count + 20)
    assert {status for status, _ in answers} == {200}
    assert {body["version"] for _, body in answers} == expected.keys()
    for _, body in answers:
        for result in body.get("results", [body]):
            scores = {score["label"]: score["score"] for score in result["scores"]}
            assert result["version"] == body["version"]
            assert scores == pytest.approx(expected[body["version"]])


def test_a_batch_of_two_versions_is_run_by_each_for_its_documents(folder: Path) -> None:
    versions = load_versions(folder)
    texts = [("old", TEXT), ("old", "a vote"), ("new", TEXT), ("old", "quux"), ("new", "law"), ("new", "goal")]
    batch = classify_batch([EncodedDocument(versions[name], versions[name].encode(text)) for name, text in texts])
    for (name, text), classified in zip(texts, batch, strict=True):
        (alone,) = versions[name].predict([versions[name].encode(text)])
        assert dict(classified.scores) == pytest.approx(dict(alone.scores))
    assert classify_batch([]) == []


SPOILT: dict[Callable[[Path], object], str] = {
    tiny.flip_bit: "model.pt is not the file that manifest.json names",
    tiny.truncate: "model.pt is not the file that manifest.json names",
    tiny.change_golden_labels: "golden document 1",
    shutil.rmtree: "is no artifact",
}
"""What breaks a version, and the reason of its refusal."""


def check_refusal(server: Server, folder: Path, spoil: Callable[[Path], object], reason: str) -> None:
    broken = folder / "broken"
    shutil.copytree(folder / "new", broken)
    spoil(broken)
    refused, lines = metric_value(server, "docket_reloads_total", outcome="refused"), len(server.lines)
    registry.write_pointer(folder, broken.name)
    wait_until(lambda: metric_value(server, "docket_reloads_total", outcome="refused") > refused)
    status = reload_status(server)
    assert status.startswith("refused: ")
    assert reason in status
    # The health needs no key, so it shows no path and no label of the refused version.
    assert str(folder.parent) not in status
    assert not any(f" {label} " in status for label in (*tiny.LABELS, "weather"))
    wait_until(lambda: any(reason in line for line in server.lines[lines:]))
    shutil.rmtree(broken, ignore_errors=True)


def test_a_broken_version_is_refused_with_the_reason_and_the_old_one_stays(folder: Path) -> None:
    old = version_in(folder / "old")
    with running_server(folder) as server:
        assert reload_status(server) == "ok"
        for spoil, reason in SPOILT.items():
            check_refusal(server, folder, spoil, reason)
            assert server.get("/health").json()["version"] == served_version(server) == old
            assert server.get("/health/ready").status_code == 200
        assert "Traceback" not in "".join(server.lines)
        assert metric_value(server, "docket_artifact_info", version=old) == 1

        registry.write_pointer(folder, "old")  # the current version is not loaded again
        wait_until(lambda: reload_status(server) == "ok")
        assert metric_value(server, "docket_reloads_total", outcome="taken") == 0
        (folder / registry.POINTER_FILE).write_text("\n")
        wait_until(lambda: "does not name a subfolder" in reload_status(server))
        (folder / registry.POINTER_FILE).unlink()
        wait_until(lambda: "none of them is current" in reload_status(server))
        assert served_version(server) == old
        registry.write_pointer(folder, "new")
        wait_until(lambda: served_version(server) == version_in(folder / "new"))
        assert metric_value(server, "docket_reloads_total", outcome="taken") == 1


def test_all_workers_follow_the_pointer_and_the_metrics_have_the_new_version_alone(folder: Path) -> None:
    old, new = version_in(folder / "old"), version_in(folder / "new")
    with running_server(folder, "--workers", "2") as server:
        assert metric_value(server, "docket_profile_unknown_rate", version=old) > 0
        registry.write_pointer(folder, "new")
        wait_until(lambda: metric_value(server, "docket_reloads_total", outcome="taken") == 2)
        for _ in range(30):
            assert served_version(server) == new
            text = server.get("/metrics").text
            assert old not in text
            assert f'docket_artifact_info{{device="cpu",version="{new}"}} 1.0' in text
        assert reload_status(server) == "ok"


@pytest.mark.parametrize("workers", [1, 2])
def test_sighup_reloads_a_replaced_artifact_in_every_worker_and_ends_none(folder: Path, workers: int) -> None:
    """An artifact without a pointer is read again on SIGHUP alone."""
    old, new = version_in(folder / "old"), version_in(folder / "new")
    with running_server(folder / "old", "--workers", str(workers)) as server:
        wait_until(lambda: len(serving_pids(server, workers)) == workers)
        pids = serving_pids(server, workers)
        replace_artifact(folder)
        assert served_version(server) == old
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: metric_value(server, "docket_reloads_total", outcome="taken") == workers)
        assert {served_version(server) for _ in range(20)} == {new}
        server.process.send_signal(signal.SIGHUP)  # without a new version it changes nothing
        assert served_version(server) == new
        assert serving_pids(server, workers) == pids


def test_sighup_ends_no_worker_that_is_still_starting(folder: Path) -> None:
    with running_server(folder / "old", "--workers", "2") as server:
        wait_until(lambda: len(worker_pids(server)) == 2)
        pids = set(worker_pids(server))
        os.kill(min(pids), signal.SIGKILL)
        wait_until(lambda: len(set(worker_pids(server)) - pids) == 1)
        replaced_pids = set(worker_pids(server))
        replace_artifact(folder)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: {served_version(server) for _ in range(10)} == {version_in(folder / "new")})
        assert set(worker_pids(server)) == replaced_pids


def test_a_worker_that_starts_while_the_current_version_is_refused_serves_the_previous_one(folder: Path) -> None:
    with running_server(folder, "--workers", "2") as server:
        tiny.flip_bit(folder / "new")
        registry.write_pointer(folder, "new")
        wait_until(lambda: metric_value(server, "docket_reloads_total", outcome="refused") >= 2)
        pids = set(worker_pids(server))
        os.kill(min(pids), signal.SIGKILL)
        wait_until(lambda: len(set(worker_pids(server)) - pids) == 1)
        wait_until(lambda: metric_value(server, "docket_reloads_total", outcome="refused") >= 3)
        assert {served_version(server) for _ in range(20)} == {version_in(folder / "old")}
        assert reload_status(server).startswith("refused: ")


def test_a_start_with_a_broken_version_is_refused(folder: Path) -> None:
    tiny.change_golden_labels(folder / "old")
    done = run_docket("serve", folder, "--port", 0)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1), done.stderr
    assert b"golden document 1" in done.stderr


def test_a_refused_version_is_tried_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network folder may show the pointer before the version."""
    monkeypatch.setattr("app.inference.reloader.RETRY_REFUSED_SECONDS", 0.0)

    async def reload_twice() -> None:
        (folder / "new").rename(folder / ".new")
        async with Reloader(folder, "cpu", Metrics()) as reloader:
            registry.write_pointer(folder, "new")
            reloader.request_reload()
            await batching.wait_until(lambda: reloader.status.startswith("refused"))
            (folder / ".new").rename(folder / "new")
            await batching.wait_until(lambda: reloader.status == "ok")
            assert reloader.current.version == version_in(folder / "new")

    asyncio.run(reload_twice())


def test_the_old_version_answers_its_last_request_and_is_then_freed_without_garbage_collection(folder: Path) -> None:
    async def reload() -> None:
        gc.disable()
        async with Reloader(folder, "cpu", Metrics()) as reloader, Batcher(classify_batch, weigh, LIMITS) as batcher:
            gc.freeze()
            old = reloader.current
            reference = weakref.ref(old)
            document = EncodedDocument(old, old.encode(TEXT))
            registry.write_pointer(folder, "new")
            reloader.request_reload()
            await batching.wait_until(lambda: reloader.current.version == version_in(folder / "new"))
            outcome = await batcher.submit(document)
            assert {label for label, _ in outcome.result.scores} == LABELS["old"]
            batcher.submit(document).cancel()
            del old, document, outcome
            # The thread releases its batch a moment after the result.
            await batching.wait_until(lambda: reference() is None)

    try:
        asyncio.run(reload())
    finally:
        gc.enable()
        gc.unfreeze()


def test_workers_load_a_version_one_after_another_and_serve_the_old_one_meanwhile(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path_factory.mktemp("shared")  # a short path, since it holds sockets
    monkeypatch.setenv("TMPDIR", str(temporary))
    with running_server(folder, workers=2) as server:
        (shared_folder,) = temporary.glob("docket-*")
        with hold_load_lock(shared_folder):
            registry.write_pointer(folder, "new")
            wait_until(lambda: reload_status(server) == "loading")
            time.sleep(2 * POINTER_CHECK_SECONDS)  # both workers have read the pointer by then
            assert {served_version(server) for _ in range(8)} == {version_in(folder / "old")}
        wait_until(lambda: {served_version(server) for _ in range(8)} == {version_in(folder / "new")})
