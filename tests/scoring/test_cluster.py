"""``docket predict --engine ray`` on two nodes of one machine; ``make test-ray`` has what it needs."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.support import document_files

ray = pytest.importorskip("ray", reason="Ray has an environment of its own: make test-ray")
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("default"),  # Ray's own are many
]

PATIENCE = 240.0
MADE = document_files.random_documents(3_000)


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of two nodes with a core each."""
    from ray.cluster_utils import Cluster

    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(Path(__file__).parents[2])}
    head = {"num_cpus": 1, "include_dashboard": False, "node_ip_address": "127.0.0.2"}
    nodes = Cluster(initialize_head=True, head_node_args=head)
    nodes.add_node(num_cpus=1, node_ip_address="127.0.0.3")
    ray.init(address=nodes.address, log_to_driver=False, logging_level="error")
    yield nodes.address
    ray.shutdown()
    nodes.shutdown()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three files, in the order of their names."""
    folder = tmp_path_factory.mktemp("corpus")
    for place, begin in enumerate(range(0, len(MADE), 1_000)):
        document_files.write_json_lines(folder / f"{place}.jsonl", MADE[begin : begin + 1_000])
    return folder


@pytest.fixture(scope="module")
def alone(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """What one process says."""
    file = document_files.write_json_lines(tmp_path_factory.mktemp("alone") / "corpus.jsonl", MADE)
    done = subprocess.run(command(artifact, file, "--workers", 1), capture_output=True, timeout=PATIENCE, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "docket", "predict", *map(str, arguments)]


def scored(cluster: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    run, own = command(*arguments, "--engine", "ray"), os.environ | {"RAY_ADDRESS": cluster}
    return subprocess.run(run, env=own, capture_output=True, text=True, timeout=PATIENCE, check=False)


def answers(folder: Path) -> list[dict]:
    assert (folder / "_SUCCESS").exists()
    return [json.loads(line) for file in sorted(folder.glob("*.jsonl")) for line in file.read_text().splitlines()]


def assert_same(ours: list[dict], theirs: list[dict]) -> None:
    """All but the last bits of scores, which depend on how documents fall into batches."""
    assert [answer["id"] for answer in ours] == [answer["id"] for answer in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert {name: one[name] for name in ("label", "tokens", "unknown_tokens", "version")} == {
            name: other[name] for name in ("label", "tokens", "unknown_tokens", "version")
        }
        assert [each["score"] for each in one["scores"]] == pytest.approx(
            [each["score"] for each in other["scores"]], abs=1e-6
        )


def workers() -> list[int]:
    """The process ids of the actors that score, as Ray reports them."""
    actors = ray._private.state.actors().values()
    return [each["Pid"] for each in actors if each["State"] == "ALIVE" and "Worker" in each["ActorClassName"]]


def test_two_nodes_answer_a_folder_of_json_lines_as_one_machine_does_and_in_its_order(
    cluster, artifact, corpus, alone, tmp_path
):
    done = scored(cluster, artifact, corpus, "--out", tmp_path / "answers.jsonl")
    assert done.returncode == 0, done.stderr
    assert "3,000 documents" in done.stderr
    assert "by 2 workers" in done.stderr
    assert_same(answers(tmp_path / "answers.jsonl"), alone)


def test_a_worker_that_is_killed_costs_nothing(cluster, artifact, corpus, alone, tmp_path):
    out = tmp_path / "answers.jsonl"
    run, own = command(artifact, corpus, "--engine", "ray", "--out", out), os.environ | {"RAY_ADDRESS": cluster}
    with subprocess.Popen(run, env=own, stderr=subprocess.PIPE, text=True) as process:
        end = time.monotonic() + PATIENCE
        while len(workers()) < 2:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.05)
        os.kill(workers()[0], signal.SIGKILL)
        _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, told
    assert_same(answers(out), alone)


def test_parquet_is_read_and_written_at_a_uri(cluster, artifact, alone, tmp_path):
    pd.DataFrame(MADE).rename(columns={"text": "body"}).to_parquet(tmp_path / "in.parquet", row_group_size=1_000)
    uri = (tmp_path / "out.parquet").as_uri()
    done = scored(cluster, artifact, (tmp_path / "in.parquet").as_uri(), "--text-field", "body", "--out", uri)
    assert done.returncode == 0, done.stderr
    table = pd.concat([pd.read_parquet(file) for file in sorted((tmp_path / "out.parquet").glob("*.parquet"))])
    assert list(table.columns)[:3] == ["id", "body", "label"]
    assert list(table["id"]) == [answer["id"] for answer in alone]
    assert list(table["label"]) == [answer["label"] for answer in alone]
    assert list(table["score"]) == pytest.approx([answer["score"] for answer in alone], abs=1e-6)
    again = scored(cluster, artifact, (tmp_path / "in.parquet").as_uri(), "--out", uri)
    assert (again.returncode, again.stderr.splitlines()[-1]) == (
        2,
        f"docket: {uri} is there already: name another, or remove it",
    )


def test_a_row_without_a_text_has_an_error_in_its_place_and_keeps_its_columns(cluster, artifact, tmp_path):
    rows = [{"id": 1.5, "text": "the goal", "label": "own"}, {"id": 2, "text": None, "team": "x"}]
    file = document_files.write_json_lines(tmp_path / "a.jsonl", rows)
    done = scored(cluster, artifact, file, "--out", tmp_path / "out.jsonl")
    assert done.returncode == 0, done.stderr
    one, none = answers(tmp_path / "out.jsonl")
    assert (one["id"], one["text"], one["input_label"]) == (1.5, "the goal", "own")
    assert one["label"]
    assert one["error"].startswith("id")
    assert (none["id"], none["team"]) == (2, "x")
    assert "there is no 'text'" in none["error"]


@pytest.mark.parametrize(
    ("content", "options", "why"),
    [
        ('{"text": "the goal"}\n\n{"text": \n', [], "a.jsonl, line 3: is broken JSON"),
        ('{"text": "the goal"}\n', ["--device", "cuda"], "the cluster has no GPU"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_one_sentence(cluster, artifact, tmp_path, content, options, why):
    (tmp_path / "a.jsonl").write_text(content)
    done = scored(cluster, artifact, tmp_path / "a.jsonl", "--out", tmp_path / "out.jsonl", *options)
    assert done.returncode == 2, done.stderr
    assert why in done.stderr.splitlines()[-1]
