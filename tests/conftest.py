from __future__ import annotations

from typing import TYPE_CHECKING

import hypothesis  # noqa: F401  # its plugin would import it after the last test, where Python 3.11 can fail (CPython 106905)
import pytest

from model import device
from tests.support import fork_server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Threads of torch that wait for each other slow down a machine that is busy with other processes."""
    device.set_thread_count(1)


@pytest.fixture(scope="session", autouse=True)
def fork_server_process() -> Iterator[None]:
    """End the process that the tests' services are forked from, so that it saves its coverage."""
    yield
    fork_server.end()
