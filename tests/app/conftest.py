from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import tiny
from tests.support.service import WAIT_SECONDS, Server, running_server, write_key_file


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.artifact(tmp_path_factory.mktemp("artifact"), profile=tiny.PROFILE)


@pytest.fixture(scope="session")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It reads a document from end to end, in about 2.5 s a million words."""
    return tiny.artifact(tmp_path_factory.mktemp("slow"), window=0)


@pytest.fixture(scope="session")
def server(artifact: Path) -> Iterator[Server]:
    with running_server(artifact) as running:
        yield running


@pytest.fixture(scope="session")
def keys_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="session")
def held(keys_folder: Path) -> list[str]:
    """The keys that ``keyed`` lets in."""
    return write_key_file(keys_folder / "keys", "shop", "desk")


@pytest.fixture(scope="session")
def keyed(artifact: Path, keys_folder: Path, held: list[str]) -> Iterator[Server]:
    with running_server(artifact, api_keys_file=keys_folder / "keys", protocols="all") as running:
        yield running


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=WAIT_SECONDS, verify=False) as opened:
        yield opened
