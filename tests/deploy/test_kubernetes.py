"""The Kubernetes manifests agree with each other, with the image and with the service."""

import os
import re
from pathlib import Path

import pytest

from app.api import operations, prediction_routes
from app.server.drain import CLOSE_DELAY_SECONDS
from app.settings import PREFIX, Settings
from tests.support.deploy_files import DEPLOY, DOCKERFILE, read_yaml

FOLDER = DEPLOY / "kubernetes"
NAMES = read_yaml(FOLDER / "kustomization.yaml")["resources"]
MANIFESTS = {manifest["kind"]: manifest for manifest in (read_yaml(FOLDER / name) for name in NAMES)}
DEPLOYMENT, SERVICE, SCALER, BUDGET, POLICY = (
    MANIFESTS[kind]
    for kind in ("Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy")
)
TEMPLATE = DEPLOYMENT["spec"]["template"]
POD = TEMPLATE["spec"]
(CONTAINER,) = POD["containers"]
PATHS = {getattr(route, "path", "") for route in (*prediction_routes.router.routes, *operations.router.routes)}


def test_every_selector_matches_the_pods() -> None:
    labels = TEMPLATE["metadata"]["labels"]
    for manifest in MANIFESTS.values():
        assert manifest["metadata"] == {"name": "docket", "labels": labels}
    assert SERVICE["spec"]["selector"] == labels
    selectors = [DEPLOYMENT["spec"]["selector"], BUDGET["spec"]["selector"], POLICY["spec"]["podSelector"]]
    selectors += [constraint["labelSelector"] for constraint in POD["topologySpreadConstraints"]]
    assert selectors == [{"matchLabels": labels}] * len(selectors)
    target = {"apiVersion": DEPLOYMENT["apiVersion"], "kind": "Deployment", "name": "docket"}
    assert SCALER["spec"]["scaleTargetRef"] == target
    assert SCALER["spec"]["minReplicas"] > BUDGET["spec"]["maxUnavailable"]


def test_a_pod_has_time_to_drain() -> None:
    command, seconds = CONTAINER["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    variables = {variable["name"]: variable["value"] for variable in CONTAINER["env"]}
    grace = float(variables.get("DOCKET_GRACE", Settings.model_fields["grace"].default))
    assert int(seconds) + CLOSE_DELAY_SECONDS + grace < POD["terminationGracePeriodSeconds"]


def test_every_port_and_path_is_one_of_the_service() -> None:
    (port,) = CONTAINER["ports"]
    number = port["containerPort"]
    assert f"EXPOSE {number}\n" in DOCKERFILE
    assert number == Settings.model_fields["port"].default
    assert [entry["targetPort"] for entry in SERVICE["spec"]["ports"]] == [port["name"]]
    (ingress,) = POLICY["spec"]["ingress"]
    assert [entry["port"] for entry in ingress["ports"]] == [number]
    annotations = TEMPLATE["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(number)
    assert annotations["prometheus.io/path"] in PATHS
    for probe, path in (("startup", "live"), ("readiness", "ready"), ("liveness", "live")):
        assert CONTAINER[f"{probe}Probe"]["httpGet"] == {"path": f"/health/{path}", "port": port["name"]}


def test_a_pod_has_few_rights() -> None:
    (user,) = re.findall(r"^USER (\d+)$", DOCKERFILE, re.MULTILINE)
    assert (POD["securityContext"]["runAsNonRoot"], POD["securityContext"]["runAsUser"]) == (True, int(user))
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert POD["automountServiceAccountToken"] is False
    assert [mount["mountPath"] for mount in CONTAINER["volumeMounts"] if not mount.get("readOnly")] == ["/tmp"]
    assert CONTAINER["resources"]["requests"].keys() == CONTAINER["resources"]["limits"].keys() == {"cpu", "memory"}
    assert {port["port"] for rule in POLICY["spec"]["egress"] for port in rule["ports"]} == {53}  # DNS alone


def test_the_artifact_is_mounted_read_only_where_the_image_reads_it() -> None:
    (path,) = re.findall(r'CMD \["serve", "([^"]+)"\]', DOCKERFILE)
    (mount,) = [mount for mount in CONTAINER["volumeMounts"] if mount["mountPath"] == str(Path(path).parent)]
    (volume,) = [volume for volume in POD["volumes"] if volume["name"] == mount["name"]]
    assert mount["readOnly"] is True
    assert volume["persistentVolumeClaim"]["readOnly"] is True
    assert re.fullmatch(r"docket:\d+\.\d+\.\d+", CONTAINER["image"])


def test_the_service_starts_with_the_variables_of_the_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    for variable in CONTAINER["env"]:
        monkeypatch.setenv(variable["name"], variable["value"])
    assert Settings.read().workers == 1
    assert POD["enableServiceLinks"] is False
