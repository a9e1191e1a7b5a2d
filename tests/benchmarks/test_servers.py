"""The benchmark of servers: processes, loads, comparisons and tables."""

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import load, service, serving
from benchmarks.__main__ import main as run_benchmark
from benchmarks.compared_servers import SERVERS, Prediction, Server
from benchmarks.serving import Posts, Row
from benchmarks.tables import read_rows, write_rows
from tests.support.service import wait_until

pytestmark = pytest.mark.slow
ECHO = """
import http.server, json, multiprocessing, os, sys, time
def wait_in_another_session():
    os.setsid()
    time.sleep(600)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        text = json.loads(self.rfile.read(int(self.headers["content-length"])))["text"]
        answer = json.dumps({"label": text, "score": 1.0}).encode()
        if text == "slow":
            time.sleep(1)
        self.send_response(400 if text == "bad" else 200)
        self.send_header("content-length", str(len(answer)))
        self.send_header("x-request-id", self.headers["x-request-id"])
        self.end_headers()
        self.wfile.write(answer)
    def log_message(self, *_):
        pass
if __name__ == "__main__":
    multiprocessing.get_context("fork").Process(target=wait_in_another_session).start()
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
"""
OURS, MOSEC = (next(server for server in SERVERS if server.name == name) for name in ("docket", "mosec"))
needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")


@pytest.fixture
def echo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[service.Tree]:
    """A server of two processes that returns the text as the label."""
    (tmp_path / "echo.py").write_text(ECHO)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with service.running(tmp_path, "echo", sys.executable) as tree:
        yield tree


def make_rows(server: Server, rate: int = 100, rounds: int = 3) -> list[Row]:
    return [
        Row(server.name, "made 1.0", number, connections, rate + number, 1.0, 0, 2.0, 9.0, 0.1, 10**8, 0.875)
        for number in range(rounds)
        for connections in serving.CONNECTIONS
    ]


def test_without_wrk_the_benchmark_ends_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert run_benchmark(["serving"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@needs_wrk
def test_a_load_posts_the_documents_in_turn_and_counts_refused_and_late_answers(echo: service.Tree) -> None:
    with load.body_file(map(load.encode_body, ("good", "bad", "good \u00e9", "bad"))) as bodies:
        report = load.post(echo.port, bodies, 2, 1)
    assert report.requests > 10
    assert report.refused == pytest.approx(report.requests / 2, abs=3)
    assert report.lost == 0
    assert 0 < report.p50 <= report.p99
    with load.body_file(map(load.encode_body, ("good", "bad", "slow", "good"))) as bodies:
        crowd = load.crowd(echo.port, bodies, 64, 3, 100, 0.6, heed=False)
    assert crowd.answered == pytest.approx(2 * crowd.refused, rel=0.3)
    assert crowd.late > 10
    assert crowd.lost == 0


def test_a_tree_has_all_processes_of_a_server_and_all_of_them_end(tmp_path: Path, echo: service.Tree) -> None:
    with service.running(tmp_path, "echo", sys.executable) as tree:
        root, child = tree.processes()
        assert tree.cpu() > 0
        assert tree.memory() > 10**6
        os.kill(child, 0)
        assert tree.post("/predict", load.encode_body("goal")) == b'{"label": "goal", "score": 1.0}'
        processes = [Path(f"/proc/{pid}/stat") for pid in (root, child)]

    def have_ended() -> bool:
        for process in processes:
            with contextlib.suppress(OSError):
                if process.read_text().rpartition(")")[2].split()[0] != "Z":
                    return False
        return True

    wait_until(have_ended)
    assert len(echo.processes()) == 2


def test_the_error_of_a_failed_start_has_the_last_log_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.py").write_text("import sys; sys.exit('no such port')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    starting = service.running(tmp_path, "broken", sys.executable)
    with pytest.raises(service.NotReady, match="no such port"), starting:
        pass


def test_a_wrong_answer_of_a_server_raises(echo: service.Tree) -> None:
    posts = Posts(["goal", "vote"], ["goal", "law"], [Prediction("goal", 1.0), Prediction("vote", 1.0 - 1e-5)])
    assert posts.check(echo, OURS) == posts.check(echo, OURS._replace(runs_classifier=False)) == 0.5
    for wrong in (Prediction("law", 1.0), Prediction("vote", 0.99)):
        with pytest.raises(RuntimeError, match="vote"):
            posts._replace(expected=[Prediction("goal", 1.0), wrong]).check(echo, OURS)


def test_a_measurement_replaces_the_rows_of_its_server_and_the_page_has_medians(tmp_path: Path) -> None:
    write_rows(tmp_path / "servers.jsonl", [*make_rows(OURS, 200), *make_rows(MOSEC, 50)])
    ray = next(server for server in SERVERS if server.name == "ray")

    def visit(server: Server, number: int) -> list[Row]:
        if server == ray:
            raise RuntimeError("no room")
        return [row for row in make_rows(MOSEC, 99) if row.round == number]

    assert serving.measure([MOSEC, ray], 3, tmp_path, visit) == 1
    rows = [Row(**row) for row in read_rows(tmp_path / "servers.jsonl")]
    assert [row for row in rows if row.server != "ray"] == [*make_rows(OURS, 200), *make_rows(MOSEC, 99)]
    page = (tmp_path / "servers.md").read_text()
    assert page.count("| mosec | 100 (99 to 101) | 2.01 times | 2.0 ms | 9.0 ms | 1.00 | 0 |") == 3
    assert "| mosec | 100 MB | 87.5 % | made 1.0 | Two workers" in page
    assert "no dashboard, no usage statistics. **Not measured to the end: no room** |" in page
