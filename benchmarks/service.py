"""The service: requests a second and latency over loopback, beside an endpoint that does nothing."""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from training import corpora

CONNECTIONS, SECONDS = 64, 8.0
ECHO = """
import fastapi, pydantic
class Document(pydantic.BaseModel):
    text: str
app = fastapi.FastAPI()
@app.post("/predict")
async def predict(document: Document) -> dict[str, int]:
    return {"characters": len(document.text)}
"""


def table(artifact: str) -> str:
    """Requests a second and latencies for the echo and for ``artifact``, as Markdown."""
    texts = corpora.load(corpora.DEFAULT).test
    assert texts is not None
    bodies = [json.dumps({"text": text, "top_k": 1}).encode() for text in texts.texts]
    rows = ["| server | requests/s | p50 | p99 |", "| --- | --- | --- | --- |"]
    for name, command in {
        "FastAPI that counts characters, 1 worker": [
            sys.executable,
            "-c",
            f"{ECHO}\nimport uvicorn; uvicorn.run(app, port=8871, access_log=False)",
        ],
        "docket serve, 1 worker": [sys.executable, "-m", "docket", "serve", artifact, "--port", "8872"],
        "docket serve, 2 workers": [
            sys.executable,
            "-m",
            "docket",
            "serve",
            artifact,
            "--port",
            "8873",
            "--workers",
            "2",
        ],
    }.items():
        port = int(re.findall(r"887\d", " ".join(command))[0])
        with _running(command, port):
            latencies, spent = asyncio.run(_load(port, bodies))
        cuts = statistics.quantiles(latencies, n=100)
        rows.append(f"| {name} | {len(latencies) / spent:,.0f} | {cuts[49] * 1e3:.1f} ms | {cuts[98] * 1e3:.1f} ms |")
    return "\n".join(rows)


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        asyncio.run(_until_open(port))
        yield
    finally:
        process.terminate()
        process.wait(30)


async def _until_open(port: int) -> None:
    for _ in range(300):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise TimeoutError(f"nothing listens on port {port}")


async def _load(port: int, bodies: list[bytes]) -> tuple[list[float], float]:
    """Seconds of each request, and of all, with every connection sending its next as soon as it has an answer."""
    latencies: list[float] = []
    begin = time.perf_counter()
    end = begin + SECONDS

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end:
            body = bodies[number % len(bodies)]
            number += CONNECTIONS
            sent = time.perf_counter()
            writer.write(b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n")
            writer.write(b"content-length: %d\r\n\r\n%s" % (len(body), body))
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            await reader.readexactly(int(re.search(rb"content-length: (\d+)", head, re.I)[1]))  # type: ignore[index]  # our own server always says
            latencies.append(time.perf_counter() - sent)
        writer.close()

    await asyncio.gather(*map(client, range(CONNECTIONS)))
    return latencies, time.perf_counter() - begin
