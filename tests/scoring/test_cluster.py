"""``docket predict --engine ray`` on two nodes of one machine. ``make test-ray`` installs Ray and runs these tests."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.support import document_files
from tests.support.service import wait_until

ray = pytest.importorskip("ray", reason="Ray has an environment of its own: make test-ray")
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("default"),  # Ray raises many
]

TIMEOUT_SECONDS = 240.0
DOCUMENTS = document_files.random_documents(3_000)
Row = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """Two nodes with a core each; the environment names their address."""
    from ray.cluster_utils import Cluster

    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(Path(__file__).parents[2])}
    head = {"num_cpus": 1, "include_dashboard": False, "node_ip_address": "127.0.0.2"}
    nodes = Cluster(initialize_head=True, head_node_args=head)
    nodes.add_node(num_cpus=1, node_ip_address="127.0.0.3")
    os.environ["RAY_ADDRESS"] = nodes.address
    ray.init(log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()
    nodes.shutdown()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three files, in the order of their names."""
    folder = tmp_path_factory.mktemp("corpus")
    for number in range(3):
        rows = DOCUMENTS[1_000 * number : 1_000 * (number + 1)]
        document_files.write_json_lines(folder / f"{number}.jsonl", rows)
    return folder


def predict(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "docket", "predict", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def predict_on_cluster(*arguments: object) -> tuple[int, str]:
    """Run the command to its end; return its exit code and stderr."""
    with predict(*arguments, "--engine", "ray") as process:
        _, stderr = process.communicate(timeout=TIMEOUT_SECONDS)
    return process.returncode, stderr


@pytest.fixture(scope="module")
def expected(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """The answers of one process."""
    file = document_files.write_json_lines(tmp_path_factory.mktemp("one") / "corpus.jsonl", DOCUMENTS)
    with predict(artifact, file, "--workers", 1) as process:
        stdout, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    return [json.loads(line) for line in stdout.splitlines()]


def read_answers(folder: Path) -> list[Row]:
    assert (folder / "_SUCCESS").exists()
    return [json.loads(line) for file in sorted(folder.glob("*.jsonl")) for line in file.read_text().splitlines()]


def assert_equal_answers(answers: list[Row], expected: list[Row]) -> None:
    """Compare all but the last bits of scores, which depend on how documents fall into batches."""
    for left, right in zip(answers, expected, strict=True):
        for name in ("id", "label", "tokens", "unknown_tokens", "version"):
            assert left[name] == right[name]
        left_scores, right_scores = ([score["score"] for score in answer["scores"]] for answer in (left, right))
        assert left_scores == pytest.approx(right_scores, abs=1e-6)


def scoring_pids() -> list[int]:
    """The process ids of the actors that score, as Ray reports them."""
    actors = ray._private.state.actors().values()
    return [actor["Pid"] for actor in actors if actor["State"] == "ALIVE" and "Worker" in actor["ActorClassName"]]


def test_two_nodes_answer_as_one_machine_in_order(
    artifact: Path, corpus: Path, expected: list[Row], tmp_path: Path
) -> None:
    exit_code, stderr = predict_on_cluster(artifact, corpus, "--out", tmp_path / "answers.jsonl")
    assert exit_code == 0, stderr
    assert "3,000 documents" in stderr
    assert "by 2 workers" in stderr
    assert "error" not in stderr
    assert_equal_answers(read_answers(tmp_path / "answers.jsonl"), expected)


def test_a_killed_worker_loses_no_answer(artifact: Path, corpus: Path, expected: list[Row], tmp_path: Path) -> None:
    with predict(artifact, corpus, "--engine", "ray", "--out", tmp_path / "answers.jsonl") as process:
        wait_until(lambda: process.poll() is not None or bool(scoring_pids()))
        os.kill(scoring_pids()[0], signal.SIGKILL)
        _, stderr = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 0, stderr
    assert_equal_answers(read_answers(tmp_path / "answers.jsonl"), expected)


def test_parquet_is_read_and_written_at_a_uri(artifact: Path, expected: list[Row], tmp_path: Path) -> None:
    pd.DataFrame(DOCUMENTS).rename(columns={"text": "body"}).to_parquet(tmp_path / "in.parquet", row_group_size=1_000)
    source, uri = (tmp_path / "in.parquet").as_uri(), (tmp_path / "out.parquet").as_uri()
    exit_code, stderr = predict_on_cluster(artifact, source, "--text-field", "body", "--out", uri)
    assert exit_code == 0, stderr
    table = pd.concat([pd.read_parquet(file) for file in sorted((tmp_path / "out.parquet").glob("*.parquet"))])
    assert list(table.columns)[:3] == ["id", "body", "label"]
    assert list(table["id"]) == [answer["id"] for answer in expected]
    assert list(table["label"]) == [answer["label"] for answer in expected]
    assert list(table["score"]) == pytest.approx([answer["score"] for answer in expected], abs=1e-6)
    exit_code, stderr = predict_on_cluster(artifact, source, "--out", uri)
    assert exit_code == 2
    assert stderr.splitlines()[-1] == f"docket: {uri} is there already: name another, or remove it"


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_row_without_a_text_keeps_its_columns_and_its_error_is_counted(
    artifact: Path, tmp_path: Path, suffix: str
) -> None:
    rows: list[Row] = [{"id": 1.5, "text": "the goal", "label": "mine"}, {"id": 2.0, "text": None, "label": "x"}]
    file, out = tmp_path / f"a{suffix}", tmp_path / f"out{suffix}"
    if suffix == ".jsonl":
        document_files.write_json_lines(file, [*rows, {"id": 3, "text": "the goal"}])
    else:
        pd.DataFrame([*rows, {"id": 3.0, "text": "the goal"}]).to_parquet(file)
    exit_code, stderr = predict_on_cluster(artifact, file, "--out", out)
    assert exit_code == 0, stderr
    assert stderr.splitlines()[-1].endswith("; 2 rows ended in an error, and their field 'error' says why")
    if suffix == ".jsonl":
        refused, failed, valid = read_answers(out)
    else:
        refused, failed, valid = pd.concat(map(pd.read_parquet, sorted(out.glob("*.parquet")))).to_dict("records")
    assert (refused["id"], refused["text"], refused["input_label"]) == (1.5, "the goal", "mine")
    assert refused["label"] == valid["label"]
    assert refused["error"].startswith("id")
    assert (failed["id"], failed["input_label"]) == (2, "x")
    assert "there is no 'text'" in failed["error"]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ('{"text": "the goal"}\n\n{"text": \n', [], "a.jsonl, line 3: is broken JSON"),
        ('{"text": "the goal"}\n', ["--device", "cuda"], "the cluster has no GPU"),
    ],
    ids=["broken line", "no GPU"],
)
def test_an_unusable_input_or_device_is_refused(
    artifact: Path, tmp_path: Path, content: str, options: list[str], message: str
) -> None:
    (tmp_path / "a.jsonl").write_text(content)
    exit_code, stderr = predict_on_cluster(artifact, tmp_path / "a.jsonl", "--out", tmp_path / "out.jsonl", *options)
    assert exit_code == 2, stderr
    assert message in stderr.splitlines()[-1]
