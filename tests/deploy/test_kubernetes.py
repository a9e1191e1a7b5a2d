"""What the base for Kubernetes says of itself, of the image and of the program."""

import os
import re
from pathlib import Path

import pytest

from app.api.routes import router
from app.server.drain import LINGER
from app.settings import PREFIX, Settings
from tests.support.deploy_files import DEPLOY, ROOT, metric_names, read_yaml

FOLDER = DEPLOY / "kubernetes"
NAMES = read_yaml(FOLDER / "kustomization.yaml")["resources"]
MANIFESTS = {manifest["kind"]: manifest for manifest in (read_yaml(FOLDER / name) for name in NAMES)}
DEPLOYMENT, SERVICE, SCALER = (MANIFESTS[it] for it in ("Deployment", "Service", "HorizontalPodAutoscaler"))
TEMPLATE = DEPLOYMENT["spec"]["template"]
POD = TEMPLATE["spec"]
(CONTAINER,) = POD["containers"]
ADAPTER = read_yaml(FOLDER / "adapter-values.yaml")["rules"]["custom"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PATHS = {getattr(route, "path", "") for route in router.routes}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment, without a ``DOCKET_…``."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    return monkeypatch


def test_every_file_of_the_base_is_applied_but_the_one_for_another_program():
    assert {path.name for path in FOLDER.iterdir()} == {*NAMES, "kustomization.yaml", "adapter-values.yaml"}


@pytest.mark.parametrize("version", ["1.28", "1.32", "1.37"])
def test_every_manifest_is_what_kubernetes_takes(version):
    schemas = pytest.importorskip(
        "kubernetes_validate", reason="kubernetes-validate is not installed: pip brings it, and 17,000 files with it"
    )
    for manifest in MANIFESTS.values():
        schemas.validate(manifest, version, strict=True)


def test_every_manifest_has_a_kind_of_its_own_the_one_name_and_the_one_label():
    assert MANIFESTS.keys() == {
        "Deployment",
        "Service",
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
        "NetworkPolicy",
    }
    assert len(MANIFESTS) == len(NAMES)
    for manifest in MANIFESTS.values():
        assert manifest.keys() == {"apiVersion", "kind", "metadata", "spec"}
        assert manifest["metadata"] == {"name": "docket", "labels": TEMPLATE["metadata"]["labels"]}


def test_every_selector_finds_the_pods():
    labels = TEMPLATE["metadata"]["labels"]
    assert DEPLOYMENT["spec"]["selector"] == {"matchLabels": labels}
    assert SERVICE["spec"]["selector"] == labels
    assert MANIFESTS["PodDisruptionBudget"]["spec"]["selector"] == {"matchLabels": labels}
    assert MANIFESTS["NetworkPolicy"]["spec"]["podSelector"] == {"matchLabels": labels}
    assert [it["labelSelector"] for it in POD["topologySpreadConstraints"]] == [{"matchLabels": labels}]
    assert SCALER["spec"]["scaleTargetRef"] == {
        "apiVersion": DEPLOYMENT["apiVersion"],
        "kind": "Deployment",
        "name": DEPLOYMENT["metadata"]["name"],
    }


def test_a_pod_is_not_killed_while_it_drains():
    command, pause = CONTAINER["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    own = {variable["name"]: variable["value"] for variable in CONTAINER["env"]}
    grace = float(own.get("DOCKET_GRACE", Settings.model_fields["grace"].default))
    assert int(pause) + LINGER + grace < POD["terminationGracePeriodSeconds"]


@pytest.mark.parametrize(
    ("probe", "path"),
    [("startupProbe", "/health/live"), ("readinessProbe", "/health/ready"), ("livenessProbe", "/health/live")],
)
def test_every_probe_asks_a_route_of_the_app_at_a_port_of_the_container(probe, path):
    asked = CONTAINER[probe]["httpGet"]
    assert asked["path"] == path
    assert path in PATHS
    assert asked["port"] in {port["name"] for port in CONTAINER["ports"]}


def test_everybody_names_the_port_that_the_image_listens_on():
    (port,) = CONTAINER["ports"]
    assert f"EXPOSE {port['containerPort']}\n" in DOCKERFILE
    assert port["containerPort"] == Settings.model_fields["port"].default
    assert [it["targetPort"] for it in SERVICE["spec"]["ports"]] == [port["name"]]
    (ingress,) = MANIFESTS["NetworkPolicy"]["spec"]["ingress"]
    assert [it["port"] for it in ingress["ports"]] == [port["containerPort"]]
    told = TEMPLATE["metadata"]["annotations"]
    assert told["prometheus.io/port"] == str(port["containerPort"])
    assert told["prometheus.io/path"] in PATHS


def test_a_pod_asks_the_network_for_names_and_nothing_else():
    policy = MANIFESTS["NetworkPolicy"]["spec"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert {port["port"] for rule in policy["egress"] for port in rule["ports"]} == {53}


def test_a_pod_has_no_rights_and_writes_in_tmp_alone():
    (user,) = re.findall(r"^USER (\d+)$", DOCKERFILE, re.MULTILINE)
    pod, own = POD["securityContext"], CONTAINER["securityContext"]
    assert (pod["runAsNonRoot"], pod["runAsUser"]) == (True, int(user))
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert POD["automountServiceAccountToken"] is False
    assert [it["mountPath"] for it in CONTAINER["volumeMounts"] if not it.get("readOnly")] == ["/tmp"]


def test_the_artifact_is_mounted_read_only_where_the_image_reads_it():
    (read_from,) = re.findall(r'CMD \["serve", "([^"]+)"\]', DOCKERFILE)
    (mount,) = [it for it in CONTAINER["volumeMounts"] if it["mountPath"] == str(Path(read_from).parent)]
    (volume,) = [it for it in POD["volumes"] if it["name"] == mount["name"]]
    assert mount["readOnly"] is True
    assert volume["persistentVolumeClaim"]["readOnly"] is True


def test_no_pod_takes_more_than_it_may_and_each_says_what_it_needs():
    assert CONTAINER["resources"]["requests"].keys() == CONTAINER["resources"]["limits"].keys() == {"cpu", "memory"}


def test_the_image_has_a_version():
    assert re.fullmatch(r"docket:\d+\.\d+\.\d+", CONTAINER["image"])


def test_the_settings_of_the_pod_are_such_as_start(environment):
    for variable in CONTAINER["env"]:
        environment.setenv(variable["name"], variable["value"])
    assert Settings.read().workers == 1


def test_a_pod_that_is_told_of_the_service_would_start_all_the_same(environment):
    """Kubernetes' variables for a Service, as its documentation has them; ours are switched off, others' are not."""
    assert POD["enableServiceLinks"] is False
    name = SERVICE["metadata"]["name"].upper().replace("-", "_")
    for port in SERVICE["spec"]["ports"]:
        number, address = str(port["port"]), "10.0.0.11"
        environment.setenv(f"{name}_SERVICE_HOST", address)
        environment.setenv(f"{name}_SERVICE_PORT", number)
        environment.setenv(f"{name}_SERVICE_PORT_{port['name'].upper()}", number)
        environment.setenv(f"{name}_PORT", f"tcp://{address}:{number}")
        environment.setenv(f"{name}_PORT_{number}_TCP", f"tcp://{address}:{number}")
        environment.setenv(f"{name}_PORT_{number}_TCP_PROTO", "tcp")
        environment.setenv(f"{name}_PORT_{number}_TCP_PORT", number)
        environment.setenv(f"{name}_PORT_{number}_TCP_ADDR", address)
    assert Settings.read() == Settings()


def test_the_autoscaler_and_the_budget_leave_a_pod_to_answer():
    assert SCALER["spec"]["minReplicas"] > MANIFESTS["PodDisruptionBudget"]["spec"]["maxUnavailable"]
    assert "replicas" not in DEPLOYMENT["spec"]


def test_the_autoscaler_asks_for_what_the_adapter_shows_of_metrics_that_the_service_has(shown):
    (rule,) = ADAPTER
    (metric,) = SCALER["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] == rule["name"]["as"]
    query = rule["metricsQuery"].replace("<<.GroupBy>>", "pod").replace("<<.LabelMatchers>>", 'pod="a"')
    asked = metric_names(query)
    assert asked == {"docket_queue_seconds_sum", "docket_queue_seconds_count"}
    assert asked | {rule["seriesQuery"].split("{")[0]} <= shown.keys()
