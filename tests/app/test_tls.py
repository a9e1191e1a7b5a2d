"""With a certificate the service speaks HTTPS, on both ways of an answer and with one worker as with several."""

import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

import docket
from tests.support.raw_http import JSON_TYPE, JSON_WITH_CHARSET, TEXT, predict_request
from tests.support.service import WAIT_SECONDS, Server, docket_environment, running_server, wait_until

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="there is no openssl here to make a certificate"
)


def certified(folder: Path, *, password: str = "") -> Path:
    """A folder with ``tls.crt`` and ``tls.key``, for this machine."""
    folder.mkdir(exist_ok=True)
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"]
    what = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    key = ["-passout", f"pass:{password}"] if password else ["-nodes"]
    out = ["-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt")]
    subprocess.run([*new, *what, *key, *out], check=True, capture_output=True, timeout=WAIT_SECONDS)
    return folder


def settings(folder: Path) -> dict[str, object]:
    return {"tls_certificate": folder / "tls.crt", "tls_key": folder / "tls.key"}


def trusting(folder: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=folder / "tls.crt")


@contextmanager
def encrypted(server: Server, folder: Path) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection((server.host, server.port), timeout=WAIT_SECONDS) as plain,
        trusting(folder).wrap_socket(plain, server_hostname=server.host) as connection,
    ):
        yield connection


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certified(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module", params=["1", "2"], ids=["one worker", "two workers"])
def secret(artifact: Path, folder: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """It has a connection all the while on which nobody shakes hands, and in the end it has hung up on that."""
    with running_server(artifact, "--workers", request.param, head_timeout=5, **settings(folder)) as running:
        with socket.create_connection((running.host, running.port), timeout=WAIT_SECONDS) as silent:
            yield running
            assert silent.recv(1) == b""
        running.terminate()
        assert running.wait_for_exit() == 0
    assert len(running.lines) == 3, "the start, a SIGTERM and the end of the drain"


def test_an_answer_is_encrypted_by_the_certificate_on_both_ways(secret: Server, folder: Path) -> None:
    assert secret.url.startswith("https://")
    with httpx.Client(base_url=secret.url, timeout=WAIT_SECONDS, verify=trusting(folder)) as client:
        for kind in (JSON_TYPE, JSON_WITH_CHARSET):
            answer = client.post("/predict", json={"text": TEXT}, headers={"content-type": kind})
            assert (answer.status_code, answer.json()["tokens"]) == (200, 10)
        long = client.post("/predict/batch", json={"documents": [{"text": TEXT * 9_000}] * 2})
        assert [result["tokens"] for result in long.json()["results"]] == [90_000, 90_000]


def test_requests_sent_without_waiting_are_answered_in_their_order(secret: Server, folder: Path) -> None:
    read = b""
    with encrypted(secret, folder) as connection:
        connection.sendall(
            b"".join(
                predict_request({"text": "goal " * n}, kind)
                for n, kind in ((1, JSON_TYPE), (2, JSON_WITH_CHARSET), (3, JSON_TYPE))
            )
        )
        while read.count(b'"tokens":') < 3:
            read += connection.recv(1 << 16)
    assert [part[:1] for part in read.split(b'"tokens":')[1:]] == [b"1", b"2", b"3"]


@pytest.mark.parametrize("sent", [b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n", b"\0" * 100, b"\x16\x03"])
def test_who_does_not_encrypt_is_hung_up_on_and_nobody_else(secret: Server, sent: bytes) -> None:
    with socket.create_connection((secret.host, secret.port), timeout=WAIT_SECONDS) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        assert b"HTTP/" not in b"".join(iter(lambda: received(connection), b""))
    assert secret.get("/health").status_code == 200


def received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1 << 16)
    except ConnectionResetError:
        return b""


def test_an_old_protocol_is_refused(secret: Server) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with socket.create_connection((secret.host, secret.port), timeout=WAIT_SECONDS) as plain, pytest.raises(OSError):
        old.wrap_socket(plain)


def test_a_certificate_that_is_renewed_is_shown_and_one_that_cannot_be_is_not(artifact: Path, tmp_path: Path) -> None:
    used, first, second = (certified(tmp_path / name) for name in ("used", "first", "second"))

    def put(certificate: Path, key: Path) -> None:
        for file in (certificate / "tls.crt", key / "tls.key"):
            shutil.copy(file, used / ".beside")
            (used / ".beside").replace(used / file.name)

    def shows(folder: Path) -> bool:
        try:
            with encrypted(server, folder):
                return True
        except ssl.SSLCertVerificationError:
            return False

    put(first, first)
    with running_server(artifact, **settings(used)) as server, encrypted(server, first) as connection:
        put(second, first)
        wait_until(lambda: shows(first) and any("KEY_VALUES_MISMATCH" in line for line in server.lines))
        put(second, second)
        wait_until(lambda: shows(second))
        assert not shows(first)
        connection.sendall(predict_request({"text": TEXT}))
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_drain_does_not_wait_for_who_does_not_say_goodbye(artifact: Path, folder: Path, workers: str) -> None:
    """asyncio would wait for half a minute, and the service would say after ``grace`` that it gives up."""
    with (
        running_server(artifact, "--workers", workers, **settings(folder), grace=20) as server,
        encrypted(server, folder) as connection,
        socket.create_connection((server.host, server.port)),
    ):
        connection.sendall(predict_request({"text": TEXT}))
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        server.terminate()
        assert server.wait_for_exit() == 0
    assert len(server.lines) == 3, "the start, a SIGTERM and the end of the drain"


def alone(certificate: Path, key: Path) -> dict[str, object]:
    return {"tls_certificate": certificate}


def key_alone(certificate: Path, key: Path) -> dict[str, object]:
    return {"tls_key": key}


def not_there(certificate: Path, key: Path) -> dict[str, object]:
    return {"tls_certificate": certificate, "tls_key": key.with_name("nowhere")}


def exchanged(certificate: Path, key: Path) -> dict[str, object]:
    return {"tls_certificate": key, "tls_key": certificate}


def of_another(certificate: Path, key: Path) -> dict[str, object]:
    return {"tls_certificate": certified(key.parent / "other") / "tls.crt", "tls_key": key}


def with_a_password(certificate: Path, key: Path) -> dict[str, object]:
    return settings(certified(key.parent / "locked", password="secret"))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (alone, "DOCKET_TLS_KEY is not set"),
        (key_alone, "DOCKET_TLS_CERTIFICATE is not set"),
        (not_there, "nowhere cannot be read"),
        (exchanged, "are not a certificate and its key"),
        (of_another, "KEY_VALUES_MISMATCH"),
        (with_a_password, "the key without a password"),
    ],
)
def test_a_start_with_half_of_it_or_what_cannot_be_used_is_refused(
    artifact: Path,
    folder: Path,
    spoil: Callable[[Path, Path], dict[str, object]],
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "environ", docket_environment(spoil(folder / "tls.crt", folder / "tls.key")))
    assert docket.main(["serve", str(artifact), "--port", "0"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert told in err
