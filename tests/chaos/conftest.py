from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.support import tiny
from tests.support.request_ledger import Ledger, table
from tests.support.service import Server, running_server, wait_until

LEDGERS = pytest.StashKey[list[Ledger]]()
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
    parser.addoption("--full", action="store_true", help="with 10,000 connections instead of 1,000")
    parser.addoption("--table", type=Path, help="the page to write")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEDGERS] = []


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    page = session.config.getoption("--table", default=None)
    if page is not None and exitstatus == 0:
        ledgers: list[Ledger] = session.config.stash[LEDGERS]
        page.write_text(f"{PAGE}{table(ledgers)}\n", encoding="utf-8")


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.artifact(tmp_path_factory.mktemp("artifact"))


@pytest.fixture(scope="session")
def server(artifact: Path) -> Iterator[Server]:
    """A service whose time limits are just long enough to open 10,000 connections."""
    with running_server(artifact, "--workers", "2", connections=6_000, head_timeout=8, body_timeout=8) as running:
        yield running


Case = Callable[..., AbstractContextManager[Ledger]]


def answers(server: Server) -> bool:
    """Whether a worker answers a single document and a batch."""
    requests = ("/predict", {"text": "a late goal"}), ("/predict/batch", {"documents": [{"text": "a vote"}]})
    return all(server.post(path, body).status_code == 200 for path, body in requests)


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Case:
    """``with case("name", server) as ledger``: checks the ledger at the end and that the service answers again.

    ``server`` is None if the service has ended by then. ``dies``: a process was killed with the requests in it.
    """

    @contextmanager
    def start(title: str, server: Server | None, *, dies: bool = False) -> Iterator[Ledger]:
        ledger = Ledger(title)
        ledgers = request.config.stash.get(LEDGERS, None)
        if ledgers is not None:
            ledgers.append(ledger)
        yield ledger
        ledger.check(dies=dies)
        if server is not None:
            wait_until(lambda: all(answers(server) for _ in range(4)))  # connections go to the workers in turn
            wait_until(lambda: server.get("/health").json()["waiting"] == 0)

    return start


@pytest.fixture
def full(request: pytest.FixtureRequest) -> bool:
    """Whether to open all connections."""
    return bool(request.config.getoption("--full", default=False))
