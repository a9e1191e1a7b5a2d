"""Random requests: no 5xx, and no response that the API's description does not have."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.raw_http import JSON_TYPE, JSON_WITH_CHARSET
from tests.support.service import WAIT_SECONDS, Server

pytestmark = pytest.mark.slow
CONFIG = Path(__file__).with_name("schemathesis.toml")
BOUNDED = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
"""The same examples each time: a test that fails must fail again."""
ODD = '\0\u200d\u202e\u2066\ufeff\u00ad\u0130\u1e9e\ufdfa\ud800\udfff\U0001f3c6\u0e33\u0301 \u2028\r\n\t"\\/a\u4e2d'
ANY_TEXT = st.text() | st.text(alphabet=ODD) | st.text(st.characters(categories=["Cs", "Cf", "Mn", "Lo", "Zs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=10,
)
OPTIONS = st.dictionaries(
    st.sampled_from(["top_k", "explain", "abstain_below", "coverage", "id", "documents", "texts"]),
    JSON | st.integers(-1, 3) | st.floats(0, 1) | st.booleans(),
    max_size=3,
)


def test_responses_conform_to_the_openapi_description(server: Server, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIG, "run", f"{server.url}/openapi.json"],
        cwd=tmp_path,  # schemathesis writes files
        capture_output=True,
        text=True,
        timeout=4 * WAIT_SECONDS,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    generated = re.search(r"([\d,]+) generated", run.stdout)
    assert generated, run.stdout
    assert int(generated[1].replace(",", "")) >= 200


def read_json(response: httpx.Response, allowed: set[int]) -> dict[str, Any]:
    """Check that a response is 200 or an allowed problem, and read it as UTF-8."""
    assert response.status_code in allowed, response.text
    if response.status_code != 200:
        assert response.headers["content-type"] == "application/problem+json"
    return dict(json.loads(response.content.decode("utf-8")))


@pytest.mark.parametrize("kind", [JSON_TYPE, JSON_WITH_CHARSET], ids=["plain ASGI", "FastAPI"])
@BOUNDED
@given(text=ANY_TEXT)
@example("\0")
@example("\u202ethe goal\u2066")
@example("a" * 70_000 + "\u0301")
@example("\u0130" * 70_000)
def test_any_text_is_refused_or_answered_with_the_places_of_its_words(
    client: httpx.Client, kind: str, text: str
) -> None:
    body = json.dumps({"text": text, "explain": True})
    text = json.loads(body)["text"]  # adjacent halves of a surrogate pair are one character
    answer = read_json(client.post("/predict", content=body, headers={"content-type": kind}), {200, 422})
    if "label" in answer:
        words = answer["explanation"]["words"]
        assert [word["word"] for word in words] == [text[word["start"] : word["end"]] for word in words]
        assert len(words) == answer["tokens"]


@BOUNDED
@given(
    body=JSON
    | st.fixed_dictionaries({"text": ANY_TEXT | JSON}).flatmap(
        lambda document: OPTIONS.map(lambda options: document | options)
    )
)
def test_any_json_is_answered_or_refused(client: httpx.Client, body: object) -> None:
    content = json.dumps(body).encode()
    for path in ("/predict", "/predict/batch"):
        read_json(client.post(path, content=content, headers={"content-type": JSON_TYPE}), {200, 422})


@BOUNDED
@given(
    documents=st.lists(JSON | st.fixed_dictionaries({"text": ANY_TEXT, "id": ANY_TEXT | JSON}), max_size=5),
    options=OPTIONS,
)
def test_any_batch_is_refused_or_has_a_result_for_each_document(
    client: httpx.Client, documents: list[object], options: dict[str, object]
) -> None:
    answer = read_json(
        client.post(
            "/predict/batch",
            content=json.dumps({**options, "documents": documents}),
            headers={"content-type": JSON_TYPE},
        ),
        {200, 422},
    )
    if "results" in answer:
        assert len(answer["results"]) == len(documents)
        assert all(("error" in result) != ("score" in result) for result in answer["results"])


@BOUNDED
@given(
    body=st.binary(max_size=200),
    kind=st.sampled_from([JSON_TYPE, JSON_WITH_CHARSET, "text/plain", "application/x+json"]),
)
def test_any_bytes_are_refused(client: httpx.Client, body: bytes, kind: str) -> None:
    for path in ("/predict", "/predict/batch"):
        read_json(client.post(path, content=body, headers={"content-type": kind}), {415, 422})


@pytest.mark.parametrize(
    "line", ["a", "\u4e2d", "\u0130", "\0", "e\u0301", "\u202e", "a\u00ad", " a", "\U0001f3c6", "\u0301"], ids=repr
)
def test_a_line_of_ten_megabytes_is_answered(client: httpx.Client, line: str) -> None:
    """Text without spaces, of marks or of controls could take a regular expression quadratic time."""
    encoded = json.dumps(line, ensure_ascii=False)[1:-1].encode()
    body = b'{"text": "%b"}' % (encoded * (10_000_000 // len(encoded)))
    assert read_json(client.post("/predict", content=body, headers={"content-type": JSON_TYPE}), {200})["tokens"] >= 1
