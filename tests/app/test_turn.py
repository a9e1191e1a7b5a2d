"""Workers of one service load another version one after the other."""

import threading
import time
from pathlib import Path

import pytest

from app.inference.reloader import POINTER_CHECK_SECONDS, hold_load_lock
from model.artifacts import artifact, registry
from tests.support import tiny
from tests.support.service import Server, running_server, wait_until

NAMES = ("old", "new")


def test_who_comes_second_waits_until_the_first_is_through(tmp_path: Path) -> None:
    second = threading.Event()

    def wait() -> None:
        with hold_load_lock(tmp_path):
            second.set()

    other = threading.Thread(target=wait)
    with hold_load_lock(tmp_path):
        other.start()
        assert not second.wait(0.2)
    assert second.wait(10)
    other.join()


def test_who_shares_no_folder_waits_for_nobody(tmp_path: Path) -> None:
    with hold_load_lock(None), hold_load_lock(None):
        assert not any(tmp_path.iterdir())


def test_a_worker_loads_another_version_when_it_is_its_turn_and_answers_meanwhile(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, own = tmp_path / "versions", tmp_path_factory.mktemp("own")  # a short path: sockets lie there
    old, new = (
        artifact.read_manifest(tiny.artifact(folder / name, seed=seed))["version"] for seed, name in enumerate(NAMES)
    )
    registry.write_pointer(folder, NAMES[0])
    monkeypatch.setenv("TMPDIR", str(own))
    with running_server(folder, workers=2) as server:
        (shared,) = own.glob("docket-*")
        with hold_load_lock(shared):
            registry.write_pointer(folder, NAMES[1])
            wait_until(lambda: server.get("/health").json()["reload"] == "loading")
            time.sleep(2 * POINTER_CHECK_SECONDS)  # both have looked by then
            assert {version(server) for _ in range(8)} == {old}
        wait_until(lambda: {version(server) for _ in range(8)} == {new})


def version(server: Server) -> str:
    return str(server.post("/predict", {"text": "the goal"}).json()["version"])
