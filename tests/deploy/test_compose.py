"""What the compose file says of its services."""

import re
from pathlib import Path

import pytest

from app.server.drain import LINGER
from app.settings import Settings
from tests.support.deploy_files import ROOT, read_yaml, to_seconds

SERVICES = read_yaml("docker-compose.yml")["services"]
STAYING = {name: service for name, service in SERVICES.items() if service["restart"] != "no"}
OTHERS = {name: service for name, service in SERVICES.items() if "image" in service}


def test_only_training_and_the_service_start_unasked():
    assert {name for name, service in SERVICES.items() if "profiles" not in service} == {"train", "service"}


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_every_service_has_limits(service):
    assert {"mem_limit", "cpus", "pids_limit"} <= service.keys()


@pytest.mark.parametrize("service", STAYING.values(), ids=STAYING)
def test_what_stays_writes_nowhere_but_where_it_is_told_and_has_no_rights(service):
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("service", OTHERS.values(), ids=OTHERS)
def test_an_image_of_others_has_an_exact_version_and_is_heard_on_this_machine_alone(service):
    assert re.fullmatch(r"\w+/\w+:v?\d+\.\d+\.\d+", service["image"])
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


class Missing(Exception):
    """What compose says where a variable must be set."""


def interpolate(text: str, variables: dict[str, str]) -> str:
    """``text`` as compose reads it: ``${A:-b}``, ``${A:+b}`` and ``${A:?b}``, one in another too."""
    innermost = re.compile(r"\$\{(\w+):([-+?])([^${}]*)\}")
    outer = re.compile(r"\$\{(\w+):\+(\$\{.*\})\}")
    if found := outer.fullmatch(text):
        return interpolate(found[2], variables) if variables.get(found[1]) else ""

    def replace(found: re.Match[str]) -> str:
        value = variables.get(found[1], "")
        if found[2] == "?" and not value:
            raise Missing(found[3])
        if found[2] == "+":
            return found[3] if value else ""
        return value or found[3]

    return innermost.sub(replace, text)


@pytest.mark.parametrize("name", ["service", "gpu"])
def test_the_service_is_published_on_loopback_and_elsewhere_only_with_a_file_of_keys(name):
    service = SERVICES[name]
    (port,), (keys,) = service["ports"], [each for each in service["volumes"] if isinstance(each, dict)]
    assert interpolate(port, {}).startswith("127.0.0.1:")
    assert interpolate(keys["source"], {}) == "/dev/null"
    assert interpolate(service["labels"]["docket.keys"], {}) == ""
    assert service["environment"]["DOCKET_API_KEYS_FILE"] is None  # passed on as it is, and unset where it is unset

    given = {"PUBLISH": "0.0.0.0", "DOCKET_API_KEYS_FILE": "keys.txt"}
    assert interpolate(port, given).startswith("0.0.0.0:")
    assert interpolate(keys["source"], given) == "keys.txt"
    assert Path(interpolate(keys["target"], given)) == Path(service["working_dir"], given["DOCKET_API_KEYS_FILE"])
    with pytest.raises(Missing, match="PUBLISH needs a file of keys"):
        interpolate(service["labels"]["docket.keys"], {"PUBLISH": "0.0.0.0"})


def test_the_service_is_not_killed_while_it_drains():
    grace = Settings.model_fields["grace"].default
    for name in ("service", "gpu"):
        assert "DOCKET_GRACE" not in SERVICES[name].get("environment", {})
        assert grace + LINGER < to_seconds(SERVICES[name]["stop_grace_period"])


def test_every_folder_that_is_mounted_from_here_is_there_and_read_only():
    mounted = [
        volume.split(":")
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if isinstance(volume, str) and volume.startswith(".")
    ]
    assert mounted
    for source, _, mode in mounted:
        assert (ROOT / source).is_dir()
        assert mode == "ro"


def test_grafana_finds_the_dashboard_where_it_is_mounted():
    (provider,) = read_yaml("deploy/grafana/provisioning/dashboards/docket.yml")["providers"]
    places = {source: target for source, target, *_ in (it.split(":") for it in SERVICES["grafana"]["volumes"])}
    assert places["./deploy/grafana/dashboards"] == provider["options"]["path"]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/docket.json"


def test_grafana_asks_the_prometheus_that_stands_beside_it():
    (source,) = read_yaml("deploy/grafana/provisioning/datasources/prometheus.yml")["datasources"]
    host, port = source["url"].removeprefix("http://").split(":")
    assert any(it.endswith(f":{port}") for it in SERVICES[host]["ports"])


def test_nobody_logs_in_to_grafana_with_a_password_that_all_know():
    environment = SERVICES["grafana"]["environment"]
    assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
