"""API keys: their file, the requests that need one, and the reload that a key allows."""

import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest

import docket
from app.main import create_app
from app.middleware import key_file
from app.settings import Settings
from model.artifacts import artifact as artifacts
from model.artifacts import registry
from model.errors import UsageError
from tests.support import tiny
from tests.support.raw_http import JSON_TYPE, JSON_WITH_CHARSET, TEXT
from tests.support.service import (
    WAIT_SECONDS,
    Server,
    docket_environment,
    read_problem,
    running_server,
    wait_until,
    write_key_file,
)

OPEN_PATHS = ("/health", "/health/ready", "/health/live", "/v2/health/ready", "/v2/health/live", "/tei/health")
PROTECTED = [
    ("POST", "/predict", JSON_TYPE),
    ("POST", "/predict", JSON_WITH_CHARSET),
    ("POST", "/predict/batch", JSON_TYPE),
    ("POST", "/admin/reload", JSON_TYPE),
    ("GET", "/metrics", JSON_TYPE),
    ("GET", "/docs", JSON_TYPE),
    ("GET", "/openapi.json", JSON_TYPE),
]
"""Requests that need a key; ``POST /predict`` through the fast handler and through FastAPI."""


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def send(server: Server, method: str, path: str, content_type: str, headers: dict[str, str]) -> httpx.Response:
    """Send a request with the body that the path takes: one document, two, or none."""
    document = {"text": TEXT}
    body = {"documents": [document] * 2} if path.endswith("batch") else document
    content = json.dumps(body) if method == "POST" else None
    headers = headers | ({"content-type": content_type} if content else {})
    return httpx.request(method, server.url + path, content=content, headers=headers, timeout=WAIT_SECONDS)


def test_health_needs_no_key(keyed: Server) -> None:
    assert [keyed.get(path).status_code for path in OPEN_PATHS] == [200] * len(OPEN_PATHS)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-api-key": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer docket_wrong"},
        {"x-api-key": "docket_wrong"},
        {"authorization": "Basic ZGVzazpkZXNr"},
    ],
    ids=str,
)
def test_a_request_without_a_valid_key_gets_401(keyed: Server, headers: dict[str, str]) -> None:
    for method, path, kind in [*PROTECTED, ("GET", "/nowhere", JSON_TYPE), ("PUT", "/predict", JSON_TYPE)]:
        response = send(keyed, method, path, kind, headers)
        assert "X-API-Key" in read_problem(response, 401)["detail"]
        assert response.headers["www-authenticate"] == "Bearer"


def test_each_key_of_the_file_is_valid_in_either_header(keyed: Server, held: list[str]) -> None:
    for key in held:
        for headers in (
            {"authorization": f"Bearer {key}"},
            {"authorization": f"bearer {key}"},
            {"x-api-key": key},
            {"authorization": "Basic ZGVzazpkZXNr", "x-api-key": key},
        ):
            for method, path, kind in PROTECTED:
                assert send(keyed, method, path, kind, headers).status_code in {200, 202}


@pytest.mark.parametrize("path", ["/v2/models/docket/infer", "/hf", "/tei/predict"])
def test_other_protocols_refuse_a_request_without_a_key_in_their_format(
    keyed: Server, held: list[str], path: str
) -> None:
    def post(headers: dict[str, str]) -> httpx.Response:
        return httpx.post(keyed.url + path, json={"inputs": TEXT}, headers=headers, timeout=WAIT_SECONDS)

    for headers in ({}, bearer("docket_wrong")):
        response = post(headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert "X-API-Key" in response.json()["error"]
    assert post(bearer(held[0])).status_code == (422 if path.startswith("/v2") else 200)


def test_a_line_of_the_file_is_no_key(keyed: Server, keys_folder: Path) -> None:
    line = (keys_folder / "keys").read_text().splitlines()[-1]
    for part in (line, line.partition(":")[2], line.partition(":")[0]):
        read_problem(send(keyed, "POST", "/predict", JSON_TYPE, bearer(part)), 401)


def test_a_key_is_valid_for_one_request_and_not_for_its_connection(keyed: Server, held: list[str]) -> None:
    with httpx.Client(base_url=keyed.url, timeout=WAIT_SECONDS) as client:
        all_headers: list[dict[str, str]] = [bearer(held[0]), {}] * 2
        responses = [client.post("/predict", json={"text": TEXT}, headers=headers) for headers in all_headers]
    assert [response.status_code for response in responses] == [200, 401, 200, 401]


def test_a_changed_file_is_used_within_a_second_and_an_invalid_one_is_ignored(artifact: Path, tmp_path: Path) -> None:
    """The file is a link into a folder that is a link, as Kubernetes mounts a Secret."""
    for day in ("monday", "tuesday"):
        (tmp_path / day).mkdir()
    (old,) = write_key_file(tmp_path / "monday" / "keys", "shop")
    (new,) = write_key_file(tmp_path / "tuesday" / "keys", "shop")
    (tmp_path / "today").symlink_to("monday")
    path = tmp_path / "keys"
    path.symlink_to(tmp_path / "today" / "keys")

    def status(key: str) -> int:
        return send(server, "POST", "/predict", JSON_TYPE, bearer(key)).status_code

    def check_previous_keys() -> bool:
        """Send requests, which cause a check of the file: the previous keys must stay valid."""
        assert (status(old), status(new)) == (401, 200)
        return True

    with running_server(artifact, api_keys_file=path, open_metrics=True, open_docs=True) as server:
        for path_ in ("/metrics", "/docs", "/openapi.json"):
            assert server.get(path_).status_code == 200
        assert (status(old), status(new)) == (200, 401)

        (tmp_path / ".today").symlink_to("tuesday")
        (tmp_path / ".today").replace(tmp_path / "today")
        wait_until(lambda: (status(old), status(new)) == (401, 200))

        with path.open("a") as file:
            file.write(f"shop:{old}\n")  # the key in place of its hash
        wait_until(lambda: check_previous_keys() and any("line 4 is not a name" in line for line in server.lines))

        path.unlink()
        wait_until(lambda: check_previous_keys() and any("No such file" in line for line in server.lines))

        path.write_text("# no key\n")
        wait_until(lambda: status(new) == 401)
        read_problem(server.post("/admin/reload", {}), 401)
    assert not {old, new} & set("".join(server.lines).replace(":", " ").split())


@pytest.fixture
def two_artifacts(tmp_path: Path) -> Path:
    """A folder with two artifacts, ``old`` and ``new``."""
    tiny.artifact(tmp_path / "old")
    tiny.artifact(tmp_path / "new", seed=1)
    return tmp_path


def version_of(folder: Path) -> str:
    return str(artifacts.read_manifest(folder)["version"])


def replace_artifact(old: Path, new: Path) -> None:
    with artifacts.replace_folder(old) as folder:
        shutil.copytree(new, folder, dirs_exist_ok=True)


def test_a_reload_reaches_every_worker_and_no_log_line_has_a_key(two_artifacts: Path) -> None:
    valid, invalid = *write_key_file(two_artifacts / "keys", "shop"), "docket_0123456789abcdef"
    old, new = version_of(two_artifacts / "old"), version_of(two_artifacts / "new")
    settings: dict[str, Any] = {"api_keys_file": two_artifacts / "keys", "access_log": True, "log": "json"}
    with running_server(two_artifacts / "old", "--workers", "2", **settings) as server:
        for key in (valid, invalid):
            for path in ("/predict", "/predict/batch", "/metrics", "/nowhere", "/admin/nothing"):
                for kind in (JSON_TYPE, JSON_WITH_CHARSET):
                    send(server, "POST", f"{path}?key={key}&api_key={key}", kind, bearer(key))
                    send(server, "POST", f"{path}?key={key}", kind, {"x-api-key": key})
                    read_problem(send(server, "POST", f"{path}?X-API-Key={key}", kind, {}), 401)
        assert {served_version(server, valid) for _ in range(10)} == {old}
        replace_artifact(two_artifacts / "old", two_artifacts / "new")
        response = send(server, "POST", "/admin/reload", JSON_TYPE, bearer(valid))
        assert response.status_code == 202
        assert response.json()["version"] == old
        wait_until(lambda: {served_version(server, valid) for _ in range(20)} == {new})
        wait_until(lambda: {server.get("/health").json()["reload"] for _ in range(10)} == {"ok"})
    log = "".join(server.lines)
    assert "as shop asks" in log
    assert '"key": "shop"' in log
    assert valid not in log
    assert invalid not in log


def served_version(server: Server, key: str) -> str:
    return str(send(server, "POST", "/predict", JSON_TYPE, bearer(key)).json()["version"])


def test_health_shows_why_a_reload_was_refused_until_the_next_request_for_one(two_artifacts: Path) -> None:
    (key,) = write_key_file(two_artifacts / "keys", "shop")
    (two_artifacts / "versions").mkdir()
    for name in ("old", "new"):
        (two_artifacts / name).rename(two_artifacts / "versions" / name)
    tiny.flip_bit(two_artifacts / "versions" / "new")
    registry.write_pointer(two_artifacts / "versions", "old")
    with running_server(two_artifacts / "versions", api_keys_file=two_artifacts / "keys") as server:
        registry.write_pointer(two_artifacts / "versions", "new")
        assert send(server, "POST", "/admin/reload", JSON_TYPE, bearer(key)).status_code == 202
        wait_until(lambda: server.get("/health").json()["reload"].startswith("refused: "))
        shutil.rmtree(two_artifacts / "versions" / "new")
        tiny.artifact(two_artifacts / "versions" / "new", seed=1)
        assert send(server, "POST", "/admin/reload", JSON_TYPE, bearer(key)).status_code == 202
        assert not server.get("/health").json()["reload"].startswith("refused: ")
        expected = {"reload": "ok", "version": version_of(two_artifacts / "versions" / "new")}
        wait_until(lambda: expected.items() <= server.get("/health").json().items())


def test_a_service_without_keys_refuses_a_reload(server: Server) -> None:
    assert "DOCKET_API_KEYS_FILE" in read_problem(server.post("/admin/reload", {}), 403)["detail"]
    assert send(server, "POST", "/admin/reload", JSON_TYPE, bearer("docket_any")).status_code == 403


def describe_api(**settings: object) -> dict[str, Any]:
    document = create_app(Settings.model_validate(settings)).openapi()
    schemes = document["components"]["securitySchemes"]
    assert schemes["bearer"] == {"type": "http", "scheme": "bearer"}
    assert schemes["header"] == {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    paths: dict[str, Any] = document["paths"]
    return paths


def test_the_openapi_document_names_the_operations_that_need_a_key() -> None:
    for path, operations in describe_api(api_keys_file="keys", open_metrics=True).items():
        for operation in operations.values():
            needs_key = path not in {*OPEN_PATHS, "/metrics"}
            assert ("security" in operation) is needs_key, path
            assert ("401" in operation["responses"]) is needs_key, path
    assert not any(
        "security" in operation for operations in describe_api().values() for operation in operations.values()
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("shop\n", "line 1"),
        (f"# a note\n\nshop:{'0' * 63}\n", "line 3"),
        (f"shop:{'g' * 64}", "line 1"),
        (f"{'0' * 64}", "line 1"),
        (f"a shop:{'0' * 64}", "line 1"),
        (f"shop:{'0' * 64}  # mine", "line 1"),
        ("", "no key"),
        ("# a note\n\n", "no key"),
        ("\udcff", "no text in UTF-8"),
    ],
)
def test_a_start_with_an_invalid_file_is_refused_without_its_text(
    artifact: Path,
    tmp_path: Path,
    text: str,
    reason: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "keys"
    path.write_text(text, errors="surrogateescape")
    monkeypatch.setattr(os, "environ", docket_environment({"api_keys_file": path}))
    assert docket.main(["serve", str(artifact), "--port", "0"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert all(part in err for part in (reason, str(path), "docket keys new"))
    assert "00000" not in err
    assert "gg" not in err


def test_a_start_with_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            key_file.check(path)


def test_comments_white_space_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"\xef\xbb\xbf# a note\r\n\r\n  shop:" + b"aB" * 32 + b"  \r\nshop:" + b"00" * 32)
    assert key_file.read(path) == (key_file.Key("shop", bytes.fromhex("ab" * 32)), key_file.Key("shop", bytes(32)))


def test_keys_new_prints_a_key_and_writes_its_hash_to_a_private_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "keys"
    printed = []
    for name in ("shop", "desk"):
        assert docket.main(["keys", "new", name, str(path)]) == 0
        out, err = capsys.readouterr()
        printed.append(out.strip())
        assert out.strip() not in err
        path.write_text(path.read_text().rstrip("\n"))  # as some editors leave it
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not any(key in path.read_text() for key in printed)
    keys = key_file.KeyFile(path)
    assert [keys.demand([(b"x-api-key", key.encode())]) for key in printed] == ["shop", "desk"]
    assert len(set(printed)) == 2
    assert all(len(key.removeprefix("docket_")) == 43 for key in printed), "256 bits, six in each character"


def test_keys_new_without_a_file_prints_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert docket.main(["keys", "new", "shop"]) == 0
    printed = capsys.readouterr()
    key, line = printed.out.splitlines()
    assert "the first line is the key for shop; the second goes into" in printed.err
    (tmp_path / "keys").write_text(line)
    assert key_file.KeyFile(tmp_path / "keys").demand([(b"x-api-key", key.encode())]) == "shop"


@pytest.mark.parametrize("name", ["", "a shop", "shop:1", "a\nb", "x" * 65, "#shop"])
def test_a_name_that_a_line_cannot_hold_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a key's name"):
        key_file.make(name)


def test_keys_new_leaves_an_invalid_file_unchanged(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("shop\n")
    assert docket.main(["keys", "new", "desk", str(tmp_path / "keys")]) == 2
    assert docket.main(["keys", "new", "desk", str(tmp_path / "nowhere" / "keys")]) == 2
    assert docket.main(["keys", "new", "desk", str(tmp_path)]) == 2
    assert (tmp_path / "keys").read_text() == "shop\n"


def test_only_the_first_of_several_keys_counts(keyed: Server, held: list[str]) -> None:
    invalid, valid = [("x-api-key", "docket_wrong")], [("x-api-key", held[0])]
    for headers, status in ((invalid * 100 + valid, 401), (valid + invalid * 100, 200)):
        assert httpx.get(keyed.url + "/model", headers=headers, timeout=WAIT_SECONDS).status_code == status
