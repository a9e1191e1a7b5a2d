"""The JSON of a body: no repeated key, null for an option that is not set, a limited number of values."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.service import WAIT_SECONDS, Server, read_problem, running_server

PATHS: dict[str, dict[str, Any]] = {
    "/predict": {"text": "the goal"},
    "/predict/batch": {"documents": [{"text": "the goal"}]},
    "/hf": {"inputs": "the goal"},
    "/tei/predict": {"inputs": "the goal"},
    "/v2/models/docket/infer": {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["the goal"]}]},
}
JSON = {"content-type": "application/json"}
OTHER_JSON = {"content-type": "application/json; charset=utf-8"}


@pytest.fixture(scope="module")
def protocol_server(artifact: Path) -> Iterator[Server]:
    with running_server(artifact, protocols="all", access_log=True) as running:
        yield running


def send(server: Server, path: str, body: bytes, headers: dict[str, str] = JSON) -> httpx.Response:
    return httpx.post(server.url + path, content=body, headers=headers, timeout=WAIT_SECONDS, verify=False)


def error_sentence(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text[:500]
    body = response.json()
    return str(body.get("detail") or body["error"])


@pytest.mark.parametrize("headers", [JSON, OTHER_JSON], ids=["plain ASGI", "FastAPI"])
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
def test_a_repeated_key_is_refused_by_name(
    protocol_server: Server, headers: dict[str, str], path: str, body: bytes, key: str
) -> None:
    assert f'the key "{key}" occurs twice' in error_sentence(send(protocol_server, path, body, headers), 422)


@pytest.mark.parametrize("headers", [JSON, OTHER_JSON], ids=["plain ASGI", "FastAPI"])
@pytest.mark.parametrize("text", ['"text": "a", "text": ', 'a\\": b\\\\', "{{{:::,,,", '\\"text\\":' * 9_000])
def test_a_text_that_looks_like_json_repeats_no_key(
    protocol_server: Server, headers: dict[str, str], text: str
) -> None:
    assert send(protocol_server, "/predict", json.dumps({"text": text}).encode(), headers).status_code == 200
    documents = json.dumps({"documents": [{"id": text, "text": text}, text]}).encode()
    assert "error" not in send(protocol_server, "/predict/batch", documents, headers).text


@pytest.mark.parametrize("headers", [JSON, OTHER_JSON], ids=["plain ASGI", "FastAPI"])
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
            {"inputs": [PATHS["/v2/models/docket/infer"]["inputs"][0] | {"parameters": None}]},
        ),
    ],
)
def test_null_unsets_an_option(
    protocol_server: Server, headers: dict[str, str], path: str, unset: dict[str, object]
) -> None:
    answers = [
        send(protocol_server, path, json.dumps(PATHS[path] | more).encode(), headers).json() for more in ({}, unset)
    ]
    if "outputs" not in unset or unset["outputs"] is None:
        assert answers[0] == answers[1]
    assert "error" not in answers[1]


@pytest.mark.parametrize(
    ("path", "body", "status", "expected"),
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
        ("/hf", b'{"inputs": 5}', 422, "inputs: send a list"),
        ("/hf", b'{"inputs": "a", "options": 5}', 422, "options: send an object"),
        ("/tei/predict", b'{"inputs": "a", "raw_scores": true}', 422, "raw_scores: scores are calibrated"),
        ("/v2/models/docket/infer", b'{"inputs": []}', 422, "inputs: send at least 1 of them"),
        ("/v2/models/docket/infer", b'{"inputs": [{"name": "x"}]}', 422, "inputs.0.name: send 'text'"),
    ],
)
def test_an_error_names_its_place_and_the_value_to_send(
    protocol_server: Server, path: str, body: bytes, status: int, expected: str
) -> None:
    response = send(protocol_server, path, body)
    assert expected in error_sentence(response, status) if expected else response.is_success


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shape", [10**2500] * 2),
        ("parameters", {"binary_data_size": 10**4000}),
        ("parameters", {"binary_data_size": -1}),
    ],
)
def test_a_number_with_too_many_digits_is_refused(protocol_server: Server, field: str, value: object) -> None:
    body = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a"]} | {field: value}]}
    sys.set_int_max_str_digits(0)
    assert field in error_sentence(send(protocol_server, "/v2/models/docket/infer", json.dumps(body).encode()), 422)
    sys.set_int_max_str_digits(sys.int_info.default_max_str_digits)


def test_the_first_errors_are_listed_and_the_others_counted(protocol_server: Server) -> None:
    fields: dict[str, object] = {"x" * 100 + str(number): "secret" for number in range(1_000)}
    response = send(protocol_server, "/predict", json.dumps({"text": "a", **fields}).encode())
    problem = read_problem(response, 422)
    assert len(problem["errors"]) == 20
    assert problem["detail"].endswith("; 980 more errors")
    assert "secret" not in response.text
    assert all(len(error["place"]) == 41 for error in problem["errors"])
    (result,) = send(protocol_server, "/predict/batch", json.dumps({"documents": [fields]}).encode()).json()["results"]
    assert "more errors" in result["error"]


LARGE_BODY_BYTES = 16 * 2**20 - 100
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


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux can reset the peak of memory")
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_too_many_values_are_refused_before_they_are_built(protocol_server: Server, path: str, name: str) -> None:
    begin, part, end = HOSTILE[name]
    parts = [part % number if b"%" in part else part for number in range(LARGE_BODY_BYTES // (len(part) + 8))]
    status = Path(f"/proc/{protocol_server.process.pid}")
    (status / "clear_refs").write_text("5")  # resets the peak of memory
    memory_before = read_memory(status, "VmRSS")
    response = send(protocol_server, path, begin + b",".join(parts) + end)
    assert response.status_code in {413, 422}
    assert len(response.content) < 10_000
    assert read_memory(status, "VmHWM") - memory_before < 300_000


def read_memory(process: Path, name: str) -> int:
    """Read a value of ``/proc`` in kB."""
    return int(re.findall(rf"{name}:\s+(\d+) kB", (process / "status").read_text())[0])


FIELDS = [
    *("text", "top_k", "explain", "abstain_below", "coverage", "documents", "id", "inputs", "parameters", "options"),
    *("outputs", "raw_scores", "truncate", "function_to_apply", "binary_data_output", "name", "datatype", "shape"),
    *("data", "binary_data_size", "classification", "shared_memory_region"),
]
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.sampled_from(FIELDS), ANY_JSON, max_size=4)


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(path=st.sampled_from(sorted(PATHS)), body=OBJECTS | ANY_JSON, valid=st.booleans())
@example(path="/predict/batch", body={"documents": [{"id": 1.5, "text": "a"}, "", 5, None, {"id": []}]}, valid=False)
@example(path="/hf", body={"inputs": ["a"], "parameters": []}, valid=False)
def test_no_sentence_of_a_library_reaches_a_client(protocol_server: Server, path: str, body: Any, valid: bool) -> None:
    if valid and isinstance(body, dict):
        body = PATHS[path] | body
    response = send(protocol_server, path, json.dumps(body).encode(errors="replace"))
    assert response.status_code in {200, 413, 422}, response.text
    answer = response.json()
    if isinstance(answer, dict):
        for result in (answer, *answer.get("results", ())):
            message = result.get("detail") or result.get("error") or ""
            assert not re.search(
                r"Input should|pydantic|valid dictionary|instance of|<class|\(\)|0x|Traceback|\n", message
            )
