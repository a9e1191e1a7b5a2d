"""The client's types against the service's own description of them."""

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
    """A schema without its prose; each reference is what it refers to, and "or null" where null is but the default."""
    if isinstance(schema, list):
        return [shape(each, named) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return shape(named[schema["$ref"].rpartition("/")[2]], named)
    plain = {key: value for key, value in schema.items() if key not in PROSE}
    if "properties" in schema:
        properties = {name: shape(each, named) for name, each in schema["properties"].items()}
        return plain | {"properties": properties, "required": sorted(schema.get("required", []))}
    return {key: shape(value, named) for key, value in plain.items()}


def without_null(field: Any) -> Any:
    """What a field is where it is there."""
    kinds = [kind for kind in field.get("anyOf", [field]) if kind != {"type": "null"}]
    return kinds[0] if len(kinds) == 1 else field


def fields(model: type[BaseModel]) -> tuple[dict[str, Any], set[str]]:
    schema = model.model_json_schema()
    read = shape(schema, schema.get("$defs", {}))
    return read["properties"], set(read["required"])


@pytest.mark.parametrize("name", ["Answer", "Score", "Word", "Explanation", "Health"])
def test_every_field_that_the_service_documents_is_read_as_what_it_is(name: str) -> None:
    ours, needed = fields(getattr(docket_client, name))
    theirs = shape(NAMED[name], NAMED)
    assert ours.keys() == theirs["properties"].keys()
    for field, said in theirs["properties"].items():
        assert ours[field] == said if field in needed else without_null(ours[field]) == without_null(said), field
    assert needed <= set(theirs["required"])  # what is documented can be read


def test_a_result_of_a_batch_is_an_answer_or_what_is_wrong_with_the_document() -> None:
    answer, error = (NAMED[name]["properties"] for name in ("BatchAnswer", "BatchError"))
    assert answer.keys() == {"id", *docket_client.Answer.model_fields}
    assert error.keys() == {"id", *docket_client.Unanswered.model_fields}
    assert NAMED["Answers"]["properties"].keys() == Answers.model_fields.keys()


def documented(path: str) -> dict[str, Any]:
    schema: dict[str, Any] = OPENAPI["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return schema


@pytest.mark.parametrize(("path", "sent"), [("/predict", "text"), ("/predict/batch", "documents")])
def test_the_options_are_those_that_the_service_takes(path: str, sent: str) -> None:
    """Limits are the service's to hold: types alone are compared."""
    ours = shape(TypeAdapter(docket_client.Options).json_schema(), {})["properties"]
    theirs = shape(documented(path), {})["properties"]
    assert set(theirs) == {sent, *ours}
    for name, field in ours.items():
        assert kinds(field) == kinds(theirs[name]), name


def kinds(field: dict[str, Any]) -> set[str]:
    return {kind["type"] for kind in field.get("anyOf", [field])}


def test_a_problem_is_read_as_it_is_documented() -> None:
    ours, needed = fields(docket_client.Problem)
    content = OPENAPI["paths"]["/predict"]["post"]["responses"]["422"]["content"]["application/problem+json"]
    theirs = shape(content["schema"], {})["properties"]
    assert ours.keys() == theirs.keys()
    assert all(without_null(ours[name]) == without_null(field) for name, field in theirs.items())
    assert needed == set()  # a gateway's problem may have less


def test_the_paths_that_it_asks_are_there() -> None:
    assert {"/predict", "/predict/batch", "/health"} <= OPENAPI["paths"].keys()
