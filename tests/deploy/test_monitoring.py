"""Prometheus' rules, Grafana's dashboard and the autoscaler use metrics, labels and paths of the service."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.api import operations, prediction_routes
from tests.support import tiny
from tests.support.deploy_files import DEPLOY, DOCKERFILE, ROOT, label_matchers, metric_names, read_yaml
from tests.support.service import running_server

(JOB,) = read_yaml("deploy/prometheus/prometheus.yml")["scrape_configs"]
RULES = [rule for group in read_yaml("deploy/prometheus/rules.yml")["groups"] for rule in group["rules"]]
RECORDED = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
DASHBOARD = json.loads((DEPLOY / "grafana/dashboards/docket.json").read_text(encoding="utf-8"))
(ADAPTER,) = read_yaml("deploy/kubernetes/adapter-values.yaml")["rules"]["custom"]
ADAPTER_QUERY = ADAPTER["metricsQuery"].replace("<<.GroupBy>>", "pod").replace("<<.LabelMatchers>>", 'pod="a"')
EXPRESSIONS = [
    *(rule["expr"] for rule in RULES),
    *(target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]),
    ADAPTER_QUERY,
]
HANDBOOK = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
PATHS = {getattr(route, "path", "") for route in (*prediction_routes.router.routes, *operations.router.routes)}


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The metrics of the service after a prediction, and the labels of each."""
    folder: Path = tmp_path_factory.mktemp("artifact")
    with running_server(tiny.artifact(folder, profile=tiny.PROFILE)) as server:
        server.post("/predict", {"text": "the goal"})
        text = server.get("/metrics").text
    names: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            names.setdefault(sample.name, set()).update(sample.labels)
    return names


def service_metrics(expression: str) -> set[str]:
    """The metrics of the service that an expression uses, also through recording rules."""
    names = metric_names(expression)
    return {origin for name in names for origin in (service_metrics(RECORDED[name]) if name in RECORDED else {name})}


def test_every_expression_uses_metrics_labels_and_paths_of_the_service(metrics: dict[str, set[str]]) -> None:
    for expression in EXPRESSIONS:
        assert service_metrics(expression), expression
        assert service_metrics(expression) <= metrics.keys() | {"up"}, expression
        for metric, label, value in label_matchers(expression):
            assert metric not in metrics or label in metrics[metric] | {"job", "instance", "pod"}, expression
            if label == "path":
                assert all(any(re.fullmatch(path, route) for route in PATHS) for path in value.split("|")), expression
            if label == "job":
                assert value == JOB["job_name"], expression


def test_prometheus_scrapes_the_service_of_the_compose_file() -> None:
    (target,) = JOB["static_configs"][0]["targets"]
    host, port = target.split(":")
    assert host in read_yaml("docker-compose.yml")["services"]
    assert f"EXPOSE {port}\n" in DOCKERFILE
    assert JOB.get("metrics_path", "/metrics") in PATHS


def test_the_autoscaler_uses_the_metric_of_the_adapter(metrics: dict[str, set[str]]) -> None:
    (metric,) = read_yaml("deploy/kubernetes/autoscaler.yaml")["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] == ADAPTER["name"]["as"]
    assert ADAPTER["seriesQuery"].split("{")[0] in metrics


def test_every_alert_has_a_severity_a_description_an_entry_in_the_handbook_and_a_test() -> None:
    for alert in ALERTS.values():
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert alert["annotations"].keys() == {"summary", "description"}
    assert set(re.findall(r"^\| `(Docket\w+)` \|", HANDBOOK, re.MULTILINE)) == ALERTS.keys()
    tests = (DEPLOY / "prometheus/rules_test.yml").read_text(encoding="utf-8")  # promtool's, in which each alert fires
    assert set(re.findall(r'alertname="(\w+)"', tests)) == ALERTS.keys()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("promtool") is None, reason="Debian's package prometheus has promtool")
@pytest.mark.parametrize("command", ["check config prometheus.yml", "test rules rules_test.yml"])
def test_promtool_accepts_the_rules(command: str) -> None:
    folder = DEPLOY / "prometheus"
    run = subprocess.run(["promtool", *command.split()], cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_dashboard_reads_the_provisioned_data_source() -> None:
    (source,) = read_yaml("deploy/grafana/provisioning/datasources/prometheus.yml")["datasources"]
    panels = DASHBOARD["panels"]
    assert {(panel["datasource"]["type"], panel["datasource"]["uid"]) for panel in panels} == {
        (source["type"], source["uid"])
    }
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_the_handbook_names_metrics_of_the_service(metrics: dict[str, set[str]]) -> None:
    assert set(re.findall(r"`(docket_\w+)`", HANDBOOK)) <= metrics.keys() | {"docket_queue_wait_seconds"}
