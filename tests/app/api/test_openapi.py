"""What /openapi.json says of each operation: a name that stays, a summary, a group, failures, an example that works."""

from typing import Any

import httpx
import pytest

OPERATIONS = {
    "predict": ("post", "/predict"),
    "predict_batch": ("post", "/predict/batch"),
    "get_model": ("get", "/model"),
    "get_health": ("get", "/health"),
    "get_readiness": ("get", "/health/ready"),
    "get_liveness": ("get", "/health/live"),
    "get_metrics": ("get", "/metrics"),
    "reload": ("post", "/admin/reload"),
}


@pytest.fixture(scope="module")
def described(client: httpx.Client) -> dict[str, Any]:
    return dict(client.get("/openapi.json").json())


def operation(described: dict[str, Any], name: str) -> dict[str, Any]:
    method, path = OPERATIONS[name]
    return dict(described["paths"][path][method])


def test_each_operation_keeps_its_id(described: dict[str, Any]) -> None:
    found = {
        each["operationId"]: (method, path)
        for path, operations in described["paths"].items()
        for method, each in operations.items()
    }
    assert found == OPERATIONS


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_has_a_summary_a_description_and_a_group_that_is_described(
    described: dict[str, Any], name: str
) -> None:
    told = operation(described, name)
    assert told["summary"]
    assert told["description"]
    assert "``" not in told["description"]
    assert {*told["tags"]} <= {tag["name"] for tag in described["tags"]}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_example_is_answered_as_it_is(client: httpx.Client, described: dict[str, Any], name: str) -> None:
    method, path = OPERATIONS[name]
    content = operation(described, name).get("requestBody", {}).get("content", {}).get("application/json", {})
    response = client.request(method, path, json=content.get("example"))
    assert response.status_code == (403 if name == "reload" else 200), response.text
    assert ("example" in content) == (name in {"predict", "predict_batch"})
    if name == "predict_batch":
        assert not [each for each in response.json()["results"] if "error" in each]


def test_the_description_names_the_service_its_license_and_an_address_that_holds_behind_a_prefix(
    described: dict[str, Any],
) -> None:
    info = described["info"]
    assert info["license"] == {"name": "Apache-2.0", "identifier": "Apache-2.0"}
    assert info["summary"]
    assert info["description"]
    assert "contact" not in info
    assert [each["url"] for each in described["servers"]] == ["."]
    assert described["components"]["securitySchemes"].keys() == {"bearer", "header"}
