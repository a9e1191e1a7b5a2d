"""Every failure under a protocol's path is in its form, with the status that it has everywhere."""

import asyncio
import json
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from app.protocols.registry import add_protocols
from tests.protocols.conftest import MOST
from tests.support.service import WAIT_SECONDS, Server, metric_value, read_problem, running_server, wait_until

JSON = {"content-type": "application/json"}
PATHS = {"oip": "/v2/models/docket/infer", "hf": "/hf", "tei": "/tei/predict"}
PREFIXES = ("/v2", "/hf", "/tei")
FAILURES = {429: "Overloaded", 500: "Backend", 503: "Unhealthy", 504: "Overloaded"}


def body(protocol: str, *texts: str) -> dict:
    if protocol == "oip":
        return {"inputs": [{"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": texts}]}
    if len(texts) == 1:
        return {"inputs": texts[0]}
    return {"inputs": texts if protocol == "hf" else [[text] for text in texts]}


def told(protocol: str, response: httpx.Response, status: int) -> str:
    """The sentence of the failure, which is in the protocol's form."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    said = response.json()
    assert said.pop("error_type", None) == (FAILURES.get(status, "Validation") if protocol == "tei" else None)
    assert said.keys() == {"error"}
    assert said["error"]
    assert "\n" not in said["error"]
    return said["error"]


def of_no_path(server: Server, protocol: str) -> httpx.Response:
    return server.get(f"{PATHS[protocol]}/nowhere")


def of_no_method(server: Server, protocol: str) -> httpx.Response:
    response = httpx.delete(server.url + PATHS[protocol], timeout=WAIT_SECONDS, verify=False)
    assert response.headers["allow"] == "POST"
    return response


def too_large(server: Server, protocol: str) -> httpx.Response:
    return server.post(PATHS[protocol], body(protocol, "a" * MOST))


def too_many(server: Server, protocol: str) -> httpx.Response:
    return server.post(PATHS[protocol], body(protocol, *["a"] * 101))


def too_long(server: Server, protocol: str) -> httpx.Response:
    return server.post(PATHS[protocol], body(protocol, "a", "a" * 500_001))


def of_no_time(server: Server, protocol: str) -> httpx.Response:
    said = {"x-request-timeout": "soon"}
    return httpx.post(server.url + PATHS[protocol], json=body(protocol, "a"), headers=said, verify=False)


def of_another_type(server: Server, protocol: str) -> httpx.Response:
    kind = {"content-type": "text/plain"}
    return httpx.post(server.url + PATHS[protocol], content=b"the goal", headers=kind, verify=False)


def invalid(server: Server, protocol: str) -> httpx.Response:
    return server.post(PATHS[protocol], body(protocol, " "))


def no_json(server: Server, protocol: str) -> httpx.Response:
    return httpx.post(server.url + PATHS[protocol], content=b"{", headers=JSON, verify=False)


@pytest.mark.parametrize("protocol", PATHS)
@pytest.mark.parametrize(
    ("status", "way"),
    [
        (400, of_no_time),
        (404, of_no_path),
        (405, of_no_method),
        (413, too_large),
        (413, too_many),
        (413, too_long),
        (415, of_another_type),
        (422, invalid),
        (422, no_json),
    ],
)
def test_what_the_client_did_wrong_is_told_in_the_protocols_form(
    speaking: Server, protocol: str, status: int, way: Callable[[Server, str], httpx.Response]
) -> None:
    told(protocol, way(speaking, protocol), status)


def test_a_compressed_body_is_415_and_the_mend_is_said(speaking: Server) -> None:
    coded = {"content-encoding": "gzip"}
    response = httpx.post(speaking.url + PATHS["oip"], content=b"\x1f\x8b", headers=coded, verify=False)
    assert "as it is" in told("oip", response, 415)


def test_a_body_that_comes_too_slowly_is_408_in_each_form(speaking: Server) -> None:
    for name, response in unfinished(speaking, "").items():
        told(name, response, 408)


def test_a_shape_of_more_texts_than_there_are_atoms_is_413(speaking: Server) -> None:
    huge = body("oip", "a")
    huge["inputs"][0]["shape"] = [10**20] * 8
    told("oip", speaking.post(PATHS["oip"], huge), 413)


@pytest.mark.parametrize("protocol", PATHS)
def test_a_client_says_how_long_it_waits(ailing: Server, protocol: str) -> None:
    wait_until(lambda: _is_idle(ailing))
    asked, said = body(protocol, "the late goal won " * 5_000), {"x-request-timeout": "0.001"}
    response = httpx.post(ailing.url + PATHS[protocol], json=asked, headers=said, timeout=WAIT_SECONDS, verify=False)
    told(protocol, response, 504)


@pytest.mark.parametrize("protocol", PATHS)
def test_a_failure_of_the_network_is_500(ailing: Server, protocol: str) -> None:
    wait_until(lambda: _is_idle(ailing))
    assert "logged" in told(protocol, ailing.post(PATHS[protocol], body(protocol, "the law")), 500)


@pytest.mark.parametrize("protocol", PATHS)
def test_a_full_queue_is_429_with_the_seconds_to_wait(ailing: Server, protocol: str) -> None:
    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=ailing.url, timeout=WAIT_SECONDS, verify=False) as client:
            asked = body(protocol, "the late goal won " * 5_000)
            return await asyncio.gather(*[client.post(PATHS[protocol], json=asked) for _ in range(16)])

    wait_until(lambda: _is_idle(ailing))
    refused = [response for response in asyncio.run(ask()) if response.status_code == 429]
    assert refused
    for response in refused:
        assert response.headers["retry-after"] in told(protocol, response, 429)


@pytest.mark.parametrize("protocol", PATHS)
def test_a_late_answer_is_504(ailing: Server, protocol: str) -> None:
    wait_until(lambda: _is_idle(ailing))
    response = ailing.post(PATHS[protocol], body(protocol, "the late goal won " * 50_000))
    assert "0.2 s" in told(protocol, response, 504)


def test_the_health_of_a_network_that_fails_is_503_and_it_may_live(artifact: Path) -> None:
    with running_server(artifact, fault="raise@1-", protocols="all") as failing:
        told("tei", failing.post(PATHS["tei"], body("tei", "the goal")), 500)
        wait_until(lambda: failing.get("/health").status_code != 200)
        for protocol, path in (("oip", "/v2/health/ready"), ("oip", "/v2/models/docket/ready"), ("tei", "/tei/health")):
            response = failing.get(path)
            assert int(response.headers["retry-after"]) >= 1
            told(protocol, response, 503)
        assert failing.get("/v2/health/live").status_code == 200


def test_a_request_that_is_read_while_the_service_drains_is_503_in_each_form(ailing: Server) -> None:
    """The last test of this server."""

    def drain() -> None:
        assert ailing.get("/health").status_code == 200  # by then the server has read what was sent before
        ailing.terminate()
        wait_until(lambda: _has_gone(ailing))

    wait_until(lambda: _is_idle(ailing))
    for name, response in unfinished(ailing, "the goal", drain).items():
        assert (response.headers["connection"], response.headers["retry-after"]) == ("close", "1")
        told(name, response, 503)
    assert ailing.wait_for_exit() == 0


def unfinished(server: Server, text: str, meanwhile: Callable[[], None] = lambda: None) -> dict[str, httpx.Response]:
    """What is answered to a request in each protocol; its body comes after ``meanwhile``, without a text never."""
    connections = {name: socket.create_connection((server.host, server.port), WAIT_SECONDS) for name in PATHS}
    for name, connection in connections.items():
        head = f"POST {PATHS[name]} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: "
        connection.sendall(f"{head}{len(json.dumps(body(name, text)))}\r\n\r\n".encode())
    meanwhile()
    answers = {}
    for name, connection in connections.items():
        with connection:
            if text:
                connection.sendall(json.dumps(body(name, text)).encode())
            answers[name] = _response(b"".join(iter(partial(connection.recv, 1 << 16), b"")).decode())
    return answers


def _response(said: str) -> httpx.Response:
    head, _, rest = said.partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return httpx.Response(int(status.split()[1]), headers=headers, text=rest)


def _is_idle(server: Server) -> bool:
    response = server.get("/health")
    return response.status_code == 200 and response.json()["waiting"] == 0


def _has_gone(server: Server) -> bool:
    try:
        return server.get("/health").status_code == 503
    except httpx.TransportError:
        return True


def test_the_native_api_keeps_its_own_form(speaking: Server) -> None:
    for path in ("/nowhere", "/v2nd", "/hfx", "/teil/predict"):
        read_problem(speaking.get(path), 404)
    read_problem(speaking.post("/predict", {"text": " "}), 422)


def test_requests_are_counted_by_the_path_of_their_route(speaking: Server) -> None:
    path = "/v2/models/{model}/infer"
    before = metric_value(speaking, "docket_requests_total", path=path, status="200")
    speaking.post(PATHS["oip"], body("oip", "the goal"))
    assert metric_value(speaking, "docket_requests_total", path=path, status="200") == before + 1


@pytest.mark.parametrize(
    ("protocols", "spoken"),
    [("none", []), ("tei", ["/tei"]), ("hf,oip", ["/hf", "/v2"]), ("all", PREFIXES)],
)
def test_what_is_not_asked_for_is_not_spoken(protocols: str, spoken: list[str]) -> None:
    app = FastAPI()
    assert add_protocols(app, protocols).keys() == set(spoken)

    async def ask(path: str) -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            return (await client.delete(path)).status_code

    for path in PATHS.values():
        assert asyncio.run(ask(path)) == (405 if path.startswith(tuple(spoken)) else 404)


def test_what_is_spoken_is_documented_elsewhere(speaking: Server) -> None:
    assert not [path for path in speaking.get("/openapi.json").json()["paths"] if path.startswith(PREFIXES)]
