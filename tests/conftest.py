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
    """Two threads of torch beside another busy process spin against each other, as ``training.job`` says."""
    device.set_thread_count(1)


@pytest.fixture(scope="session", autouse=True)
def prepared_process() -> Iterator[None]:
    """What the services of the tests are copies of has ended, and counted its lines, when the tests have."""
    yield
    fork_server.end()
