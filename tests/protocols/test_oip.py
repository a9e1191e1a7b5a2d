"""The Open Inference Protocol under ``/v2``."""

import json
import struct
from typing import Any

import httpx
import pytest

from tests.support.native_scores import LONG, TEXTS, native_scores

INFER = "/v2/models/docket/infer"


def tensor(texts: list[Any], **changed: object) -> dict[str, Any]:
    return {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": texts} | changed


def infer(client: httpx.Client, *inputs: dict[str, Any], path: str = INFER, **fields: Any) -> httpx.Response:
    return client.post(path, json={"inputs": inputs} | fields)


def infer_bytes(
    client: httpx.Client, request: dict[str, Any], packed: bytes, length: str | bytes | None = None
) -> httpx.Response:
    head = json.dumps(request).encode()
    headers: Any = {"inference-header-content-length": str(len(head)) if length is None else length}
    return client.post(INFER, content=head + packed, headers=headers)


def pack(texts: list[str]) -> bytes:
    return b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)


def outputs(response: httpx.Response) -> dict[str, dict[str, Any]]:
    assert response.status_code == 200, response.text
    return {output["name"]: output for output in response.json()["outputs"]}


def read_error(response: httpx.Response) -> str:
    assert response.status_code == 422, response.text
    assert response.json().keys() == {"error"}
    return str(response.json()["error"])


def version(client: httpx.Client) -> str:
    return str(client.get("/health").json()["version"])


def test_the_metadata_describe_the_server_and_its_tensors(client: httpx.Client) -> None:
    server = client.get("/v2").json()
    assert server == {"name": "docket", "version": "0.1.0", "extensions": ["binary_tensor_data", "classification"]}
    model = client.get("/v2/models/docket").json()
    assert model == client.get(f"/v2/models/docket/versions/{version(client)}").json()
    assert (model["name"], model["versions"]) == ("docket", [version(client)])
    assert model["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert [output["name"] for output in model["outputs"]] == ["label", "score"]


def test_the_server_is_live_and_ready(client: httpx.Client) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    for path in ("/v2/models/docket/ready", f"/v2/models/docket/versions/{version(client)}/ready"):
        assert client.get(path).json() == {"name": "docket", "ready": True}


@pytest.mark.parametrize("texts", [TEXTS, [LONG], []], ids=["several", "long", "none"])
def test_each_text_has_the_native_label_and_score(client: httpx.Client, texts: list[str]) -> None:
    response = infer(client, tensor(texts), id="42")
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert (body["model_name"], body["model_version"], body["id"]) == ("docket", version(client), "42")
    label, score = outputs(response)["label"], outputs(response)["score"]
    assert (label["datatype"], label["shape"]) == ("BYTES", [len(texts)])
    assert (score["datatype"], score["shape"]) == ("FP32", [len(texts)])
    native = [native_scores(client, text) for text in texts]
    assert label["data"] == [max(scores, key=scores.__getitem__) for scores in native]
    assert score["data"] == pytest.approx([max(scores.values()) for scores in native], abs=1e-6)


@pytest.mark.parametrize(
    ("shape", "data"),
    [([2, 1], ["a", "b"]), ([2, 1], [["a"], ["b"]]), ([1, 2], [["a", "b"]]), ([1, 2, 1], [[["a"], ["b"]]])],
)
def test_outputs_have_the_shape_of_the_input(client: httpx.Client, shape: list[int], data: list[Any]) -> None:
    given = outputs(infer(client, tensor(data, shape=shape)))
    assert given["score"]["shape"] == given["label"]["shape"] == shape
    assert given["score"]["data"] == outputs(infer(client, tensor(["a", "b"])))["score"]["data"]


def test_the_client_chooses_the_outputs_and_their_order(client: httpx.Client) -> None:
    chosen = [{"name": "score"}, {"name": "label"}]
    given = infer(client, tensor(["the goal"]), outputs=chosen).json()["outputs"]
    assert [output["name"] for output in given] == ["score", "label"]
    assert list(outputs(infer(client, tensor(["the goal"]), outputs=chosen[:1]))) == ["score"]


@pytest.mark.parametrize(("top_k", "count"), [(1, 1), (2, 2), (9, 2)])
def test_a_classification_has_the_labels_of_the_highest_scores(client: httpx.Client, top_k: int, count: int) -> None:
    chosen = [{"name": "score", "parameters": {"classification": top_k}}]
    output = outputs(infer(client, tensor(TEXTS), outputs=chosen))["score"]
    assert (output["datatype"], output["shape"]) == ("BYTES", [len(TEXTS), count])
    for number, text in enumerate(TEXTS):
        ranked = [entry.split(":", 2) for entry in output["data"][number * count : (number + 1) * count]]
        native = native_scores(client, text)
        assert {label: float(score) for score, _, label in ranked}.items() <= {
            label: pytest.approx(score, abs=1e-6) for label, score in native.items()
        }.items()
        assert all(sorted(native)[int(index)] == label for _, index, label in ranked)
        assert ranked == sorted(ranked, key=lambda entry: -float(entry[0]))


def test_binary_tensors_equal_those_in_json(client: httpx.Client) -> None:
    plain, packed = outputs(infer(client, tensor(TEXTS))), pack(TEXTS)
    packed_input = {"name": "text", "shape": [5], "datatype": "BYTES", "parameters": {"binary_data_size": len(packed)}}
    assert outputs(infer_bytes(client, {"inputs": [packed_input]}, packed)) == plain

    response = infer_bytes(
        client, {"inputs": [packed_input], "parameters": {"binary_data_output": True}, "id": "7"}, packed
    )
    assert response.headers["content-type"] == "application/octet-stream"
    length = int(response.headers["inference-header-content-length"])
    head, tensors = json.loads(response.content[:length]), response.content[length:]
    assert head["id"] == "7"
    sizes = [output["parameters"]["binary_data_size"] for output in head["outputs"]]
    assert sum(sizes) == len(tensors)
    assert all("data" not in output for output in head["outputs"])
    assert tensors[: sizes[0]] == pack(plain["label"]["data"])
    assert tensors[sizes[0] :] == struct.pack("<5f", *plain["score"]["data"])


def test_each_output_may_choose_between_json_and_bytes(client: httpx.Client) -> None:
    chosen = [{"name": "label", "parameters": {"binary_data": False}}, {"name": "score"}]
    response = infer(client, tensor(["the goal"]), outputs=chosen, parameters={"binary_data_output": True})
    length = int(response.headers["inference-header-content-length"])
    label, score = json.loads(response.content[:length])["outputs"]
    assert len(label["data"]) == 1
    assert score["parameters"] == {"binary_data_size": 4}
    assert len(response.content) == length + 4


@pytest.mark.parametrize(
    "kind", [None, "application/octet-stream", "application/json", "application/json; charset=utf-8"]
)
def test_json_has_the_content_types_that_clients_send(client: httpx.Client, kind: str | None) -> None:
    body = json.dumps({"inputs": [tensor(["the goal"])]}).encode()
    assert client.post(INFER, content=body, headers={"content-type": kind} if kind else {}).status_code == 200


def test_a_request_may_name_the_served_version(client: httpx.Client) -> None:
    path = f"/v2/models/docket/versions/{version(client)}/infer"
    assert outputs(infer(client, tensor(["the goal"]), path=path)) == outputs(infer(client, tensor(["the goal"])))


def test_unknown_fields_are_ignored(client: httpx.Client) -> None:
    plain = outputs(infer(client, tensor(["the goal"])))
    fields: dict[str, Any] = {"model_name": "docket", "parameters": {"priority": 1, "timeout": 5}}
    response = infer(client, tensor(["the goal"], parameters={"content_type": "str"}), **fields)
    assert outputs(response) == plain
    assert "id" not in response.json()


@pytest.mark.parametrize(
    "path", ["/v2/models/other", "/v2/models/other/ready", "/v2/models/docket/versions/1", "/v2/models/docket/config"]
)
def test_an_unknown_model_or_version_is_404(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.json().keys()) == (404, {"error"})
    for path in ("/v2/models/other/infer", "/v2/models/docket/versions/1/infer"):
        response = infer(client, tensor(["the goal"]), path=path)
        assert (response.status_code, response.json().keys()) == (404, {"error"})


SHARED = {"shared_memory_region": "r", "shared_memory_byte_size": 8}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "inputs"),
        ({"inputs": []}, "inputs"),
        ({"inputs": [tensor(["a"]), tensor(["b"])]}, "inputs"),
        ({"inputs": [tensor(["a"], name="ids")]}, "inputs.0.name"),
        ({"inputs": [tensor([1], datatype="INT64")]}, "inputs.0.datatype"),
        ({"inputs": [tensor(["a"], shape=[2])]}, "shape [2]"),
        ({"inputs": [tensor(["a"], shape=[-1])]}, "inputs.0.shape.0"),
        ({"inputs": [tensor(["a"], shape=[])]}, "inputs.0.shape"),
        ({"inputs": [tensor(["a"], shape=[1] * 9)]}, "inputs.0.shape"),
        ({"inputs": [tensor(["a"], data=None)]}, "data"),
        ({"inputs": [tensor(["a"], parameters={"binary_data_size": 5})]}, "binary_data_size"),
        ({"inputs": [tensor(["a"], parameters=SHARED)]}, "shared"),
        ({"inputs": [tensor([1])]}, "document 1"),
        ({"inputs": [tensor([["a"]])]}, "document 1"),
        ({"inputs": [tensor(["the goal", " "])]}, "document 2: text: the text is blank"),
        ({"inputs": [tensor(["a"])], "id": 7}, "id"),
        ({"inputs": [tensor(["a"])], "outputs": [{"name": "logits"}]}, "outputs.0.name"),
        ({"inputs": [tensor(["a"])], "outputs": [{"name": "label"}] * 3}, "outputs"),
        ({"inputs": [tensor(["a"])], "outputs": [{"name": "label", "parameters": SHARED}]}, "shared"),
        ({"inputs": [tensor(["a"])], "outputs": [{"name": "label", "parameters": {"classification": 0}}]}, "classif"),
    ],
)
def test_an_invalid_request_is_422_with_the_place(client: httpx.Client, body: dict[str, Any], expected: str) -> None:
    assert expected in read_error(client.post(INFER, json=body))


@pytest.mark.parametrize("content", [rb'{"inputs": [], "id": "\ud800"}', b"{", b"[]", b"", b"\xff"])
def test_a_body_that_cannot_be_read_or_repeated_is_422(client: httpx.Client, content: bytes) -> None:
    read_error(client.post(INFER, content=content))


@pytest.mark.parametrize(
    ("packed", "expected"),
    [
        (b"\x01\x00\x00\x00ab", "breaks off"),
        (b"\x09\x00\x00\x00a", "breaks off"),
        (b"\xff\xff\xff\xff", "breaks off"),
        (b"\x01\x00", "shape"),
        (pack(["a", "b"]), "shape"),
        (b"\x01\x00\x00\x00\xff", "UTF-8"),
        (b"\x00\x00\x00\x00", "blank"),
        (b"", "0 texts"),
    ],
)
def test_invalid_bytes_are_422(client: httpx.Client, packed: bytes, expected: str) -> None:
    one = {"name": "text", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(packed)}}
    sentence = read_error(infer_bytes(client, {"inputs": [one]}, packed))
    assert expected in sentence or (packed[:1] == b"\x01" and "shape" in sentence)


@pytest.mark.parametrize("size", [0, 4, 7, -1, None])
def test_a_wrong_binary_data_size_is_422(client: httpx.Client, size: int | None) -> None:
    one = {"name": "text", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": size}}
    assert "binary_data_size" in read_error(infer_bytes(client, {"inputs": [one]}, pack(["a"])))


@pytest.mark.parametrize("length", ["-1", "1e3", "", "999999", b"\xb2", "9" * 5000])
def test_an_impossible_json_length_is_422(client: httpx.Client, length: str | bytes) -> None:
    read_error(infer_bytes(client, {"inputs": [tensor(["a"])]}, b"", length))
