from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis  # noqa: F401  # its plugin would import it after the last test, where Python 3.11 can fail (CPython 106905)
import pytest

from model import device
from tests.support import fork_server

if TYPE_CHECKING:
    from collections.abc import Iterator


SLOW_FOLDERS = {"benchmarks", "chaos", "page"}
"""Tests that start other programs, break running services, or drive a browser."""
SLOW_MODULES = {
    "test_drain",
    "test_fuzz",
    "test_stderr",
    "test_supervisor",
    "test_time_limits",
    "test_tls",
    "test_watchdog",
}
"""Modules whose tests start a service with several workers, or wait for time limits."""


@pytest.hookimpl(tryfirst=True)  # the marker decides which tests are deselected
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.stem in SLOW_MODULES or SLOW_FOLDERS & set(item.path.relative_to(Path(__file__).parent).parts):
            item.add_marker("slow")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Threads of torch that wait for each other slow down a machine that is busy with other processes."""
    device.set_thread_count(1)


@pytest.fixture(scope="session", autouse=True)
def fork_server_process() -> Iterator[None]:
    """End the process that the tests' services are forked from, so that it saves its coverage."""
    yield
    fork_server.end()
