from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support import tiny
from tests.support.request_ledger import Ledger, table
from tests.support.service import Server, running_server
from tests.support.survival import survived

ACCOUNTS = pytest.StashKey[list[Ledger]]()
PAGE = """# Faults that the service survives

Written by `make chaos` with real processes on loopback, two workers each. After each case the service answered again, a
single document and a batch, and its queue was empty. The same cases run in `make test-slow`, with fewer connections.

- *Sent*: requests that clients began.
- *Answered*: status 200.
- *Refused*: a status and a sentence, or a closed connection if the request was never complete.
- *Left*: the client closed the connection.
- *Cut*: the connection ended without an answer. Only the death of a process excuses it.
- *Lost*: neither an answer nor an end, or more than one answer.

These faults come without requests. An artifact cut at 50 places is refused each time. Of 200 artifacts with one flipped
bit each is refused or answers as before. An artifact that is replaced during a load is loaded in one version or
refused. A disk that fills up during a training ends it with exit code 2 and a sentence, and no partial file is left.

"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="as many connections as the issue asks for")
    parser.addoption("--table", type=Path, help="the page to write")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ACCOUNTS] = []


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    page = session.config.getoption("--table", default=None)
    if page is not None and exitstatus == 0:
        page.write_text(PAGE + table(session.config.stash[ACCOUNTS]) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.artifact(tmp_path_factory.mktemp("artifact"))


@pytest.fixture(scope="session")
def server(artifact: Path) -> Iterator[Server]:
    """It waits long enough for 10,000 connections to be opened, and not much longer."""
    with running_server(artifact, "--workers", "2", connections=6_000, head_timeout=8, body_timeout=8) as running:
        yield running


Case = Callable[..., AbstractContextManager[Ledger]]


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Case:
    """``with case("what happens", server) as ledger``: its account, checked at the end and kept for the table.

    ``server`` is asked again then, unless it is None: it has ended as it was told to.
    """

    def begun(title: str, server: Server | None, *, dies: bool = False) -> AbstractContextManager[Ledger]:
        ledger = Ledger(title)
        accounts = request.config.stash.get(ACCOUNTS, None)
        if accounts is not None:
            accounts.append(ledger)
        return survived(server, ledger, dies=dies)

    return begun


@pytest.fixture
def full(request: pytest.FixtureRequest) -> bool:
    """Whether there is time for all of it."""
    return bool(request.config.getoption("--full", default=False))
