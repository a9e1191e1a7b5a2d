"""A network that fails during a batch: each waiting client gets an error, and the service serves again."""

import asyncio
from pathlib import Path

import pytest

from tests.chaos.conftest import Case
from tests.support.async_http import run_clients
from tests.support.service import WAIT_SECONDS, running_server

pytestmark = pytest.mark.slow
REQUESTS, CLIENTS = 600, 16


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        ("raise@7", "raises on its 7th batch"),
        ("few@7", "returns one answer too few"),
        ("memory@7", "runs out of memory"),
        ("hang@7", "hangs"),
        ("kill@7", "takes its process along"),
    ],
)
def test_a_network_that_fails_once_leaves_no_client_without_an_answer(
    artifact: Path, case: Case, fault: str, failure: str
) -> None:
    with (
        running_server(artifact, "--workers", "2", fault=fault, timeout=2) as server,
        case(f"the network {failure}", server, dies=fault in {"hang@7", "kill@7"}) as ledger,
    ):
        load = run_clients(server, ledger, CLIENTS, lambda: ledger.sent >= REQUESTS)
        answers = asyncio.run(asyncio.wait_for(load, WAIT_SECONDS))
        statuses = {answer.status for answer in answers}
        assert 200 in statuses
        assert statuses <= {200, 429, 500, 503, 504}
        if fault != "hang@7":  # a client behind a hung network tries again until the process ends
            assert ledger.refused + ledger.cut <= CLIENTS * 3
