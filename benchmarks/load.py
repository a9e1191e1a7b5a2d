"""The load: ``wrk`` posts real documents in a closed loop, and says what came back."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from model.refusal import Refusal

HERE = Path(__file__).parent
PATIENCE = 10
"""Seconds until wrk counts a request as lost, and that it may take longer than it was told to."""


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

    @classmethod
    def of(cls, said: str) -> Report:
        """From what wrk printed: the script's own line is the last."""
        return cls(**json.loads(said.strip().splitlines()[-1]))


def check_wrk() -> None:
    """Raise ``Refusal`` where there is no wrk."""
    if shutil.which("wrk") is None:
        raise Refusal("the load comes from wrk, and there is none here: apt-get install wrk, or your system's like")


def post(port: int, path: str, bodies: Path, connections: int, seconds: int, rate: float | None = None) -> Report:
    """Post the lines of ``bodies`` to ``path``: each connection its next as soon as it has an answer.

    ``rate``: so many a second instead, in all, as far as a connection is free. Raises ``OSError`` where wrk cannot.
    """
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
    script, paced = ("posts.lua", []) if rate is None else ("paced.lua", [str(rate)])
    command += ["--timeout", f"{PATIENCE}s", "--script", str(HERE / script), f"http://127.0.0.1:{port}", "--"]
    command += [str(bodies), path, *paced]
    run = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 2 * PATIENCE, check=False)
    if run.returncode:
        raise OSError(f"wrk says: {(run.stderr or run.stdout).strip()[:200]}")
    return Report.of(run.stdout)
