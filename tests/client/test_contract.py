"""The types of the client equal the OpenAPI description of the service."""

from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

import docket_client
from app.main import create_app
from app.settings import Settings
from docket_client.responses import Answers

OPENAPI = create_app(Settings()).openapi()
NAMED = OPENAPI["components"]["schemas"]
PROSE = {"title", "description", "default"}


def shape(schema: Any, named: dict[str, Any]) -> Any:
    """A schema without its prose, with its references resolved."""
    if isinstance(schema, list):
        return [shape(item, named) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return shape(named[schema["$ref"].rpartition("/")[2]], named)
    plain = {key: value for key, value in schema.items() if key not in PROSE}
    if "properties" in schema:
        properties = {name: shape(field, named) for name, field in schema["properties"].items()}
        return plain | {"properties": properties, "required": sorted(schema.get("required", []))}
    return {key: shape(value, named) for key, value in plain.items()}


def without_null(field: Any) -> Any:
    """The schema of a field without null."""
    kinds = [kind for kind in field.get("anyOf", [field]) if kind != {"type": "null"}]
    return kinds[0] if len(kinds) == 1 else field


def fields(model: type[BaseModel]) -> tuple[dict[str, Any], set[str]]:
    schema = model.model_json_schema()
    read = shape(schema, schema.get("$defs", {}))
    return read["properties"], set(read["required"])


@pytest.mark.parametrize("name", ["Answer", "Score", "Word", "Explanation", "Health"])
def test_every_documented_field_is_read_with_its_type(name: str) -> None:
    client_fields, needed = fields(getattr(docket_client, name))
    service_fields = shape(NAMED[name], NAMED)
    assert client_fields.keys() == service_fields["properties"].keys()
    for field, schema in service_fields["properties"].items():
        assert (
            client_fields[field] == schema
            if field in needed
            else without_null(client_fields[field]) == without_null(schema)
        ), field
    assert needed <= set(service_fields["required"])  # every documented field can be read


def test_a_result_of_a_batch_is_an_answer_or_an_error() -> None:
    answer, error = (NAMED[name]["properties"] for name in ("BatchAnswer", "BatchError"))
    assert answer.keys() == {"id", *docket_client.Answer.model_fields}
    assert error.keys() == {"id", *docket_client.Unanswered.model_fields}
    assert NAMED["Answers"]["properties"].keys() == Answers.model_fields.keys()


def documented(path: str) -> dict[str, Any]:
    schema: dict[str, Any] = OPENAPI["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return schema


@pytest.mark.parametrize(("path", "sent"), [("/predict", "text"), ("/predict/batch", "documents")])
def test_the_options_equal_those_of_the_service(path: str, sent: str) -> None:
    """Only the types: the service checks the limits."""
    client_fields = shape(TypeAdapter(docket_client.Options).json_schema(), {})["properties"]
    service_fields = shape(documented(path), {})["properties"]
    assert set(service_fields) == {sent, *client_fields}
    for name, field in client_fields.items():
        assert kinds(field) == kinds(service_fields[name]), name


def kinds(field: dict[str, Any]) -> set[str]:
    return {kind["type"] for kind in field.get("anyOf", [field])}


def test_a_problem_has_the_documented_fields() -> None:
    client_fields, needed = fields(docket_client.Problem)
    content = OPENAPI["paths"]["/predict"]["post"]["responses"]["422"]["content"]["application/problem+json"]
    service_fields = shape(content["schema"], {})["properties"]
    assert client_fields.keys() == service_fields.keys()
    assert all(without_null(client_fields[name]) == without_null(field) for name, field in service_fields.items())
    assert needed == set()  # a gateway's problem may have less


def test_the_paths_of_the_client_exist() -> None:
    assert {"/predict", "/predict/batch", "/health"} <= OPENAPI["paths"].keys()
