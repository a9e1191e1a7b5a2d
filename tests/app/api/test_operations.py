"""Health, and metrics that Prometheus reads."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from model.device import count_usable_cores
from tests.support import tiny
from tests.support.service import Server, metric_value, running_server


def read_samples(server: Server, prefix: str) -> list[Sample]:
    families = text_string_to_metric_families(server.get("/metrics").text)
    return [sample for family in families for sample in family.samples if sample.name.startswith(prefix)]


def count_increases(server: Server, send: Callable[[], object], *metrics: tuple[str, dict[str, str]]) -> list[float]:
    """The increase of each metric, a name and labels, by what ``send`` sends."""
    before = [metric_value(server, name, **labels) for name, labels in metrics]
    send()
    return [metric_value(server, name, **labels) - value for (name, labels), value in zip(metrics, before, strict=True)]


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/health/live"])
def test_health_names_the_status_and_the_version(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    health = response.json()
    version = client.post("/predict", json={"text": "the goal"}).json()["version"]
    expected = {"status": "ok", "version": version, "device": "cpu", "labels": 2, "waiting": 0, "reload": "ok"}
    assert health == expected


def test_the_first_line_names_the_artifact_its_version_and_the_address(server: Server, artifact: Path) -> None:
    version = server.get("/health").json()["version"]
    assert server.lines[0] == f"docket: serving {artifact} ({version}) on {server.url} with 1 worker\n"


def test_the_first_line_names_as_many_workers_as_cores_by_default(artifact: Path) -> None:
    with running_server(artifact, workers=0) as server:
        assert f"with {count_usable_cores()} worker" in server.lines[0]
        assert server.get("/health").status_code == 200


def test_prometheus_can_read_each_metric_and_its_description(server: Server) -> None:
    server.post("/predict", {"text": "the late goal"})
    response = server.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(response.text)}
    names = """
        requests request_seconds batch_documents batch_tokens batch_seconds queue_seconds failed_batches departures
        waiting_documents predictions tokens unknown_tokens document_tokens confidence reloads artifact_info
        profile_document_tokens profile_document_tokens_share profile_unknown_rate profile_prediction_share
        profile_confidence_share profile_confidence_mean
    """
    assert {f"docket_{name}" for name in names.split()} <= families.keys()
    assert all(family.documentation for family in families.values())
    assert "_created" not in response.text
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: Debian's package prometheus brings it")
    command = [promtool, "check", "metrics"]
    checked = subprocess.run(command, input=response.text, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_requests_batches_answers_and_words_are_counted(server: Server) -> None:
    expected = {
        "batch_documents_sum": 4,
        "queue_seconds_count": 4,
        "batch_tokens_sum": 9,
        "predictions_total": 4,
        "tokens_total": 9,
        "unknown_tokens_total": 1,
        "document_tokens_count": 4,
        "document_tokens_sum": 9,
        "confidence_count": 4,
    }
    metrics: list[tuple[str, dict[str, str]]] = [(f"docket_{name}", {}) for name in expected]
    for path in ("/predict", "/predict/batch"):
        metrics += [("docket_requests_total", {"path": path}), ("docket_request_seconds_count", {"path": path})]

    def send() -> None:
        server.post("/predict", {"text": "the late goal"})
        server.post("/predict/batch", {"documents": ["the law", "a quux", "", "the cup"]})

    assert count_increases(server, send, *metrics) == [*expected.values(), 1, 1, 1, 1]


def test_a_refused_request_is_counted_by_its_status(server: Server) -> None:
    counter = ("docket_requests_total", {"path": "/predict", "status": "422"})
    assert count_increases(server, lambda: server.post("/predict", {"text": ""}), counter) == [1]


def test_an_unknown_path_adds_no_series(server: Server) -> None:
    server.get("/secret/place/1")
    assert "/secret/place" not in server.get("/metrics").text
    assert metric_value(server, "docket_requests_total", path="other", status="404") >= 1


def test_the_profile_of_the_training_documents_is_in_the_metrics(server: Server) -> None:
    version = {"version": server.get("/health").json()["version"]}
    assert metric_value(server, "docket_artifact_info", device="cpu", **version) == 1
    assert metric_value(server, "docket_profile_unknown_rate", **version) == pytest.approx(1 / 24, abs=1e-6)
    mean = (0.97 + 0.6 + 1) / 3
    assert metric_value(server, "docket_profile_confidence_mean", **version) == pytest.approx(mean, abs=1e-6)
    assert metric_value(server, "docket_profile_prediction_share", label="sports", **version) == pytest.approx(2 / 3)
    assert metric_value(server, "docket_profile_document_tokens", share="0.5", **version) == 3
    for tokens, share in (("2.0", 1 / 4), ("4.0", 3 / 4), ("16.0", 3 / 4), ("32.0", 1), ("+Inf", 1)):
        assert metric_value(server, "docket_profile_document_tokens_share", up_to=tokens, **version) == share
    for score, share in (("0.5", 0), ("0.6", 1 / 3), ("0.95", 1 / 3), ("0.99", 2 / 3), ("+Inf", 1)):
        value = metric_value(server, "docket_profile_confidence_share", up_to=score, **version)
        assert value == pytest.approx(share)


@pytest.mark.parametrize("name", ["document_tokens", "confidence"])
def test_live_and_training_documents_are_counted_in_the_same_buckets(server: Server, name: str) -> None:
    live = [sample.labels["le"] for sample in read_samples(server, f"docket_{name}_bucket")]
    assert live == [sample.labels["up_to"] for sample in read_samples(server, f"docket_profile_{name}_share")]
    assert "+Inf" in live


def test_an_abstention_is_counted_under_the_label_of_its_highest_score(server: Server) -> None:
    answer = server.post("/predict", {"text": "the late goal"}).json()
    increases = count_increases(
        server,
        lambda: server.post("/predict", {"text": "the late goal", "abstain_below": 1.0}),
        ("docket_predictions_total", {"label": answer["label"]}),
        ("docket_confidence_count", {}),
        ("docket_confidence_sum", {}),
    )
    assert increases == pytest.approx([1, 1, answer["score"]])


def test_an_artifact_without_a_profile_is_served_without_its_metrics(slow: Path) -> None:
    with running_server(slow) as server:
        assert server.post("/predict", {"text": "the late goal"}).status_code == 200
        assert metric_value(server, "docket_confidence_count") == 1
        assert read_samples(server, "docket_profile") == []


def test_the_metrics_of_two_workers_add_up(artifact: Path) -> None:
    with running_server(artifact, "--workers", "2") as server:
        for _ in range(40):  # new connections, so that both workers receive some
            assert server.post("/predict", {"text": "the late quux"}).status_code == 200
        for _ in range(5):  # either worker may answer
            assert metric_value(server, "docket_requests_total", path="/predict", status="200") == 40
            assert metric_value(server, "docket_tokens_total") == 120
            assert metric_value(server, "docket_unknown_tokens_total") == 40
            assert metric_value(server, "docket_artifact_info") == 1
            assert metric_value(server, "docket_waiting_documents") == 0
            assert metric_value(server, "docket_document_tokens_bucket", le="2.0") == 0
            assert metric_value(server, "docket_document_tokens_bucket", le="4.0") == 40
            assert metric_value(server, "docket_confidence_count") == 40
            assert metric_value(server, "docket_profile_unknown_rate") == tiny.PROFILE.unknown_rate
            assert metric_value(server, "docket_profile_prediction_share") == pytest.approx(1)
