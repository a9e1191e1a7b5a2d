"""HTTPS, with one worker and with two."""

import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

import docket
from tests.support.raw_http import JSON_TYPE, JSON_WITH_CHARSET, TEXT, predict_request
from tests.support.service import WAIT_SECONDS, Server, docket_environment, running_server, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate"),
]
ONLY_START_AND_DRAIN = 3
"""Log lines of a service that starts and drains without a warning."""


def make_certificate(folder: Path, *, password: str = "") -> Path:
    """Write ``tls.crt`` and ``tls.key`` for this machine, and return their folder."""
    folder.mkdir(exist_ok=True)
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"]
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    encryption = ["-passout", f"pass:{password}"] if password else ["-nodes"]
    files = ["-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt")]
    subprocess.run([*command, *subject, *encryption, *files], check=True, capture_output=True, timeout=WAIT_SECONDS)
    return folder


def tls_settings(folder: Path) -> dict[str, Any]:
    return {"tls_certificate": folder / "tls.crt", "tls_key": folder / "tls.key"}


def trust(folder: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=folder / "tls.crt")


@contextmanager
def open_tls(server: Server, folder: Path) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection((server.host, server.port), timeout=WAIT_SECONDS) as plain,
        trust(folder).wrap_socket(plain, server_hostname=server.host) as connection,
    ):
        yield connection


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module", params=["1", "2"], ids=["one worker", "two workers"])
def tls_server(artifact: Path, folder: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A service with a silent connection, which it closes because no handshake arrives."""
    with running_server(artifact, "--workers", request.param, head_timeout=5, **tls_settings(folder)) as server:
        with socket.create_connection((server.host, server.port), timeout=WAIT_SECONDS) as silent:
            yield server
            assert silent.recv(1) == b""
        server.terminate()
        assert server.wait_for_exit() == 0
    assert len(server.lines) == ONLY_START_AND_DRAIN


def test_requests_are_answered_over_tls(tls_server: Server, folder: Path) -> None:
    assert tls_server.url.startswith("https://")
    with httpx.Client(base_url=tls_server.url, timeout=WAIT_SECONDS, verify=trust(folder)) as client:
        for content_type in (JSON_TYPE, JSON_WITH_CHARSET):
            answer = client.post("/predict", json={"text": TEXT}, headers={"content-type": content_type})
            assert (answer.status_code, answer.json()["tokens"]) == (200, 10)
        long = client.post("/predict/batch", json={"documents": [{"text": TEXT * 9_000}] * 2})
        assert [result["tokens"] for result in long.json()["results"]] == [90_000, 90_000]


@pytest.mark.parametrize("data", [b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n", b"\0" * 100, b"\x16\x03"])
def test_a_client_without_tls_is_disconnected(tls_server: Server, data: bytes) -> None:
    with socket.create_connection((tls_server.host, tls_server.port), timeout=WAIT_SECONDS) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        assert b"HTTP/" not in b"".join(iter(lambda: receive(connection), b""))
    assert tls_server.get("/health").status_code == 200


def receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1 << 16)
    except ConnectionResetError:
        return b""


def test_tls_1_1_is_refused(tls_server: Server) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    address = (tls_server.host, tls_server.port)
    with socket.create_connection(address, timeout=WAIT_SECONDS) as plain, pytest.raises(OSError):
        old.wrap_socket(plain)


def test_a_renewed_certificate_is_used_once_its_files_belong_together(artifact: Path, tmp_path: Path) -> None:
    used, first, second = (make_certificate(tmp_path / name) for name in ("used", "first", "second"))

    def replace_files(certificate: Path, key: Path) -> None:
        for file in (certificate / "tls.crt", key / "tls.key"):
            shutil.copy(file, used / ".new")
            (used / ".new").replace(used / file.name)

    def is_used(folder: Path) -> bool:
        try:
            with open_tls(server, folder):
                return True
        except ssl.SSLCertVerificationError:
            return False

    replace_files(first, first)
    with running_server(artifact, **tls_settings(used)) as server, open_tls(server, first) as connection:
        replace_files(second, first)
        wait_until(lambda: is_used(first) and any("KEY_VALUES_MISMATCH" in line for line in server.lines))
        replace_files(second, second)
        wait_until(lambda: is_used(second))
        assert not is_used(first)
        connection.sendall(predict_request({"text": TEXT}))
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_drain_does_not_wait_for_the_close_message_of_a_client(artifact: Path, folder: Path, workers: str) -> None:
    """asyncio would wait for 30 s, longer than the grace time."""
    with (
        running_server(artifact, "--workers", workers, **tls_settings(folder), grace=20) as server,
        open_tls(server, folder) as connection,
        socket.create_connection((server.host, server.port)),
    ):
        connection.sendall(predict_request({"text": TEXT}))
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        server.terminate()
        assert server.wait_for_exit() == 0
    assert len(server.lines) == ONLY_START_AND_DRAIN


@pytest.mark.parametrize(
    ("certificate", "key", "reason"),
    [
        ("tls.crt", None, "DOCKET_TLS_KEY is not set"),
        (None, "tls.key", "DOCKET_TLS_CERTIFICATE is not set"),
        ("tls.crt", "missing", "missing cannot be read"),
        ("tls.key", "tls.crt", "are not a certificate and its key"),
        ("other/tls.crt", "tls.key", "KEY_VALUES_MISMATCH"),
        ("locked/tls.crt", "locked/tls.key", "the key without a password"),
    ],
)
def test_a_start_with_unusable_files_is_refused(
    artifact: Path,
    folder: Path,
    certificate: str | None,
    key: str | None,
    reason: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_certificate(folder / "other")
    make_certificate(folder / "locked", password="secret")
    names = {"tls_certificate": certificate, "tls_key": key}
    settings: dict[str, object] = {setting: folder / name for setting, name in names.items() if name is not None}
    monkeypatch.setattr(os, "environ", docket_environment(settings))
    assert docket.main(["serve", str(artifact), "--port", "0"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert reason in err
