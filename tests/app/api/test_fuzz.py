"""Whatever comes: never a 5xx, never a hang, and nothing that the API's own description does not allow."""

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

from model.text.tokenizer import token_spans, tokenize
from model.text.vocabulary import Vocabulary
from tests.support import tiny
from tests.support.raw_http import JSON_TYPE, JSON_WITH_CHARSET
from tests.support.service import WAIT_SECONDS, Server

pytestmark = pytest.mark.slow
CONFIG = Path(__file__).with_name("schemathesis.toml")
BOUNDED = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
"""The same examples each time: a test that fails must fail again."""
ODD = '\0\u200d\u202e\u2066\ufeff\u00ad\u0130\u1e9e\ufdfa\ud800\udfff\U0001f3c6\u0e33\u0301 \u2028\r\n\t"\\/a\u4e2d'
ANY = st.text() | st.text(alphabet=ODD) | st.text(st.characters(categories=["Cs", "Cf", "Mn", "Lo", "Zs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY, inner, max_size=4),
    max_leaves=10,
)
OPTIONS = st.dictionaries(
    st.sampled_from(["top_k", "explain", "abstain_below", "coverage", "id", "documents", "texts"]),
    JSON | st.integers(-1, 3) | st.floats(0, 1) | st.booleans(),
    max_size=3,
)


def test_the_service_does_what_its_description_says_and_nothing_else(server: Server, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIG, "run", f"{server.url}/openapi.json"],
        cwd=tmp_path,  # it keeps a folder of its own
        capture_output=True,
        text=True,
        timeout=4 * WAIT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    generated = re.search(r"([\d,]+) generated", done.stdout)
    assert generated, done.stdout
    assert int(generated[1].replace(",", "")) >= 200


def told(response: httpx.Response, allowed: set[int]) -> dict[str, Any]:
    """A status that is one of a client's own mistakes, in its form, or 200; always JSON in UTF-8."""
    assert response.status_code in allowed, response.text
    if response.status_code != 200:
        assert response.headers["content-type"] == "application/problem+json"
    read: dict[str, Any] = json.loads(response.content.decode("utf-8"))
    return read


@pytest.mark.parametrize("kind", [JSON_TYPE, JSON_WITH_CHARSET], ids=["direct", "long way"])
@BOUNDED
@given(text=ANY)
@example("\0")
@example("\u202ethe goal\u2066")
@example("a" * 70_000 + "\u0301")
@example("\u0130" * 70_000)
def test_any_text_is_answered_with_its_words_where_they_stand_or_refused(
    client: httpx.Client, kind: str, text: str
) -> None:
    body = json.dumps({"text": text, "explain": True})
    text = json.loads(body)["text"]  # two halves of a pair beside each other are one character
    answer = told(client.post("/predict", content=body, headers={"content-type": kind}), {200, 422})
    if "label" in answer:
        found = answer["explanation"]["words"]
        assert [word["word"] for word in found] == [text[word["start"] : word["end"]] for word in found]
        assert len(found) == answer["tokens"]


@BOUNDED
@given(body=JSON | st.fixed_dictionaries({"text": ANY | JSON}).flatmap(lambda it: OPTIONS.map(lambda more: it | more)))
def test_any_json_is_answered_or_refused(client: httpx.Client, body: object) -> None:
    sent = json.dumps(body).encode()
    for path in ("/predict", "/predict/batch"):
        told(client.post(path, content=sent, headers={"content-type": JSON_TYPE}), {200, 422})


@BOUNDED
@given(documents=st.lists(JSON | st.fixed_dictionaries({"text": ANY, "id": ANY | JSON}), max_size=5), options=OPTIONS)
def test_any_list_of_documents_has_a_result_for_each_or_is_refused(
    client: httpx.Client, documents: list[object], options: dict[str, object]
) -> None:
    answer = told(
        client.post(
            "/predict/batch",
            content=json.dumps({**options, "documents": documents}),
            headers={"content-type": JSON_TYPE},
        ),
        {200, 422},
    )
    if "results" in answer:
        assert len(answer["results"]) == len(documents)
        assert all(("error" in each) != ("score" in each) for each in answer["results"])


@BOUNDED
@given(
    body=st.binary(max_size=200),
    kind=st.sampled_from([JSON_TYPE, JSON_WITH_CHARSET, "text/plain", "application/x+json"]),
)
def test_any_bytes_are_refused(client: httpx.Client, body: bytes, kind: str) -> None:
    for path in ("/predict", "/predict/batch"):
        told(client.post(path, content=body, headers={"content-type": kind}), {415, 422})


@pytest.mark.parametrize(
    "line", ["a", "\u4e2d", "\u0130", "\0", "e\u0301", "\u202e", "a\u00ad", " a", "\U0001f3c6", "\u0301"], ids=repr
)
def test_a_line_of_ten_megabytes_is_answered(client: httpx.Client, line: str) -> None:
    """Without a space in it, of marks alone, of nothing but controls: what a pattern could stumble over for ever."""
    written = json.dumps(line, ensure_ascii=False)[1:-1].encode()
    body = b'{"text": "%b"}' % (written * (10_000_000 // len(written)))
    assert told(client.post("/predict", content=body, headers={"content-type": JSON_TYPE}), {200})["tokens"] >= 1


@settings(BOUNDED, max_examples=400)
@given(text=ANY)
def test_encoding_reads_the_words_that_stand_in_the_text_and_says_where(text: str) -> None:
    vocabulary = Vocabulary(tiny.WORDS, tiny.LABELS, ngrams=["matc", "goal"])
    encoding, stand = vocabulary.encode(text), vocabulary.token_spans(text)
    assert encoding.tokens == len(stand) == max(1, len(tokenize(text)))
    assert len(token_spans(text)) == len(tokenize(text))
    assert len(encoding.ids) >= encoding.tokens >= encoding.unknown_tokens >= 0
    assert all(0 <= number < len(vocabulary) + len(vocabulary.ngrams) for number in encoding.ids)
    ends = [0, *(end for _, end in stand)]
    assert all(end <= start <= stop <= len(text) for end, (start, stop) in zip(ends, stand, strict=False))
