from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import tiny
from tests.support.service import WAIT_SECONDS, Server, running_server

MAX_BODY = 1_000_000
LIMITS: dict[str, Any] = {"max_body": MAX_BODY, "max_documents": 100, "max_characters": 500_000, "body_timeout": 3}


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.artifact(tmp_path_factory.mktemp("artifact"))


@pytest.fixture(scope="session")
def protocol_server(artifact: Path) -> Iterator[Server]:
    """A server of all protocols, with ``LIMITS``."""
    with running_server(artifact, protocols="all", **LIMITS) as running:
        yield running


@pytest.fixture(scope="session")
def client(protocol_server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=protocol_server.url, timeout=WAIT_SECONDS, verify=False) as opened:
        yield opened


@pytest.fixture(scope="session")
def failing_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of all protocols that queues one document for 0.2 s. Its network fails on the last word, ``law``.

    It reads about 400,000 words a second.
    """
    folder = tiny.failing_artifact(tmp_path_factory.mktemp("unwell"), window=0)
    with running_server(folder, protocols="oip,hf,tei", queue_documents=1, timeout=0.2) as running:
        yield running
