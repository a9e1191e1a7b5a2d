"""The Dockerfile and the compose file agree with each other and with the service."""

import re
from pathlib import Path

import pytest

from app.server.drain import CLOSE_DELAY_SECONDS
from app.settings import PREFIX, Settings
from tests.support.deploy_files import DOCKERFILE, ROOT, read_yaml

COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
SERVICES = read_yaml("docker-compose.yml")["services"]


def test_training_writes_the_folder_that_the_service_reads() -> None:
    (written,) = re.findall(r'CMD \["train", .*"--out", "([^"]+)"\]', DOCKERFILE)
    (read,) = re.findall(r'CMD \["serve", "([^"]+)"\]', DOCKERFILE)
    assert written == read
    assert re.findall(r"\bartifacts:(/[\w:/]+)", COMPOSE) == [str(Path(read).parent), f"{Path(read).parent}:ro"]


def test_the_image_runs_without_root_and_without_a_shell() -> None:
    assert re.search(r"^USER [1-9]\d*$", DOCKERFILE, re.MULTILINE)
    commands = re.findall(r"^(?:CMD|ENTRYPOINT) (.*)", DOCKERFILE, re.MULTILINE)
    assert all(command.startswith("[") for command in commands)
    service_stage = DOCKERFILE[DOCKERFILE.rindex("FROM ") :]
    assert " AS service" in service_stage
    assert "HEALTHCHECK" in service_stage


def test_every_setting_of_the_container_files_exists() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    assert set(re.findall(r"\bDOCKET_[A-Z_]+\b", DOCKERFILE + COMPOSE)) <= known


def test_the_services_have_limits_and_few_rights() -> None:
    assert {name for name, service in SERVICES.items() if "profiles" not in service} == {"train", "service"}
    for service in SERVICES.values():
        assert {"mem_limit", "cpus", "pids_limit"} <= service.keys()
        if service["restart"] != "no":
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
            assert service["security_opt"] == ["no-new-privileges:true"]
        if "image" in service:
            assert re.fullmatch(r"\w+/\w+:v?\d+\.\d+\.\d+", service["image"])
            assert all(port.startswith("127.0.0.1:") for port in service["ports"])


class MissingVariable(Exception):
    """The message of compose for a variable that must be set."""


def interpolate(text: str, variables: dict[str, str]) -> str:
    """Replace ``${A:-b}``, ``${A:+b}`` and ``${A:?b}`` as compose does, also one inside another."""
    if outer := re.fullmatch(r"\$\{(\w+):\+(\$\{.*\})\}", text):
        return interpolate(outer[2], variables) if variables.get(outer[1]) else ""

    def replace(match: re.Match[str]) -> str:
        value = variables.get(match[1], "")
        if match[2] == "?" and not value:
            raise MissingVariable(match[3])
        return (match[3] if value else "") if match[2] == "+" else value or match[3]

    return re.sub(r"\$\{(\w+):([-+?])([^${}]*)\}", replace, text)


@pytest.mark.parametrize("name", ["service", "gpu"])
def test_the_service_listens_on_loopback_and_elsewhere_only_with_api_keys(name: str) -> None:
    service = SERVICES[name]
    (port,), (keys,) = service["ports"], [volume for volume in service["volumes"] if isinstance(volume, dict)]
    assert interpolate(port, {}).startswith("127.0.0.1:")
    assert interpolate(keys["source"], {}) == "/dev/null"
    assert interpolate(service["labels"]["docket.keys"], {}) == ""
    assert service["environment"]["DOCKET_API_KEYS_FILE"] is None  # compose passes the variable through

    variables = {"PUBLISH": "0.0.0.0", "DOCKET_API_KEYS_FILE": "keys.txt"}
    assert interpolate(port, variables).startswith("0.0.0.0:")
    assert interpolate(keys["source"], variables) == "keys.txt"
    assert Path(interpolate(keys["target"], variables)) == Path(service["working_dir"], "keys.txt")
    with pytest.raises(MissingVariable, match="PUBLISH needs a file of keys"):
        interpolate(service["labels"]["docket.keys"], {"PUBLISH": "0.0.0.0"})


def test_the_service_has_time_to_drain() -> None:
    for name in ("service", "gpu"):
        assert "DOCKET_GRACE" not in SERVICES[name].get("environment", {})
        seconds = int(str(SERVICES[name]["stop_grace_period"]).removesuffix("s"))
        assert Settings.model_fields["grace"].default + CLOSE_DELAY_SECONDS < seconds


def test_grafana_reads_the_dashboard_and_the_prometheus_of_the_compose_file() -> None:
    grafana = SERVICES["grafana"]
    (provider,) = read_yaml("deploy/grafana/provisioning/dashboards/docket.yml")["providers"]
    folder = provider["options"]["path"]
    mounts = dict(volume.split(":")[:2] for volume in grafana["volumes"])
    assert all((ROOT / source).is_dir() for source in mounts if source.startswith("."))
    assert mounts["./deploy/grafana/dashboards"] == folder
    assert grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == f"{folder}/docket.json"
    assert grafana["environment"]["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert grafana["environment"]["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    (source,) = read_yaml("deploy/grafana/provisioning/datasources/prometheus.yml")["datasources"]
    host, port = source["url"].removeprefix("http://").split(":")
    assert any(mapping.endswith(f":{port}") for mapping in SERVICES[host]["ports"])
