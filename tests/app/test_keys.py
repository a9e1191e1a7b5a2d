"""Who shows no key is not let in, where there are keys; and what a key lets its holder have done."""

import json
import os
import shutil
import socket
import stat
from pathlib import Path

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
from tests.support.processes import worker_pids
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

OPEN = ("/health", "/health/ready", "/health/live", "/v2/health/ready", "/v2/health/live", "/tei/health")
ASKED = [
    ("POST", "/predict", JSON_TYPE),
    ("POST", "/predict", JSON_WITH_CHARSET),
    ("POST", "/predict/batch", JSON_TYPE),
    ("POST", "/admin/reload", JSON_TYPE),
    ("GET", "/metrics", JSON_TYPE),
    ("GET", "/docs", JSON_TYPE),
    ("GET", "/openapi.json", JSON_TYPE),
]
"""Everything that asks for a key; ``POST /predict`` on both of its ways."""


def shown(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def ask(server: Server, method: str, path: str, kind: str, headers: dict[str, str]) -> httpx.Response:
    """One document or two, or nothing, as the path takes it."""
    one = {"text": TEXT}
    content = json.dumps({"documents": [one, one]} if path.endswith("batch") else one) if method == "POST" else None
    asked = headers | ({"content-type": kind} if content else {})
    return httpx.request(method, server.url + path, content=content, headers=asked, timeout=WAIT_SECONDS, verify=False)


def test_health_is_open(keyed: Server) -> None:
    assert [keyed.get(path).status_code for path in OPEN] == [200] * len(OPEN)


@pytest.mark.parametrize(
    ("method", "path", "kind"), [*ASKED, ("GET", "/nowhere", JSON_TYPE), ("PUT", "/predict", JSON_TYPE)]
)
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
def test_without_a_right_key_there_is_nothing_but_401(
    keyed: Server, method: str, path: str, kind: str, headers: dict[str, str]
) -> None:
    response = ask(keyed, method, path, kind, headers)
    assert "X-API-Key" in read_problem(response, 401)["detail"]
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path", "kind"), ASKED)
def test_each_key_of_the_file_is_right_in_either_header(
    keyed: Server, held: list[str], method: str, path: str, kind: str
) -> None:
    for key in held:
        for headers in (
            {"authorization": f"Bearer {key}"},
            {"authorization": f"bearer {key}"},
            {"x-api-key": key},
            {"authorization": "Basic ZGVzazpkZXNr", "x-api-key": key},
        ):
            assert ask(keyed, method, path, kind, headers).status_code in {200, 202}


@pytest.mark.parametrize("path", ["/v2/models/docket/infer", "/hf", "/tei/predict"])
def test_other_protocols_ask_for_a_key_in_their_own_form(keyed: Server, held: list[str], path: str) -> None:
    for wrong in ({}, shown("docket_wrong")):
        response = httpx.post(
            keyed.url + path, json={"inputs": TEXT}, headers=wrong, timeout=WAIT_SECONDS, verify=False
        )
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert "X-API-Key" in response.json()["error"]
    response = httpx.post(
        keyed.url + path, json={"inputs": TEXT}, headers=shown(held[0]), timeout=WAIT_SECONDS, verify=False
    )
    assert response.status_code == (422 if path.startswith("/v2") else 200)


def test_what_is_in_the_file_is_no_key(keyed: Server, keys_folder: Path) -> None:
    line = (keys_folder / "keys").read_text().splitlines()[-1]
    for wrong in (line, line.partition(":")[2], line.partition(":")[0]):
        read_problem(ask(keyed, "POST", "/predict", JSON_TYPE, shown(wrong)), 401)


@pytest.mark.parametrize("kind", [JSON_TYPE, JSON_WITH_CHARSET])
@pytest.mark.parametrize("expect", ["", "expect: 100-continue\r\n"])
def test_the_refusal_comes_before_the_body(keyed: Server, kind: str, expect: str) -> None:
    head = f"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: 1000\r\n{expect}\r\n"
    with socket.create_connection((keyed.host, keyed.port), timeout=WAIT_SECONDS) as connection:
        connection.sendall(head.encode())
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 401 ")


def test_a_key_lets_through_one_request_and_not_its_connection(keyed: Server, held: list[str]) -> None:
    with httpx.Client(base_url=keyed.url, timeout=WAIT_SECONDS, verify=False) as client:
        asked = [client.post("/predict", json={"text": TEXT}, headers=own) for own in (shown(held[0]), {}) * 2]
    assert [response.status_code for response in asked] == [200, 401, 200, 401]


def test_keys_are_followed_and_what_was_opened_is_open(artifact: Path, tmp_path: Path) -> None:
    """The file is a link to one in a folder that is a link, as Kubernetes mounts a Secret."""
    for day in ("monday", "tuesday"):
        (tmp_path / day).mkdir()
    (old,), (young,) = (
        write_key_file(tmp_path / "monday" / "keys", "shop"),
        write_key_file(tmp_path / "tuesday" / "keys", "shop"),
    )
    (tmp_path / "today").symlink_to("monday")
    path = tmp_path / "keys"
    path.symlink_to(tmp_path / "today" / "keys")

    def status(key: str) -> int:
        both = {
            ask(server, "POST", "/predict", kind, shown(key)).status_code for kind in (JSON_TYPE, JSON_WITH_CHARSET)
        }
        return both.pop() if len(both) == 1 else 0

    def keeps() -> bool:
        """Asked for, since a file is looked at when somebody asks."""
        assert (status(old), status(young)) == (401, 200)
        return True

    with running_server(artifact, api_keys_file=path, open_metrics=True, open_docs=True) as server:
        for opened in ("/metrics", "/docs", "/openapi.json"):
            assert server.get(opened).status_code == 200
        assert (status(old), status(young)) == (200, 401)

        (tmp_path / ".today").symlink_to("tuesday")
        (tmp_path / ".today").replace(tmp_path / "today")
        wait_until(lambda: (status(old), status(young)) == (401, 200))

        with path.open("a") as file:
            file.write(f"shop:{old}\n")  # the key itself, by mistake
        wait_until(lambda: keeps() and any("line 4 is not a name" in line for line in server.lines))

        path.unlink()
        wait_until(lambda: keeps() and any("No such file" in line for line in server.lines))

        path.write_text("# nobody\n")
        wait_until(lambda: status(young) == 401)
        read_problem(server.post("/admin/reload", {}), 401)
    assert not {old, young} & set("".join(server.lines).replace(":", " ").split())


@pytest.fixture
def both(tmp_path: Path) -> Path:
    """An artifact, and another."""
    tiny.artifact(tmp_path / "old")
    tiny.artifact(tmp_path / "new", seed=1)
    return tmp_path


def digits(folder: Path) -> str:
    return str(artifacts.read_manifest(folder)["version"])


def replace(old: Path, young: Path) -> None:
    with artifacts.replace_folder(old) as beside:
        shutil.copytree(young, beside, dirs_exist_ok=True)


def test_a_reload_has_every_worker_look_and_no_log_has_a_key(both: Path) -> None:
    right, wrong = *write_key_file(both / "keys", "shop"), "docket_0123456789abcdef"
    old, young = digits(both / "old"), digits(both / "new")
    with running_server(
        both / "old", "--workers", "2", api_keys_file=both / "keys", access_log=True, log="json"
    ) as server:
        wait_until(lambda: len(worker_pids(server)) == 2)
        for key in (right, wrong):
            for path in ("/predict", "/predict/batch", "/metrics", "/nowhere", "/admin/nothing"):
                for kind in (JSON_TYPE, JSON_WITH_CHARSET):
                    ask(server, "POST", f"{path}?key={key}&api_key={key}", kind, shown(key))
                    ask(server, "POST", f"{path}?key={key}", kind, {"x-api-key": key})
                    read_problem(ask(server, "POST", f"{path}?X-API-Key={key}", kind, {}), 401)
        assert {version(server, right) for _ in range(10)} == {old}
        replace(both / "old", both / "new")
        response = ask(server, "POST", "/admin/reload", JSON_TYPE, shown(right))
        assert response.status_code == 202
        assert response.json()["version"] == old
        wait_until(lambda: {version(server, right) for _ in range(20)} == {young})
        wait_until(lambda: {server.get("/health").json()["reload"] for _ in range(10)} == {"ok"})
    log = "".join(server.lines)
    assert "as shop asks" in log
    assert '"key": "shop"' in log
    assert right not in log
    assert wrong not in log


def version(server: Server, key: str) -> str:
    return str(ask(server, "POST", "/predict", JSON_TYPE, shown(key)).json()["version"])


def test_a_reload_tells_in_health_why_the_version_stays_until_it_is_asked_again(both: Path) -> None:
    (key,) = write_key_file(both / "keys", "shop")
    (both / "versions").mkdir()
    for name in ("old", "new"):
        (both / name).rename(both / "versions" / name)
    tiny.flip_bit(both / "versions" / "new")
    registry.write_pointer(both / "versions", "old")
    with running_server(both / "versions", api_keys_file=both / "keys") as server:
        registry.write_pointer(both / "versions", "new")
        assert ask(server, "POST", "/admin/reload", JSON_TYPE, shown(key)).status_code == 202
        wait_until(lambda: server.get("/health").json()["reload"].startswith("refused: "))
        shutil.rmtree(both / "versions" / "new")
        tiny.artifact(both / "versions" / "new", seed=1)
        assert ask(server, "POST", "/admin/reload", JSON_TYPE, shown(key)).status_code == 202
        assert not server.get("/health").json()["reload"].startswith("refused: ")
        wait_until(
            lambda: (
                server.get("/health").json() | {"reload": "ok", "version": digits(both / "versions" / "new")}
                == server.get("/health").json()
            )
        )


def test_a_service_without_keys_reloads_for_nobody(server: Server) -> None:
    assert "DOCKET_API_KEYS_FILE" in read_problem(server.post("/admin/reload", {}), 403)["detail"]
    assert ask(server, "POST", "/admin/reload", JSON_TYPE, shown("docket_any")).status_code == 403


def described(**settings: object) -> dict[str, dict[str, dict[str, dict[str, object]]]]:
    document = create_app(Settings.model_validate(settings)).openapi()
    schemes = document["components"]["securitySchemes"]
    assert schemes["bearer"] == {"type": "http", "scheme": "bearer"}
    assert schemes["header"] == {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    return document["paths"]


def test_the_description_says_where_a_key_is_asked_for() -> None:
    for path, operations in described(api_keys_file="keys", open_metrics=True).items():
        for operation in operations.values():
            asks = path not in {*OPEN, "/metrics"}
            assert ("security" in operation) is asks, path
            assert ("401" in operation["responses"]) is asks, path
    assert not any("security" in operation for each in described().values() for operation in each.values())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("shop\n", "line 1"),
        (f"# a note\n\nshop:{'0' * 63}\n", "line 3"),
        (f"shop:{'g' * 64}", "line 1"),
        (f"{'0' * 64}", "line 1"),
        (f"a shop:{'0' * 64}", "line 1"),
        (f"shop:{'0' * 64}  # mine", "line 1"),
        ("", "no key"),
        ("# nobody\n\n", "no key"),
        ("\udcff", "no text in UTF-8"),
    ],
)
def test_a_start_with_a_file_that_cannot_be_used_is_refused_without_a_word_of_it(
    artifact: Path,
    tmp_path: Path,
    text: str,
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "keys").write_text(text, errors="surrogateescape")
    sentence = refused(artifact, tmp_path / "keys", capsys, monkeypatch)
    assert told in sentence
    assert str(tmp_path / "keys") in sentence
    assert "docket keys new" in sentence
    assert "00000" not in sentence
    assert "gg" not in sentence


@pytest.mark.parametrize("name", ["nowhere", ""])
def test_a_start_with_a_file_that_cannot_be_read_is_refused(
    artifact: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "cannot be read" in refused(artifact, tmp_path / name, capsys, monkeypatch)


def refused(artifact: Path, path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(os, "environ", docket_environment({"api_keys_file": path}))
    assert docket.main(["serve", str(artifact), "--port", "0"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


def test_comments_white_space_and_the_ways_of_other_systems_are_read(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"\xef\xbb\xbf# a note\r\n\r\n  shop:" + b"aB" * 32 + b"  \r\nshop:" + b"00" * 32)
    assert key_file.read(path) == (key_file.Key("shop", bytes.fromhex("ab" * 32)), key_file.Key("shop", bytes(32)))


def test_keys_new_shows_a_key_once_and_keeps_its_hash_for_its_owner_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "keys"
    shown_once = []
    for name in ("shop", "desk"):
        assert docket.main(["keys", "new", name, str(path)]) == 0
        out, err = capsys.readouterr()
        shown_once.append(out.strip())
        assert out.strip() not in err
        path.write_text(path.read_text().rstrip("\n"))  # as some editors leave it
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not any(key in path.read_text() for key in shown_once)
    held = key_file.KeyFile(path)
    assert [held.name_of([(b"x-api-key", key.encode())]) for key in shown_once] == ["shop", "desk"]
    assert len(set(shown_once)) == 2
    assert all(len(key.removeprefix("docket_")) == 43 for key in shown_once), "256 bits, six in each letter"


def test_keys_new_without_a_file_prints_the_line_for_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert docket.main(["keys", "new", "shop"]) == 0
    printed = capsys.readouterr()
    key, line = printed.out.splitlines()
    assert "the first line is the key for shop; the second goes into" in printed.err
    (tmp_path / "keys").write_text(line)
    assert key_file.KeyFile(tmp_path / "keys").name_of([(b"x-api-key", key.encode())]) == "shop"


@pytest.mark.parametrize("name", ["", "a shop", "shop:1", "a\nb", "x" * 65, "#shop"])
def test_a_name_that_could_not_stand_in_the_file_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a key's name"):
        key_file.make(name)


def test_keys_new_adds_nothing_to_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("shop\n")
    assert docket.main(["keys", "new", "desk", str(tmp_path / "keys")]) == 2
    assert docket.main(["keys", "new", "desk", str(tmp_path / "nowhere" / "keys")]) == 2
    assert docket.main(["keys", "new", "desk", str(tmp_path)]) == 2
    assert (tmp_path / "keys").read_text() == "shop\n"


def test_of_many_keys_in_one_request_the_first_alone_is_looked_at(keyed: Server, held: list[str]) -> None:
    wrong = [("x-api-key", "docket_wrong")]
    right = [("x-api-key", held[0])]
    for headers, status in ((wrong * 100 + right, 401), (right + wrong * 100, 200)):
        assert httpx.get(keyed.url + "/model", headers=headers, timeout=WAIT_SECONDS).status_code == status
