"""What Prometheus and Grafana are told of the service is so."""

import json
import re
import shutil
import subprocess

import pytest

from app.api.routes import router
from tests.support.deploy_files import DEPLOY, ROOT, label_matchers, metric_names, read_yaml

PROMETHEUS = read_yaml("deploy/prometheus/prometheus.yml")
RULES = [rule for group in read_yaml("deploy/prometheus/rules.yml")["groups"] for rule in group["rules"]]
RECORDED = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
TESTS = read_yaml("deploy/prometheus/rules_test.yml")["tests"]
DASHBOARD = json.loads((DEPLOY / "grafana/dashboards/docket.json").read_text(encoding="utf-8"))
EXPRESSIONS = [rule["expr"] for rule in RULES] + [
    target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]
]
OF_PROMETHEUS = {"up"}
FROM_PROMETHEUS = {"job", "instance"}
PATHS = {getattr(route, "path", "") for route in router.routes}


def origins(expression: str) -> set[str]:
    """The metrics of the service that an expression comes from, through the rules that record."""
    return {
        origin
        for name in metric_names(expression)
        for origin in (origins(RECORDED[name]) if name in RECORDED else {name})
    }


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ('sum by (job) (rate(a_total{path=~"/b|/c"}[5m])) / on (d) group_left (e) f:g:h', {"a_total", "f:g:h"}),
        ("histogram_quantile(0.99, sum by (le) (rate(a_bucket[$__rate_interval])))", {"a_bucket"}),
        ("a > bool 1e3 and b offset 5m or absent(c == 0.5)", {"a", "b", "c"}),
    ],
)
def test_the_metrics_of_an_expression_are_found(expression, names):
    assert metric_names(expression) == names


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_that_is_asked_for_is_one_that_the_service_shows(expression, shown):
    assert metric_names(expression)
    assert origins(expression) <= shown.keys() | OF_PROMETHEUS


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_label_that_is_asked_for_is_one_of_its_metric(expression, shown):
    for metric, label, _ in label_matchers(expression):
        if metric in shown:
            assert label in shown[metric] | FROM_PROMETHEUS, (metric, label)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_path_that_is_asked_for_is_a_route(expression):
    for _, label, value in label_matchers(expression):
        if label == "path":
            assert all(any(re.fullmatch(path, route) for route in PATHS) for path in value.split("|")), value


def test_every_job_that_is_asked_for_is_the_one_that_is_scraped():
    (job,) = PROMETHEUS["scrape_configs"]
    asked = {value for expression in EXPRESSIONS for _, label, value in label_matchers(expression) if label == "job"}
    assert asked == {job["job_name"]}


def test_prometheus_scrapes_a_service_of_the_compose_file_at_the_port_of_the_image():
    (job,) = PROMETHEUS["scrape_configs"]
    (target,) = job["static_configs"][0]["targets"]
    host, port = target.split(":")
    assert host in read_yaml("docker-compose.yml")["services"]
    assert f"EXPOSE {port}\n" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert job.get("metrics_path", "/metrics") in PATHS


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)
def test_every_alert_says_how_bad_it_is_and_what_to_do(alert):
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert alert["annotations"].keys() == {"summary", "description"}
    assert all(sentence.endswith(".") for sentence in alert["annotations"].values())


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_fires_in_a_test(name):
    fired = {
        found
        for test in TESTS
        for asked in test["promql_expr_test"]
        for sample in asked["exp_samples"]
        for found in re.findall(r'alertname="(\w+)"', sample["labels"])
    }
    assert name in fired


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_stays_silent_in_a_test_that_has_all_of_its_metrics(name):
    assert any(
        origins(ALERTS[name]["expr"]) <= {re.split("[{ ]", series["series"])[0] for series in test["input_series"]}
        and {"ALERTS"}
        in [metric_names(asked["expr"]) for asked in test["promql_expr_test"] if not asked["exp_samples"]]
        for test in TESTS
    )


@pytest.mark.parametrize(
    "command", [("check", "config", "prometheus.yml"), ("test", "rules", "rules_test.yml")], ids=" ".join
)
def test_promtool_has_nothing_against_the_rules(command):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: Debian's package prometheus brings it")
    done = subprocess.run(
        [promtool, *command], cwd=DEPLOY / "prometheus", capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_reads_the_source_that_is_provisioned():
    (source,) = read_yaml("deploy/grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert {(panel["datasource"]["type"], panel["datasource"]["uid"]) for panel in DASHBOARD["panels"]} == {
        (source["type"], source["uid"])
    }


def test_the_panels_of_the_dashboard_are_of_one_kind_and_each_has_its_place():
    panels = DASHBOARD["panels"]
    assert {panel["type"] for panel in panels} == {"timeseries"}
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    assert len({panel["title"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    taken = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))
    assert all(0 <= x < 24 for x, _ in taken)


def test_the_handbook_has_every_alert_and_no_other():
    handbook = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(Docket\w+)` \|", handbook, re.MULTILINE)) == ALERTS.keys()


def test_the_handbook_names_only_metrics_that_the_service_shows(shown):
    handbook = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(docket_\w+)`", handbook)) <= shown.keys() | {"docket_queue_wait_seconds"}
