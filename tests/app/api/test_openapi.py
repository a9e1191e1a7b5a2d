"""The API's description: stable ids, summaries, failures, and examples that work."""

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
PREDICTION_FAILURES = {"400", "408", "413", "415", "422", "429", "503", "504"}
FAILURES = {
    "predict": PREDICTION_FAILURES,
    "predict_batch": PREDICTION_FAILURES,
    "get_health": {"503"},
    "get_readiness": {"503"},
    "get_liveness": {"503"},
    "reload": {"403"},
}


@pytest.fixture(scope="module")
def openapi(client: httpx.Client) -> dict[str, Any]:
    return dict(client.get("/openapi.json").json())


def test_the_ids_of_operations_are_stable(openapi: dict[str, Any]) -> None:
    assert {
        operation["operationId"]: (method, path)
        for path, operations in openapi["paths"].items()
        for method, operation in operations.items()
    } == OPERATIONS


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_described_and_its_example_works(
    client: httpx.Client, openapi: dict[str, Any], name: str
) -> None:
    method, path = OPERATIONS[name]
    operation = openapi["paths"][path][method]
    assert operation["summary"]
    assert operation["description"]
    assert "``" not in operation["description"]
    assert {*operation["tags"]} <= {tag["name"] for tag in openapi["tags"]}
    assert operation["responses"].keys() == FAILURES.get(name, set()) | {"202" if name == "reload" else "200"}
    for status in FAILURES.get(name, ()):
        (kind, content), *others = operation["responses"][status]["content"].items()
        assert (kind, others) == ("application/problem+json", [])
        assert {"type", "title", "status", "detail"} <= content["schema"]["properties"].keys()

    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    assert ("example" in content) == (name in {"predict", "predict_batch"})
    response = client.request(method, path, json=content.get("example"))
    assert response.status_code == (403 if name == "reload" else 200), response.text
    if name == "predict_batch":
        assert not [result for result in response.json()["results"] if "error" in result]


def test_the_description_names_the_service_its_license_and_a_relative_address(openapi: dict[str, Any]) -> None:
    info = openapi["info"]
    assert info["title"] == "Docket"
    assert info["license"] == {"name": "Apache-2.0", "identifier": "Apache-2.0"}
    assert info["summary"]
    assert info["description"]
    assert [server["url"] for server in openapi["servers"]] == ["."]  # it works behind a path prefix
    assert openapi["components"]["securitySchemes"].keys() == {"bearer", "header"}
