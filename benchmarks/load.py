"""Load by ``wrk``, which posts documents in a closed loop or at a rate."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from model.errors import UsageError
from training.data import corpora

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HERE = Path(__file__).parent
TIMEOUT_SECONDS = 10
"""Seconds after which wrk counts a request as lost, and by which wrk may exceed its duration."""
RAMP_SECONDS = 4
"""Seconds in which all clients of ``crowd`` connect."""


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
    """What wrk counted after the ramp: requests ``answered`` with 200 in time, answered ``late``, and ``refused``.

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


def load_test_texts(corpus: str = corpora.DEFAULT_CORPUS) -> list[str]:
    """The texts of the test part of a corpus."""
    documents = corpora.load(corpus).test
    assert documents is not None
    return documents.texts


def encode_body(text: str) -> bytes:
    """The request for one document, without a line break."""
    return json.dumps({"text": text, "top_k": 1}).encode()


@contextmanager
def body_file(bodies: Iterable[bytes]) -> Iterator[Path]:
    """Yield a file with a request body a line."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"".join(body + b"\n" for body in bodies))
        file.flush()
        yield Path(file.name)


def post(port: int, bodies: Path, connections: int, seconds: int, path: str = "/predict") -> Report:
    """Post the lines of ``bodies``: each connection the next one as soon as it has an answer.

    Raises: ``OSError`` where wrk fails.
    """
    return Report(**_run_wrk("posts.lua", port, connections, seconds, bodies, path))


def crowd(
    port: int, bodies: Path, connections: int, seconds: int, rate: float, timeout: float, *, heed: bool
) -> CrowdReport:
    """Post at ``rate`` a second, as far as a connection is free, for ``seconds`` after the ramp.

    ``timeout``: seconds after which an answer is late. ``heed``: a connection that gets a 429 pauses for the seconds of
    its ``Retry-After``.
    """
    pace = (str(rate), str(timeout), str(RAMP_SECONDS), str(int(heed)))
    return CrowdReport(**_run_wrk("paced.lua", port, connections, RAMP_SECONDS + seconds, bodies, "/predict", *pace))


def _run_wrk(script: str, port: int, connections: int, seconds: int, *arguments: Path | str) -> Any:
    """Return the last line that wrk prints, which is the script's."""
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
    command += ["--timeout", f"{TIMEOUT_SECONDS}s", "--script", str(HERE / script), f"http://127.0.0.1:{port}", "--"]
    run = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=seconds + 2 * TIMEOUT_SECONDS, check=False
    )
    if run.returncode:
        raise OSError(f"wrk failed: {(run.stderr or run.stdout).strip()[:200]}")
    return json.loads(run.stdout.strip().splitlines()[-1])
