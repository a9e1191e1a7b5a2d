"""A network that fails in the middle of its work: whoever waited for it is told, and the service serves again."""

import asyncio
from pathlib import Path

import pytest

from tests.chaos.conftest import Case
from tests.support.async_http import run_clients
from tests.support.service import WAIT_SECONDS, running_server

pytestmark = pytest.mark.slow
REQUESTS, CLIENTS = 600, 16


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ("raise@7", "raises on its 7th batch"),
        ("few@7", "returns one answer too few"),
        ("memory@7", "runs out of memory"),
        ("hang@7", "hangs"),
        ("kill@7", "takes its process along"),
    ],
)
def test_a_network_that_fails_once_leaves_nobody_without_an_answer_or_a_reason(
    artifact: Path, case: Case, fault: str, what: str
) -> None:
    with (
        running_server(artifact, "--workers", "2", fault=fault, timeout=2) as server,
        case(f"the network {what}", server, dies=fault in {"hang@7", "kill@7"}) as ledger,
    ):
        rule = run_clients(server, ledger, CLIENTS, lambda: ledger.sent >= REQUESTS)
        answers = asyncio.run(asyncio.wait_for(rule, WAIT_SECONDS))
        statuses = {answer.status for answer in answers}
        assert 200 in statuses
        assert statuses <= {200, 429, 500, 503, 504}
        often = 15 if fault == "hang@7" else 3  # who waits behind it is told so once a second until it is ended
        assert ledger.refused + ledger.cut <= CLIENTS * often
