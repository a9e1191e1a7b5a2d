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


def test_every_setting_of_the_container_files_exists() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    assert set(re.findall(r"\bDOCKET_[A-Z_]+\b", DOCKERFILE + COMPOSE)) <= known


def test_the_services_have_limits_and_few_rights() -> None:
    assert re.search(r"^USER [1-9]\d*$", DOCKERFILE, re.MULTILINE)
    for service in SERVICES.values():
        assert {"mem_limit", "cpus", "pids_limit"} <= service.keys()
        if service["restart"] != "no":
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
            assert service["security_opt"] == ["no-new-privileges:true"]
        if "image" in service:
            assert re.fullmatch(r"\w+/\w+:v?\d+\.\d+\.\d+", service["image"])
            assert all(port.startswith("127.0.0.1:") for port in service["ports"])


@pytest.mark.parametrize("name", ["service", "gpu"])
def test_the_service_listens_on_loopback_has_time_to_drain_and_needs_keys_elsewhere(name: str) -> None:
    service = SERVICES[name]
    (port,) = service["ports"]
    assert port.startswith("${PUBLISH:-127.0.0.1}:")
    assert service["labels"]["docket.keys"].startswith("${PUBLISH:+${DOCKET_API_KEYS_FILE:?PUBLISH needs a file")
    assert service["environment"]["DOCKET_API_KEYS_FILE"] is None  # compose passes the variable through
    assert "DOCKET_GRACE" not in service["environment"]
    seconds = int(service["stop_grace_period"].removesuffix("s"))
    assert Settings.model_fields["grace"].default + CLOSE_DELAY_SECONDS < seconds


def test_grafana_reads_the_dashboard_and_the_prometheus_of_the_compose_file() -> None:
    grafana = SERVICES["grafana"]
    (provider,) = read_yaml("deploy/grafana/provisioning/dashboards/docket.yml")["providers"]
    folder = provider["options"]["path"]
    mounts = dict(volume.split(":")[:2] for volume in grafana["volumes"])
    assert all((ROOT / source).is_dir() for source in mounts if source.startswith("."))
    assert mounts["./deploy/grafana/dashboards"] == folder
    assert grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == f"{folder}/docket.json"
    (source,) = read_yaml("deploy/grafana/provisioning/datasources/prometheus.yml")["datasources"]
    host, port = source["url"].removeprefix("http://").split(":")
    assert any(mapping.endswith(f":{port}") for mapping in SERVICES[host]["ports"])
