"""Clients that others wrote, against a running service."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import protocol_clients
from tests.support.native_scores import native_scores
from tests.support.service import WAIT_SECONDS, Server

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-clients" / "bin" / "python"
PINS = dict(line.split("==") for line in Path(__file__).with_name("clients.txt").read_text().splitlines())
PAGE = (ROOT / "docs" / "protocols.md").read_text(encoding="utf-8")

pytestmark = pytest.mark.slow
needs_clients = pytest.mark.skipif(
    not (PYTHON.parent.parent / "installed").exists(), reason="clients have an environment of their own: make clients"
)


@pytest.fixture(scope="module", params=protocol_clients.CLIENTS)
def client_results(request: pytest.FixtureRequest, protocol_server: Server) -> tuple[str, dict[str, Any]]:
    """The name of a client, and the result of each of its calls."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HF_", "COV_"))}
    run = subprocess.run(
        [PYTHON, protocol_clients.__file__, request.param, protocol_server.url],
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        env=environment | {"HF_HUB_DISABLE_TELEMETRY": "1"},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return request.param, dict(json.loads(line) for line in run.stdout.splitlines())


@pytest.fixture(scope="module")
def native(client: httpx.Client) -> list[dict[str, float]]:
    """The scores of the native API; the last are those of the long text."""
    return [native_scores(client, text) for text in [*protocol_clients.TEXTS, protocol_clients.LONG]]


def assert_native(answer: list[Any], native: list[dict[str, float]]) -> None:
    """Check labels and scores, in either of two forms, against those of the native API."""
    if isinstance(answer[0][0], list):
        assert [dict(scores) for scores in answer] == [pytest.approx(scores, abs=1e-6) for scores in native]
    else:
        assert answer[0] == [max(scores, key=scores.__getitem__) for scores in native]
        assert answer[1] == pytest.approx([max(scores.values()) for scores in native], abs=1e-6)


@needs_clients
def test_every_answer_is_the_native_one(
    client_results: tuple[str, dict[str, Any]], native: list[dict[str, float]]
) -> None:
    _, results = client_results
    answers = {name: result for name, result in results.items() if re.fullmatch(r"\w+( \((JSON|bytes|long)\))?", name)}
    answers = {name: answer for name, answer in answers.items() if re.match(r"(async_)?infer|classify|text_", name)}
    assert len(answers) >= 2
    for name, answer in answers.items():
        assert_native(answer, native[-1:] if "long" in name else native[:-1])


@needs_clients
def test_the_other_calls_return_what_the_client_documents(
    client_results: tuple[str, dict[str, Any]], native: list[dict[str, float]]
) -> None:
    name, results = client_results
    first, second = sorted(native[0], key=native[0].__getitem__, reverse=True)
    ready = {"is_server_live": True, "is_server_ready": True, "is_model_ready": [True, False]}
    tables: dict[str, dict[str, Any]] = {
        "tritonclient": ready
        | {
            "get_server_metadata": ["binary_tensor_data", "classification"],
            "get_model_metadata": ["text", "label", "score"],
            "infer (version, id)": [True, "42"],
        },
        "kserve": ready | {"infer (id)": ["42", "docket"]},
        "huggingface_hub": {"text_classification (top_k)": [[first, pytest.approx(native[0][first], abs=1e-6)]]},
        "baseten_performance_client": {"async_classify": [2] * len(protocol_clients.TEXTS)},
    }
    expected = tables[name]
    assert {call: results[call] for call in expected} == expected
    if name == "tritonclient":
        assert results["infer (class_count)"][0] == [first, second]


@needs_clients
def test_a_failure_is_an_exception_of_the_client_with_the_status_and_the_sentence(
    client_results: tuple[str, dict[str, Any]],
) -> None:
    _, results = client_results
    (failures,) = (result for name, result in results.items() if name.endswith("(failures)"))
    blank = next(failure for failure in failures if "the text is blank" in failure)
    assert "422" in blank
    first = failures[0]
    assert ("404" in first and "other" in first) or ("422" in first and "calibrated" in first)
    assert all("415" in failure and "as it is" in failure for failure in failures if failure not in (blank, first))


@needs_clients
def test_the_documented_table_has_every_client_its_version_and_its_calls(
    client_results: tuple[str, dict[str, Any]],
) -> None:
    name, results = client_results
    (row,) = (line for line in PAGE.splitlines() if line.startswith("|") and f"`{name}`" in line)
    _, _, version, listed_calls = row.strip("|").split("|")
    assert version.strip() == PINS[name]
    assert re.findall(r"`([^`]+)`", listed_calls) == list(results)
