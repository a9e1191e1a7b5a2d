"""Failures under the paths of a protocol: in its form, with the statuses of the native API."""

import json
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.protocols.conftest import MAX_BODY
from tests.support.service import WAIT_SECONDS, Server, metric_value, read_problem, running_server, wait_until

PATHS = {"oip": "/v2/models/docket/infer", "hf": "/hf", "tei": "/tei/predict"}
PREFIXES = {"oip": "/v2", "hf": "/hf", "tei": "/tei"}
TEI_ERROR_TYPES = {429: "Overloaded", 500: "Backend", 503: "Unhealthy", 504: "Overloaded"}
LONG_TEXT = "the late goal won " * 5_000


def make_body(protocol: str, *texts: str) -> dict[str, Any]:
    if protocol == "native":
        return {"text": texts[0]}
    if protocol == "oip":
        return {"inputs": [{"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": texts}]}
    if len(texts) == 1:
        return {"inputs": texts[0]}
    return {"inputs": texts if protocol == "hf" else [[text] for text in texts]}


def send(
    server: Server, protocol: str, *texts: str, method: str = "POST", suffix: str = "", **options: Any
) -> httpx.Response:
    if texts:
        options["json"] = make_body(protocol, *texts)
    url = server.url + PATHS[protocol] + suffix
    return httpx.request(method, url, timeout=WAIT_SECONDS, verify=False, **options)


def read_error(protocol: str, response: httpx.Response, status: int) -> str:
    """The sentence of a failure in the form of the protocol."""
    if protocol == "native":
        return str(read_problem(response, status)["detail"])
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body: dict[str, str] = response.json()
    error_type = TEI_ERROR_TYPES.get(status, "Validation") if protocol == "tei" else None
    assert body.pop("error_type", None) == error_type
    assert body.keys() == {"error"}
    assert body["error"]
    assert "\n" not in body["error"]
    return body["error"]


@pytest.mark.parametrize("protocol", PATHS)
@pytest.mark.parametrize(
    ("status", "texts", "options"),
    [
        pytest.param(400, ["a"], {"headers": {"x-request-timeout": "soon"}}, id="invalid timeout"),
        pytest.param(404, [], {"method": "GET", "suffix": "/nowhere"}, id="unknown path"),
        pytest.param(405, [], {"method": "DELETE"}, id="method"),
        pytest.param(413, ["a" * MAX_BODY], {}, id="large body"),
        pytest.param(413, ["a"] * 101, {}, id="many documents"),
        pytest.param(413, ["a", "a" * 500_001], {}, id="long document"),
        pytest.param(415, [], {"content": b"the goal", "headers": {"content-type": "text/plain"}}, id="content type"),
        pytest.param(415, [], {"content": b"\x1f\x8b", "headers": {"content-encoding": "gzip"}}, id="content coding"),
        pytest.param(422, [" "], {}, id="blank text"),
        pytest.param(422, [], {"content": b"{", "headers": {"content-type": "application/json"}}, id="JSON"),
    ],
)
def test_an_error_of_the_client_has_the_form_of_the_protocol(
    protocol_server: Server, protocol: str, status: int, texts: list[str], options: dict[str, Any]
) -> None:
    response = send(protocol_server, protocol, *texts, **options)
    read_error(protocol, response, status)
    if status == 405:
        assert response.headers["allow"] == "POST"


def test_a_slow_body_is_408_in_the_form_of_the_protocol(protocol_server: Server) -> None:
    for protocol, response in send_slowly(protocol_server, "").items():
        read_error(protocol, response, 408)


def test_a_huge_shape_is_413(protocol_server: Server) -> None:
    huge = make_body("oip", "a")
    huge["inputs"][0]["shape"] = [10**20] * 8
    read_error("oip", protocol_server.post(PATHS["oip"], huge), 413)


@pytest.mark.parametrize("protocol", PATHS)
def test_a_failure_of_the_service_has_the_form_of_the_protocol(failing_server: Server, protocol: str) -> None:
    wait_until(lambda: _is_idle(failing_server))
    response = send(failing_server, protocol, LONG_TEXT, headers={"x-request-timeout": "0.001"})
    read_error(protocol, response, 504)
    wait_until(lambda: _is_idle(failing_server))
    assert "0.2 s" in read_error(protocol, send(failing_server, protocol, LONG_TEXT * 10), 504)
    wait_until(lambda: _is_idle(failing_server))
    assert "logged" in read_error(protocol, send(failing_server, protocol, "the law"), 500)
    wait_until(lambda: _is_idle(failing_server))
    with ThreadPoolExecutor(16) as pool:
        responses = list(pool.map(lambda _: send(failing_server, protocol, LONG_TEXT), range(16)))
    refused = [response for response in responses if response.status_code == 429]
    assert refused
    for response in refused:
        assert response.headers["retry-after"] in read_error(protocol, response, 429)


def test_a_failing_network_is_unready_and_alive(artifact: Path) -> None:
    with running_server(artifact, fault="raise@1-", protocols="all") as server:
        read_error("tei", send(server, "tei", "the goal"), 500)
        wait_until(lambda: server.get("/health").status_code != 200)
        for protocol, path in (("oip", "/v2/health/ready"), ("oip", "/v2/models/docket/ready"), ("tei", "/tei/health")):
            response = server.get(path)
            assert int(response.headers["retry-after"]) >= 1
            read_error(protocol, response, 503)
        assert server.get("/v2/health/live").status_code == 200


def test_a_body_that_ends_during_a_drain_is_503_and_its_connection_closes(failing_server: Server) -> None:
    """The last test of this server."""

    def drain() -> None:
        assert failing_server.get("/health").status_code == 200  # the server has read the heads by then
        failing_server.terminate()
        wait_until(lambda: _is_draining_or_gone(failing_server))

    wait_until(lambda: _is_idle(failing_server))
    for protocol, response in send_slowly(failing_server, "the goal", drain).items():
        assert (response.headers["connection"], response.headers["retry-after"]) == ("close", "1")
        read_error(protocol, response, 503)
    assert failing_server.wait_for_exit() == 0


def send_slowly(server: Server, text: str, before_body: Callable[[], None] = lambda: None) -> dict[str, httpx.Response]:
    """Send a head, then a body after ``before_body``, in each protocol; without a text send no body."""
    paths = PATHS | {"native": "/predict"}
    connections = {name: socket.create_connection((server.host, server.port), WAIT_SECONDS) for name in paths}
    for name, connection in connections.items():
        head = f"POST {paths[name]} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: "
        connection.sendall(f"{head}{len(json.dumps(make_body(name, text)))}\r\n\r\n".encode())
    before_body()
    responses = {}
    for name, connection in connections.items():
        with connection:
            if text:
                connection.sendall(json.dumps(make_body(name, text)).encode())
            responses[name] = _parse_response(b"".join(iter(partial(connection.recv, 1 << 16), b"")).decode())
    return responses


def _parse_response(text: str) -> httpx.Response:
    head, _, content = text.partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    headers = dict([line.lower().split(": ", 1) for line in lines])
    return httpx.Response(int(status.split()[1]), headers=headers, text=content)


def _is_idle(server: Server) -> bool:
    response = server.get("/health")
    return bool(response.status_code == 200 and response.json()["waiting"] == 0)


def _is_draining_or_gone(server: Server) -> bool:
    try:
        return server.get("/health").status_code == 503
    except httpx.TransportError:
        return True


def test_the_native_api_answers_with_problem_documents(protocol_server: Server) -> None:
    for path in ("/nowhere", "/v2nd", "/hfx", "/teil/predict"):
        read_problem(protocol_server.get(path), 404)
    read_problem(protocol_server.post("/predict", {"text": " "}), 422)


def test_requests_are_counted_by_the_path_of_their_route(protocol_server: Server) -> None:
    path = "/v2/models/{model}/infer"
    before = metric_value(protocol_server, "docket_requests_total", path=path, status="200")
    protocol_server.post(PATHS["oip"], make_body("oip", "the goal"))
    assert metric_value(protocol_server, "docket_requests_total", path=path, status="200") == before + 1


@pytest.mark.parametrize("protocols", ["none", "tei", "hf,oip"])
def test_only_the_protocols_of_the_setting_have_routes(artifact: Path, protocols: str) -> None:
    with running_server(artifact, protocols=protocols) as server:
        for protocol in PATHS:
            status = send(server, protocol, "the goal").status_code
            assert status == (200 if protocol in protocols.split(",") else 404)


def test_the_openapi_description_has_no_protocols(protocol_server: Server) -> None:
    paths = protocol_server.get("/openapi.json").json()["paths"]
    assert not [path for path in paths if path.startswith(tuple(PREFIXES.values()))]
