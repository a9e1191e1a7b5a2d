import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from model.device import count_usable_cores
from tests.support import tiny
from tests.support.service import Server, metric_value, running_server

FAILURES = {"400", "408", "413", "415", "422", "429", "503", "504"}


@pytest.fixture(scope="module")
def pair(artifact: Path) -> Iterator[Server]:
    with running_server(artifact, "--workers", "2") as running:
        yield running


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/health/live"])
def test_a_service_that_is_well_says_so_and_what_it_serves(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    told = response.json()
    assert told.keys() == {"status", "version", "device", "labels", "waiting", "reload"}
    assert (told["status"], told["device"], told["labels"], told["waiting"]) == ("ok", "cpu", 2, 0)
    assert told["version"] == client.post("/predict", json={"text": "the goal"}).json()["version"]


def test_the_first_line_names_the_artifact_its_version_and_the_address(server: Server, artifact: Path) -> None:
    version = server.get("/health").json()["version"]
    assert server.lines[0] == f"docket: serving {artifact} ({version}) on {server.url} with 1 worker\n"


def test_the_page_for_people_and_the_description_for_programs_are_there(client: httpx.Client) -> None:
    assert client.get("/docs").headers["content-type"].startswith("text/html")
    described = client.get("/openapi.json").json()
    assert described["info"]["title"] == "Docket"
    assert {"/predict", "/predict/batch", "/health", "/health/live", "/health/ready", "/metrics"} <= set(
        described["paths"]
    )


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_the_description_has_every_failure_as_a_problem(client: httpx.Client, path: str) -> None:
    described = client.get("/openapi.json").json()
    responses = described["paths"][path]["post"]["responses"]
    assert responses.keys() == FAILURES | {"200"}
    for status in FAILURES:
        assert responses[status]["content"].keys() == {"application/problem+json"}
        schema = responses[status]["content"]["application/problem+json"]["schema"]
        named = schema.get("$ref", "").rpartition("/")[2]
        told = described["components"]["schemas"][named] if named else schema
        assert {"type", "title", "status", "detail"} <= told["properties"].keys()


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
def test_the_description_has_ill_health_as_a_problem(client: httpx.Client, path: str) -> None:
    responses = client.get("/openapi.json").json()["paths"][path]["get"]["responses"]
    assert responses["503"]["content"].keys() == {"application/problem+json"}


def test_every_metric_can_be_read_by_prometheus_and_says_what_it_is(server: Server) -> None:
    response = server.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(response.text)}
    assert {
        "docket_requests",
        "docket_request_seconds",
        "docket_batch_documents",
        "docket_batch_tokens",
        "docket_batch_seconds",
        "docket_queue_seconds",
        "docket_failed_batches",
        "docket_departures",
        "docket_waiting_documents",
        "docket_predictions",
        "docket_tokens",
        "docket_unknown_tokens",
        "docket_document_tokens",
        "docket_confidence",
        "docket_reloads",
        "docket_artifact_info",
        "docket_profile_document_tokens",
        "docket_profile_document_tokens_share",
        "docket_profile_unknown_rate",
        "docket_profile_prediction_share",
        "docket_profile_confidence_share",
        "docket_profile_confidence_mean",
    } <= families.keys()
    assert all(family.documentation for family in families.values())


def test_promtool_has_nothing_against_the_metrics(server: Server) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: Debian's package prometheus brings it")
    server.post("/predict", {"text": "the late goal"})
    told = server.get("/metrics").text
    checked = subprocess.run([promtool, "check", "metrics"], input=told, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    assert "_created" not in told


def test_requests_batches_answers_and_words_are_counted(server: Server) -> None:
    names = {
        "docket_requests_total": 2,
        "docket_request_seconds_count": 2,
        "docket_batch_documents_sum": 4,
        "docket_queue_seconds_count": 4,
        "docket_batch_tokens_sum": 9,
        "docket_predictions_total": 4,
        "docket_tokens_total": 9,
        "docket_unknown_tokens_total": 1,
        "docket_document_tokens_count": 4,
        "docket_document_tokens_sum": 9,
        "docket_confidence_count": 4,
    }
    of_path = ("docket_requests_total", "docket_request_seconds_count")

    def counted() -> dict[str, float]:
        one, many = {"path": "/predict"}, {"path": "/predict/batch"}
        return {
            name: sum(metric_value(server, name, **path) for path in ([one, many] if name in of_path else [{}]))
            for name in names
        }

    before = counted()
    server.post("/predict", {"text": "the late goal"})
    server.post(
        "/predict/batch", {"documents": [{"text": "the law"}, {"text": "a quux"}, {"text": ""}, {"text": "the cup"}]}
    )
    after = counted()
    assert {name: after[name] - before[name] for name in names} == names


def test_a_refused_request_is_counted_by_its_status(server: Server) -> None:
    before = metric_value(server, "docket_requests_total", path="/predict", status="422")
    server.post("/predict", {"text": ""})
    assert metric_value(server, "docket_requests_total", path="/predict", status="422") == before + 1


def test_a_stray_path_adds_no_series(server: Server) -> None:
    server.get("/secret/place/1")
    assert "/secret/place" not in server.get("/metrics").text
    assert metric_value(server, "docket_requests_total", path="other", status="404") >= 1


def test_the_artifact_is_in_the_metrics(server: Server) -> None:
    version = server.get("/health").json()["version"]
    assert metric_value(server, "docket_artifact_info", version=version, device="cpu") == 1


def test_what_documents_looked_like_in_training_is_in_the_metrics(server: Server) -> None:
    of = {"version": server.get("/health").json()["version"]}
    assert metric_value(server, "docket_profile_unknown_rate", **of) == pytest.approx(1 / 24, abs=1e-6)
    assert metric_value(server, "docket_profile_confidence_mean", **of) == pytest.approx((0.97 + 0.6 + 1) / 3, abs=1e-6)
    assert metric_value(server, "docket_profile_prediction_share", label="sports", **of) == pytest.approx(2 / 3)
    assert metric_value(server, "docket_profile_document_tokens", share="0.5", **of) == 3
    for tokens, share in (("2.0", 1 / 4), ("4.0", 3 / 4), ("16.0", 3 / 4), ("32.0", 1), ("+Inf", 1)):
        assert metric_value(server, "docket_profile_document_tokens_share", up_to=tokens, **of) == share
    for score, share in (("0.5", 0), ("0.6", 1 / 3), ("0.95", 1 / 3), ("0.99", 2 / 3), ("+Inf", 1)):
        assert metric_value(server, "docket_profile_confidence_share", up_to=score, **of) == pytest.approx(share)


@pytest.mark.parametrize("name", ["docket_document_tokens", "docket_confidence"])
def test_live_and_training_documents_are_counted_in_the_same_buckets(server: Server, name: str) -> None:
    live, reference = (
        buckets(server, sample) for sample in (f"{name}_bucket", name.replace("_", "_profile_", 1) + "_share")
    )
    assert live == reference
    assert "+Inf" in live


def buckets(server: Server, name: str) -> list[str]:
    families = text_string_to_metric_families(server.get("/metrics").text)
    found = (sample for family in families for sample in family.samples if sample.name == name)
    return [sample.labels.get("le") or sample.labels["up_to"] for sample in found]


def test_an_answer_that_is_abstained_from_is_counted_under_the_label_it_would_have_had(server: Server) -> None:
    said = server.post("/predict", {"text": "the late goal"}).json()

    def counted() -> tuple[float, float, float]:
        return (
            metric_value(server, "docket_predictions_total", label=said["label"]),
            metric_value(server, "docket_confidence_count"),
            metric_value(server, "docket_confidence_sum"),
        )

    before = counted()
    assert server.post("/predict", {"text": "the late goal", "abstain_below": 1.0}).json()["label"] is None
    assert counted() == pytest.approx((before[0] + 1, before[1] + 1, before[2] + said["score"]))


def test_an_artifact_of_before_there_were_profiles_is_served_and_says_nothing_of_them(slow: Path) -> None:
    with running_server(slow) as server:
        assert server.post("/predict", {"text": "the late goal"}).status_code == 200
        assert metric_value(server, "docket_confidence_count") == 1
        families = text_string_to_metric_families(server.get("/metrics").text)
        assert [s.name for family in families for s in family.samples if s.name.startswith("docket_profile")] == []


def test_the_metrics_of_two_workers_add_up(pair: Server) -> None:
    for _ in range(40):  # each on a connection of its own: both workers get some
        assert pair.post("/predict", {"text": "the late quux"}).status_code == 200
    for _ in range(5):  # whichever worker is asked
        assert metric_value(pair, "docket_requests_total", path="/predict", status="200") == 40
        assert metric_value(pair, "docket_tokens_total") == 120
        assert metric_value(pair, "docket_unknown_tokens_total") == 40
        assert metric_value(pair, "docket_artifact_info") == 1
        assert metric_value(pair, "docket_waiting_documents") == 0
        assert metric_value(pair, "docket_document_tokens_bucket", le="2.0") == 0
        assert metric_value(pair, "docket_document_tokens_bucket", le="4.0") == 40
        assert metric_value(pair, "docket_confidence_count") == 40
        assert metric_value(pair, "docket_profile_unknown_rate") == tiny.PROFILE.unknown_rate
        assert metric_value(pair, "docket_profile_prediction_share") == pytest.approx(1)


def test_there_are_as_many_workers_as_cores_where_nobody_says(artifact: Path) -> None:
    with running_server(artifact, workers=0) as server:
        assert f"with {count_usable_cores()} worker" in server.lines[0]
        assert server.get("/health").status_code == 200
