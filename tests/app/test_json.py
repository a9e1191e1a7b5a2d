"""What a body's JSON may be: each key once, null for an unset option, and no more values than memory and time allow."""

import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic_core.core_schema import ErrorType

from app.parsing.validation_errors import SENTENCES
from tests.support.service import WAIT_SECONDS, Server, read_problem, running_server

PATHS = {
    "/predict": {"text": "the goal"},
    "/predict/batch": {"documents": [{"text": "the goal"}]},
    "/hf": {"inputs": "the goal"},
    "/tei/predict": {"inputs": "the goal"},
    "/v2/models/docket/infer": {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["the goal"]}]},
}
JSON = {"content-type": "application/json"}
LONG = {"content-type": "application/json; charset=utf-8"}


@pytest.fixture(scope="module")
def speaking(artifact: Path) -> Iterator[Server]:
    with running_server(artifact, protocols="all", access_log=True) as running:
        yield running


def send(server: Server, path: str, body: bytes, headers: dict[str, str] = JSON) -> httpx.Response:
    return httpx.post(server.url + path, content=body, headers=headers, timeout=WAIT_SECONDS, verify=False)


def sentence(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text[:500]
    told = response.json()
    return str(told.get("detail") or told["error"])


@pytest.mark.parametrize("headers", [JSON, LONG], ids=["direct", "through the framework"])
@pytest.mark.parametrize(
    ("path", "body", "key"),
    [
        ("/predict", rb'{"text": "a", "text": "b"}', "text"),
        ("/predict", rb'{"text": "a", "\u0074ext": "b"}', "text"),
        ("/predict", rb'{"text": "a: \": b", "text" : "b"}', "text"),
        ("/predict", rb'{"text": "a", "top_k": 1, "top_k": 2}', "top_k"),
        ("/predict", b'{"text": "%b", "text": "b"}' % (b"a: " * 50_000), "text"),
        ("/predict/batch", b'{"documents": ["a"], "documents": ["b"]}', "documents"),
        ("/hf", b'{"inputs": "a", "parameters": {"top_k": 1, "top_k": 1}}', "top_k"),
        ("/hf", b'{"inputs": [{"a": 1, "a": 2}]}', "a"),
        ("/tei/predict", b'{"inputs": "a", "inputs": "b"}', "inputs"),
        ("/v2/models/docket/infer", b'{"inputs": [{"name": "text", "name": "text"}]}', "name"),
    ],
)
def test_a_key_that_occurs_twice_in_an_object_is_refused_and_named(
    speaking: Server, headers: dict[str, str], path: str, body: bytes, key: str
) -> None:
    assert f'the key "{key}" occurs twice' in sentence(send(speaking, path, body, headers), 422)


def test_a_document_with_a_key_twice_fails_alone(speaking: Server) -> None:
    body = b'{"documents": [{"id": 7, "text": "a", "text": "b"}, {"text": "the goal"}]}'
    failed, answered = send(speaking, "/predict/batch", body).json()["results"]
    assert failed == {"id": 7, "error": 'the key "text" occurs twice in one object: send it once'}
    assert answered["label"]


@pytest.mark.parametrize("headers", [JSON, LONG], ids=["direct", "through the framework"])
@pytest.mark.parametrize("text", ['"text": "a", "text": ', 'a\\": b\\\\', "{{{:::,,,", '\\"text\\":' * 9_000])
def test_a_text_that_looks_like_json_repeats_no_key(speaking: Server, headers: dict[str, str], text: str) -> None:
    assert send(speaking, "/predict", json.dumps({"text": text}).encode(), headers).status_code == 200
    documents = json.dumps({"documents": [{"id": text, "text": text}, text]}).encode()
    assert "error" not in send(speaking, "/predict/batch", documents, headers).text


@pytest.mark.parametrize("headers", [JSON, LONG], ids=["direct", "through the framework"])
@pytest.mark.parametrize(
    ("path", "unset"),
    [
        ("/predict", {"top_k": None, "explain": None, "abstain_below": None, "coverage": None}),
        ("/predict/batch", {"top_k": None, "explain": None, "abstain_below": None, "coverage": None}),
        ("/hf", {"parameters": None, "options": None}),
        ("/hf", {"parameters": {"top_k": None, "function_to_apply": None}}),
        ("/tei/predict", dict.fromkeys(["raw_scores", "truncate", "truncation_direction", "model"])),
        ("/v2/models/docket/infer", {"id": None, "parameters": None, "outputs": None}),
        ("/v2/models/docket/infer", {"parameters": {"binary_data_output": None}}),
        ("/v2/models/docket/infer", {"outputs": [{"name": "label", "parameters": None}]}),
        (
            "/v2/models/docket/infer",
            {"outputs": [{"name": "label", "parameters": {"binary_data": None, "classification": None}}]},
        ),
        (
            "/v2/models/docket/infer",
            {"inputs": [PATHS["/v2/models/docket/infer"]["inputs"][0] | {"parameters": None}]},  # type: ignore[dict-item]
        ),
    ],
)
def test_null_is_an_option_that_is_not_set(
    speaking: Server, headers: dict[str, str], path: str, unset: dict[str, object]
) -> None:
    answers = [send(speaking, path, json.dumps(PATHS[path] | more).encode(), headers).json() for more in ({}, unset)]
    if "outputs" not in unset or unset["outputs"] is None:
        assert answers[0] == answers[1]
    assert "error" not in answers[1]


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/predict", b'{"text": 5}', 422, "text: send a string"),
        ("/predict", b"[]", 422, "send an object"),
        ("/predict", b"", 422, "the body is empty: send JSON"),
        ("/predict/batch", b" \n", 422, "the body is empty: send JSON"),
        ("/predict", b"{}", 422, "text: this field is missing"),
        ("/predict", b'{"text": "a", "top_k": 1.5}', 422, "top_k: send a whole number"),
        ("/predict", b'{"text": "a", "top_k": 0}', 422, "top_k: send a number that is 1 or more"),
        ("/predict", b'{"text": "a", "top_k": 1e400}', 422, "top_k: send a whole number"),
        ("/predict", b'{"text": "a", "coverage": NaN}', 422, "coverage: send a number less than 1"),
        ("/predict", b'{"text": "a", "abstain_below": Infinity}', 422, "abstain_below: send a number"),
        ("/predict", b'{"text": "a", "explain": 1}', 422, "explain: send true or false"),
        ("/predict", b'{"text": "a", "colour\\u0007": 1}', 422, r"colour\x07: there is no such field"),
        ("/predict", b'{"text": "a\n"}', 422, r"(invalid control character at character 11): write it as \n"),
        ("/predict", b'{"text": "a", "top_k": %b}' % (b"1" * 5_000), 422, "too many digits"),
        ("/predict", b"[" * 30_000, 422, "nested too deeply"),
        ("/predict", '{"text": "a"}'.encode("utf-16"), 422, "not in UTF-8"),
        ("/predict", b'{"text": "a"}'.decode().encode("utf-8-sig"), 200, ""),
        ("/predict/batch", b'{"documents": {}}', 422, "documents: send a list"),
        ("/hf", b'{"inputs": 5}', 422, "inputs: send a list"),
        ("/hf", b'{"inputs": "a", "options": 5}', 422, "options: send an object"),
        ("/tei/predict", b'{"inputs": "a", "raw_scores": true}', 422, "raw_scores: scores are calibrated"),
        ("/v2/models/docket/infer", b'{"inputs": []}', 422, "inputs: send at least 1 of them"),
        ("/v2/models/docket/infer", b'{"inputs": [{"name": "x"}]}', 422, "inputs.0.name: send 'text'"),
    ],
)
def test_what_is_wrong_with_a_body_is_said_with_its_place_and_what_to_send(
    speaking: Server, path: str, body: bytes, status: int, said: str
) -> None:
    assert said in sentence(send(speaking, path, body), status) if said else send(speaking, path, body).is_success


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shape", [10**2500] * 2),
        ("shape", [10**4000]),
        ("parameters", {"binary_data_size": 10**4000}),
        ("parameters", {"binary_data_size": -1}),
    ],
)
def test_a_number_too_long_to_be_written_is_refused(speaking: Server, field: str, value: object) -> None:
    body = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a"]} | {field: value}]}
    sys.set_int_max_str_digits(0)
    assert field in sentence(send(speaking, "/v2/models/docket/infer", json.dumps(body).encode()), 422)
    sys.set_int_max_str_digits(sys.int_info.default_max_str_digits)


def test_of_many_errors_the_first_are_listed_and_the_others_counted(speaking: Server) -> None:
    fields: dict[str, object] = {"x" * 100 + str(number): "secret" for number in range(1_000)}
    response = send(speaking, "/predict", json.dumps({"text": "a", **fields}).encode())
    told = read_problem(response, 422)
    assert len(told["errors"]) == 20
    assert told["detail"].endswith("; 980 more errors")
    assert "secret" not in response.text
    assert all(len(each["place"]) == 41 for each in told["errors"])
    (result,) = send(speaking, "/predict/batch", json.dumps({"documents": [fields]}).encode()).json()["results"]
    assert "more errors" in result["error"]


LARGE = 16 * 2**20 - 100
HOSTILE = {
    "documents of an empty key": (b'{"documents":[', b'{"":0}', b"]}"),
    "documents of objects": (b'{"documents":[', b'{"":{"":0}}', b"]}"),
    "lists in lists": (b'{"documents":[', b"[[[[]]]]", b"]}"),
    "numbers": (b'{"documents":[', b"0", b"]}"),
    "strings": (b'{"documents":[', b'""', b"]}"),
    "extra keys": (b'{"text":"a",', b'"%d":0', b"}"),
    "extra keys of one document": (b'{"documents":[{"text":"a",', b'"%d":0', b"}]}"),
    "depth": (b"", b"[[[[[[[[", b""),
    "no JSON": (b'{"text":"', b'a"', b""),
}


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux alone counts the peak anew")
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/v2/models/docket/infer"])
def test_a_body_of_too_many_values_is_refused_before_they_are_built(speaking: Server, path: str, name: str) -> None:
    begin, part, end = HOSTILE[name]
    parts = [part % number if b"%" in part else part for number in range(LARGE // (len(part) + 8))]
    status = Path(f"/proc/{speaking.process.pid}")
    (status / "clear_refs").write_text("5")  # the peak of memory begins anew
    before = memory(status, "VmRSS")
    response = send(speaking, path, begin + b",".join(parts) + end)
    assert response.status_code in {413, 422}
    assert len(response.content) < 10_000
    assert memory(status, "VmHWM") - before < 300_000


def memory(process: Path, name: str) -> int:
    """In kB."""
    return int(re.findall(rf"{name}:\s+(\d+) kB", (process / "status").read_text())[0])


OURS = {
    name
    for module in list(sys.modules.values())
    if (module.__name__ or "").partition(".")[0] in {"app", "model", "pydantic", "pydantic_core"}
    for name, _ in inspect.getmembers(module, lambda it: inspect.isclass(it) or inspect.isfunction(it))
    if "_" in name or re.search("[a-z][A-Z]", name)
}
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [
    *("text", "top_k", "explain", "abstain_below", "coverage", "documents", "id", "inputs", "parameters", "options"),
    *("outputs", "raw_scores", "truncate", "function_to_apply", "binary_data_output", "name", "datatype", "shape"),
    *("data", "binary_data_size", "classification", "shared_memory_region"),
]
OBJECTS = st.recursive(
    st.dictionaries(st.sampled_from(FIELDS), ANY, max_size=4),
    lambda inner: st.dictionaries(st.sampled_from(FIELDS), inner | st.lists(inner, max_size=2), max_size=4),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(path=st.sampled_from(sorted(PATHS)), body=OBJECTS | ANY, valid=st.booleans())
@example(path="/predict/batch", body={"documents": [{"id": 1.5, "text": "a"}, "", 5, None, {"id": []}]}, valid=False)
@example(path="/hf", body={"inputs": ["a"], "parameters": []}, valid=False)
def test_no_name_of_a_class_or_a_function_reaches_a_client(speaking: Server, path: str, body: Any, valid: bool) -> None:
    if valid and isinstance(body, dict):
        body = PATHS[path] | body
    response = send(speaking, path, json.dumps(body).encode(errors="replace"))
    assert response.status_code in {200, 413, 422}, response.text
    told = response.json()
    messages = [told.get("detail"), told.get("error")] if isinstance(told, dict) else []
    if isinstance(told, dict):
        messages += [each.get("error") for each in told.get("results", ())]
    for message in filter(None, messages):
        for each in message.split("; "):
            without_place = each.rpartition(": ")[0] + each.rpartition(": ")[2] if ": " in each else each
            assert not re.search(r"Input should|pydantic|valid dictionary|instance of|<class|\(\)|0x|Traceback", each)
            assert not OURS & set(re.findall(r"[A-Za-z_]\w+", without_place)) - set(FIELDS)
        assert "\n" not in message


def test_each_type_of_error_that_has_a_sentence_is_one_of_pydantics() -> None:
    assert set(SENTENCES) <= set(get_args(ErrorType))
