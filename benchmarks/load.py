"""Load by ``wrk``, which posts documents in a closed loop or at a rate."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from model.errors import UsageError

HERE = Path(__file__).parent
TIMEOUT_SECONDS = 10
"""Seconds after which wrk counts a request as lost, and by which wrk may exceed its duration."""
RAMP = 4
"""Seconds in which all clients connect."""


class Report(NamedTuple):
    """What wrk counted: ``requests`` that were answered in ``seconds``, ``refused`` of them with a status above 399.

    ``lost``: connections and requests that failed or took too long. ``p50`` and ``p99``: latency in milliseconds.
    """

    requests: int
    seconds: float
    refused: int
    lost: int
    p50: float
    p99: float


class CrowdReport(NamedTuple):
    """What wrk counted after ``RAMP``: requests ``answered`` with 200 in time, answered ``late``, and ``refused``.

    ``lost``: connections and requests that failed or took too long, in all the time.
    """

    answered: int
    late: int
    refused: int
    lost: int


def check_wrk() -> None:
    """Raise ``UsageError`` where there is no wrk."""
    if shutil.which("wrk") is None:
        raise UsageError("the load comes from wrk, and there is none here: apt-get install wrk, or your system's like")


def post(port: int, path: str, bodies: Path, connections: int, seconds: int) -> Report:
    """Post the lines of ``bodies`` to ``path``: each connection its next as soon as it has an answer.

    Raises ``OSError`` where wrk cannot.
    """
    return Report(**_wrk("posts.lua", port, connections, seconds, bodies, path))


def crowd(
    port: int, path: str, bodies: Path, connections: int, seconds: int, rate: float, patience: float, *, heed: bool
) -> CrowdReport:
    """Post at ``rate`` a second, as far as a connection is free, for ``seconds`` after ``RAMP``.

    ``heed``: a connection that gets a 429 pauses for the seconds of its ``Retry-After``.
    """
    pace = (str(rate), str(patience), str(RAMP), str(int(heed)))
    return CrowdReport(**_wrk("paced.lua", port, connections, RAMP + seconds, bodies, path, *pace))


def _wrk(script: str, port: int, connections: int, seconds: int, *arguments: Path | str) -> Any:
    """What wrk printed: the script's own line is the last."""
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
    command += ["--timeout", f"{TIMEOUT_SECONDS}s", "--script", str(HERE / script), f"http://127.0.0.1:{port}", "--"]
    run = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=seconds + 2 * TIMEOUT_SECONDS, check=False
    )
    if run.returncode:
        raise OSError(f"wrk says: {(run.stderr or run.stdout).strip()[:200]}")
    return json.loads(run.stdout.strip().splitlines()[-1])
