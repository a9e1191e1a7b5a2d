from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import tiny
from tests.support.service import WAIT_SECONDS, Server, running_server

MOST = 1_000_000
LIMITS = {"max_body": MOST, "max_documents": 100, "max_characters": 500_000, "body_timeout": 3}


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.artifact(tmp_path_factory.mktemp("artifact"))


@pytest.fixture(scope="session")
def speaking(artifact: Path) -> Iterator[Server]:
    """It speaks all protocols, within ``LIMITS``."""
    with running_server(artifact, protocols="all", **LIMITS) as running:
        yield running


@pytest.fixture(scope="session")
def client(speaking: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=speaking.url, timeout=WAIT_SECONDS, verify=False) as opened:
        yield opened


@pytest.fixture(scope="session")
def ailing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It speaks all protocols, lets one document wait, and for a moment; its network fails on the last word, ``law``.

    It reads a document from end to end, in about 2.5 s a million words.
    """
    folder = tiny.failing_artifact(tmp_path_factory.mktemp("ailing"), window=0)
    with running_server(folder, protocols="oip,hf,tei", queue_documents=1, timeout=0.2) as running:
        yield running
