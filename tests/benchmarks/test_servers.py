"""The benchmark of servers: loads, comparisons, pages and processes."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import fleet, load, process, serving, standings
from benchmarks.__main__ import main as run_benchmark
from benchmarks.fleet import SERVERS, Said, Server
from benchmarks.posts import Disagrees, Posts
from benchmarks.process import Tree
from benchmarks.process import serving as started
from benchmarks.standings import Row

pytestmark = pytest.mark.slow
ANSWERS = {
    "/predict": {"label": "sports", "score": 0.5},
    "/v2/models/docket/infer": {
        "outputs": [{"name": "label", "data": ["sports"]}, {"name": "score", "data": [0.5]}],
    },
}
ECHO = """
import http.server, json, multiprocessing, os, sys, time
def apart():
    os.setsid()
    time.sleep(600)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        text = json.loads(self.rfile.read(int(self.headers["content-length"])))["text"]
        said = json.dumps({"label": text, "score": 1.0}).encode()
        if text == "slow":
            time.sleep(1)
        self.send_response(400 if text == "bad" else 200)
        self.send_header("content-length", str(len(said)))
        self.send_header("x-request-id", self.headers["x-request-id"])
        self.end_headers()
        self.wfile.write(said)
    def log_message(self, *_):
        pass
if __name__ == "__main__":
    multiprocessing.get_context("fork").Process(target=apart).start()
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
"""
AGREE = """
import pathlib, sys, torch
from benchmarks.onnx_network import OnnxNetwork
from model.artifacts import artifact
from model.device import select_device
from tests.support import tiny
pairs = torch.tensor([15 * 2 + 3, 15 * 3 + 4])
folder = tiny.artifact(pathlib.Path(sys.argv[1]), ngrams=3, bigrams=pairs OPTIONS)
ours = artifact.read(folder, select_device("cpu")).network
theirs = OnnxNetwork(ours)
ids = torch.randint(1, 15, (300,))
ids[[20, 90]], ids[[21, 91]] = 0, 16
for starts in ([0], [0, 1, 40, 41, 200]):
    starts = torch.tensor(starts)
    torch.testing.assert_close(ours(ids, starts), theirs(ids, starts), atol=1e-4, rtol=0)
"""
PLAIN = Server("echo", ())
MOSEC, ONNX = (next(server for server in SERVERS if server.name == name) for name in ("mosec", "onnx"))
needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")


@pytest.fixture
def echo(tmp_path, monkeypatch):
    """A server of two processes that returns the text as the label."""
    (tmp_path / "echo.py").write_text(ECHO)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with started(Path(sys.executable), "echo", tmp_path, "/predict", PLAIN.dialect.body("hello")) as tree:
        yield tree


def rows(server: Server, rate: int = 100, rounds: int = 3) -> list[Row]:
    return [
        Row(server.name, "made 1.0", number, connections, rate + number, 1.0, 0, 2.0, 9.0, 0.1, 10**8, 0.875)
        for number in range(rounds)
        for connections in standings.CONNECTIONS
    ]


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)
def test_a_request_has_one_line_and_an_answer_has_a_label_and_a_score(server):
    body = server.dialect.body("two\nlines, \u00e9")
    assert b"\n" not in body
    assert "two\\nlines" in body.decode()
    answer = ANSWERS[server.dialect.path]
    assert server.dialect.said(json.dumps([answer] if server.dialect is fleet.LISTS else answer).encode()) == Said(
        "sports", 0.5
    )


def test_without_wrk_the_benchmark_ends_with_a_sentence(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    assert run_benchmark(["serving"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@needs_wrk
def test_a_load_posts_the_documents_in_turn_and_counts_refusals(echo, tmp_path):
    bodies = tmp_path / "bodies"
    bodies.write_bytes(b"\n".join(PLAIN.dialect.body(text) for text in ("good", "bad", "good \u00e9", "bad")) + b"\n")
    report = load.post(echo.port, "/predict", bodies, 2, 1)
    assert report.requests > 10
    assert report.refused == pytest.approx(report.requests / 2, abs=3)
    assert (report.lost, 0 < report.p50 <= report.p99 < 1000) == (0, True)


@needs_wrk
def test_a_paced_load_counts_late_answers_apart_and_ignores_the_ramp(echo, tmp_path, monkeypatch):
    bodies = tmp_path / "bodies"
    bodies.write_bytes(b"".join(PLAIN.dialect.body(text) + b"\n" for text in ("good", "bad", "slow", "good")))
    counted = []
    for ramp in (0, 2):
        monkeypatch.setattr(load, "RAMP", ramp)
        counted.append(load.crowd(echo.port, "/predict", bodies, 64, 4 - ramp, 100, 0.6, heed=False))
    whole, end = counted
    assert whole.answered == pytest.approx(200, rel=0.3)
    assert whole.refused == pytest.approx(100, rel=0.3)
    assert 10 < whole.late < 100
    assert whole.lost == 0
    assert 0 < end.answered < 0.8 * whole.answered


def test_a_process_tree_includes_its_descendants(echo):
    root, child = echo.processes()
    assert echo.cpu() > 0
    assert echo.memory() > 10**6
    os.kill(child, 0)
    assert Tree(root, echo.port).ask("/predict", PLAIN.dialect.body("goal")) == b'{"label": "goal", "score": 1.0}'


def test_every_process_of_a_tree_ends(tmp_path, monkeypatch):
    (tmp_path / "echo.py").write_text(ECHO)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with started(Path(sys.executable), "echo", tmp_path, "/predict", PLAIN.dialect.body("hello")) as tree:
        processes = tree.processes()
    limit = time.monotonic() + 10
    while any(alive(each) for each in processes) and time.monotonic() < limit:
        time.sleep(0.05)
    assert len(processes) == 2
    assert not any(alive(each) for each in processes)


def alive(number: int) -> bool:
    try:
        return process._stat(str(number))[0] != "Z"
    except OSError:
        return False


def test_the_error_of_a_failed_start_has_the_last_log_line(tmp_path, monkeypatch):
    (tmp_path / "broken.py").write_text("import sys; sys.exit('no such port')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    starting = started(Path(sys.executable), "broken", tmp_path, "/predict", b"{}")
    with pytest.raises(process.NotReady, match="no such port"), starting:
        pass


def test_a_wrong_answer_of_a_server_raises(echo):
    right = Posts(["goal", "vote"], ["goal", "law"], [Said("goal", 1.0), Said("vote", 1.0 - 1e-5)], 0.5)
    right.check(echo, PLAIN)
    assert right.accuracy_of(echo, PLAIN) == 0.5
    for wrong in (Said("law", 1.0), Said("vote", 0.99)):
        with pytest.raises(Disagrees, match="vote"):
            right._replace(expected=[Said("goal", 1.0), wrong]).check(echo, PLAIN)


def test_the_page_has_medians_and_ratios(tmp_path):
    measured = [*rows(SERVERS[0], 200), *rows(MOSEC, 99), Row("ray", "ray 1", missing="no room")]
    standings.write(tmp_path, measured)
    assert standings.read(tmp_path / "servers.jsonl") == measured
    page = (tmp_path / "servers.md").read_text()
    assert "in turn, 3 times" in page
    for connections in standings.CONNECTIONS:
        section = page.split(f"## {connections} connection")[1].split("##")[0]
        assert "| mosec | 100 (99 to 101) | 2.01 times | 2.0 ms | 9.0 ms | 1.00 | 0 |" in section
    assert "| mosec | 100 MB | 87.5 % | made 1.0 | Two workers" in page
    assert "no dashboard, no usage statistics. **Not measured to the end: no room** |" in page


def test_a_new_measurement_replaces_the_rows_of_its_server(tmp_path, monkeypatch):
    kept, again = SERVERS[0], MOSEC
    standings.write(tmp_path, [*rows(kept), *rows(again, 50)])
    monkeypatch.setattr(serving, "visit", lambda server, *_: rows(server, 70, rounds=1))
    assert serving.measure([again], tmp_path, Posts([], [], [], 0.0), 1, 1, tmp_path) == 0
    assert standings.read(tmp_path / "servers.jsonl") == [*rows(kept), *rows(again, 70, rounds=1)]


@pytest.mark.skipif(not ONNX.python.exists(), reason="onnxruntime has an environment of its own: make bench-servers")
@pytest.mark.parametrize("options", ["", ", bidirectional=False", ", window=0", ", pooling='mean'"])
def test_the_network_in_onnx_runtime_equals_the_original(tmp_path, options):
    code = AGREE.replace("OPTIONS", options)
    subprocess.run([ONNX.python, "-c", code, tmp_path], cwd=process.ROOT, check=True, timeout=100)
