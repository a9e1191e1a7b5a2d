"""The spans that a collector receives, and requests and the exit without a collector."""

import json
import os
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import tiny
from tests.support.service import WAIT_SECONDS, Server, run_docket, running_server, wait_until
from tests.support.trace_collector import Collector, Span, running_collector

SECRET = "Xylographic confidences"
TRACE, CLIENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@contextmanager
def traced(artifact: Path, collector: str, delay: int = 50, **settings: Any) -> Iterator[Server]:
    """A service that sends its spans every ``delay`` ms."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("OTEL_")]:
            patch.delenv(name)
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
        patch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "600")
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", str(delay))
        with running_server(artifact, traces=True, log="json", **settings) as server:
            yield server


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with running_collector() as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Server]:
    """A service whose network reads a million words in about 2.5 s, and fails on ``law``."""
    folder = tiny.failing_artifact(tmp_path_factory.mktemp("traced"), window=0)
    with traced(folder, collector.url, batch_tokens=1_200_000, queue_tokens=10_000_000, access_log=True) as running:
        yield running


def post(server: Server, text: str, **headers: str) -> httpx.Response:
    return httpx.post(server.url + "/predict", json={"text": text}, headers=headers, timeout=WAIT_SECONDS)


def ids(response: httpx.Response) -> tuple[str, str]:
    """The ids of the trace and of the span in a response."""
    version, trace, span_id, flags = response.headers["traceresponse"].split("-")
    assert version == "00"
    assert int(flags, 16) & 1, "the trace is not sampled"
    return trace, span_id


def spans(collector: Collector, response: httpx.Response, path: str = "/predict") -> tuple[Span, Span, Span]:
    """The spans of the request, of its wait and of its batch."""
    trace, span_id = ids(response)
    request = f"POST {path}"
    wait_until(lambda: {request, "queue", "batch"} <= collector.spans_of(trace).keys())
    found = collector.spans_of(trace)
    assert found[request].span_id == span_id
    return found[request], found["queue"], found["batch"]


def test_the_spans_of_a_request_are_in_the_trace_of_its_client(server: Server, collector: Collector) -> None:
    response = post(server, "the goal", traceparent=f"00-{TRACE}-{CLIENT}-01")
    request, queue, batch = spans(collector, response)
    assert (request.trace, request.parent) == (TRACE, CLIENT)
    assert queue.parent == batch.parent == request.span_id
    assert (batch.links, queue.links) == ({request.span_id}, {batch.span_id})
    assert request.begin <= queue.begin <= queue.end == batch.begin <= batch.end <= request.end
    assert not any(span.failed for span in (request, queue, batch))
    expected = {
        "http.request.method": "POST",
        "http.route": "/predict",
        "http.response.status_code": 200,
        "docket.request_id": response.headers["x-request-id"],
    }
    assert expected.items() <= request.attributes.items()
    assert batch.attributes == {"docket.documents": 1, "docket.tokens": 2}
    assert request.resource["service.name"] == "docket"


def test_a_request_without_a_trace_starts_one_and_an_unsampled_trace_has_no_spans(
    server: Server, collector: Collector
) -> None:
    trace = TRACE[::-1]
    response = post(server, "the goal", traceparent=f"00-{trace}-{CLIENT}-00")
    assert re.fullmatch(f"00-{trace}-[0-9a-f]{{16}}-00", response.headers["traceresponse"])
    request, _, _ = spans(collector, post(server, "the goal"))
    assert request.parent == ""
    assert request.trace != TRACE
    assert not collector.spans_of(trace)


def test_the_span_of_a_batch_links_all_its_requests(server: Server, collector: Collector) -> None:
    """Two long requests do not fit one batch. Two short ones that arrive during the first batch join the second."""
    long = "the late goal won " * 200_000
    all_ids: list[tuple[str, str]] = []

    def share_a_batch() -> bool:
        """Whether the small requests arrived in time, which a busy machine may prevent."""
        with ThreadPoolExecutor(4) as pool:
            requests = [pool.submit(post, server, long) for _ in range(2)]
            wait_until(lambda: server.get("/health").json()["waiting"] == 1)
            requests += [pool.submit(post, server, "the goal") for _ in range(2)]
            all_ids[:] = [ids(request.result()) for request in requests]
        wait_until(lambda: all("queue" in collector.spans_of(trace) for trace, _ in all_ids))
        small = {span_id for _, span_id in all_ids[2:]}
        return any(small <= span.links and len(span.links) == 3 for span in collector.spans)

    wait_until(share_a_batch)
    shared = {span_id for _, span_id in all_ids[2:]}
    (batch,) = [span for span in collector.spans if shared & span.links and span.name == "batch"]
    assert batch.attributes["docket.documents"] == 3
    assert len(batch.links) == 3
    assert batch.parent in batch.links
    wait_until(lambda: all("queue" in collector.spans_of(trace) for trace, _ in all_ids))
    for trace, span_id in all_ids[2:]:
        queue = collector.spans_of(trace)["queue"]
        assert (queue.parent, queue.links) == (span_id, {batch.span_id})
        assert queue.end - queue.begin > 1e6, "the wait is shorter than the first batch"


def test_a_batch_request_has_one_span_for_its_wait(server: Server, collector: Collector) -> None:
    response = server.post("/predict/batch", {"documents": [{"text": "the goal"}] * 50})
    request, queue, batch = spans(collector, response, "/predict/batch")
    assert batch.attributes["docket.documents"] == 50
    assert [span.name for span in collector.spans if span.trace == request.trace].count("queue") == 1
    assert queue.parent == request.span_id


def test_a_failed_span_is_marked_and_holds_no_document_and_no_key(server: Server, collector: Collector) -> None:
    response = post(server, f"the law {SECRET}", authorization="Bearer sk-never", baggage="key=sk-never")
    assert response.status_code == 500
    request, _, batch = spans(collector, response)
    assert request.failed
    assert request.attributes["http.response.status_code"] == 500
    assert batch.failed
    for secret in (*SECRET.split(), SECRET.lower().split()[0], "sk-never"):
        assert secret.encode() not in b"".join(collector.raw)
        assert secret not in "".join(server.lines)


def test_refusals_and_unknown_paths_have_spans_with_bounded_names(server: Server, collector: Collector) -> None:
    refused, stray = post(server, ""), server.get(f"/{SECRET.split()[0]}")
    traces = [ids(refused)[0], ids(stray)[0]]
    wait_until(lambda: all(collector.spans_of(trace) for trace in traces))
    found = [span for trace in traces for span in collector.spans_of(trace).values()]
    assert [(span.name, span.failed) for span in found] == [("POST /predict", False), ("GET other", False)]


def test_the_lines_of_a_request_name_its_trace(server: Server) -> None:
    trace, span_id = ids(post(server, "the goal"))
    wait_until(lambda: any(trace in line for line in server.lines))
    (line,) = [json.loads(line) for line in server.lines if trace in line]
    assert (line["trace_id"], line["span_id"], line["status"]) == (trace, span_id, 200)


def test_the_exit_sends_the_remaining_spans(artifact: Path) -> None:
    with running_collector() as collector, traced(artifact, collector.url, delay=600_000) as server:
        trace, _ = ids(post(server, "the goal"))
        assert not collector.spans
        server.terminate()
        assert server.wait_for_exit() == 0
        assert collector.spans_of(trace).keys() == {"POST /predict", "queue", "batch"}


def test_a_silent_collector_delays_neither_requests_nor_the_exit(artifact: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        traced(artifact, f"http://127.0.0.1:{silent.getsockname()[1]}", workers=2) as server,
    ):
        for _ in range(10):
            assert post(server, "the goal").status_code == 200
        with silent.accept()[0]:
            server.terminate()
            assert server.process.wait(25) == 0  # the shutdown of the exporter takes 30 s


def test_a_start_without_opentelemetry_is_refused_with_advice(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['opentelemetry.sdk'] = None\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    refused = run_docket("serve", artifact, "--port", 0, traces=True)
    assert refused.returncode == 2
    assert refused.stderr.decode().count("\n") == 1
    assert "pip install '.[otel]'" in refused.stderr.decode()
