"""Clients that others wrote, against a running service."""

import json
import os
import re
import subprocess
from pathlib import Path

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
def came(request: pytest.FixtureRequest, speaking: Server) -> tuple[str, dict]:
    """A client's name, and what came of each of its calls."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HF_", "COV_"))}
    run = subprocess.run(
        [PYTHON, protocol_clients.__file__, request.param, speaking.url],
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        env=own | {"HF_HUB_DISABLE_TELEMETRY": "1"},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return request.param, dict(json.loads(line) for line in run.stdout.splitlines())


@pytest.fixture(scope="module")
def native(client: httpx.Client) -> list[dict[str, float]]:
    """The scores of the service's own API; the long text's are the last."""
    return [native_scores(client, text) for text in [*protocol_clients.TEXTS, protocol_clients.LONG]]


def same(answer: list, own: list[dict[str, float]]) -> None:
    """Whether labels and scores, in either of two forms, are those of the native API."""
    if isinstance(answer[0][0], list):
        assert [dict(each) for each in answer] == [pytest.approx(each, abs=1e-6) for each in own]
    else:
        assert answer[0] == [max(each, key=each.__getitem__) for each in own]
        assert answer[1] == pytest.approx([max(each.values()) for each in own], abs=1e-6)


@needs_clients
def test_every_answer_is_the_native_one(came: tuple[str, dict], native: list[dict[str, float]]) -> None:
    _, calls_ = came
    answers = {name: each for name, each in calls_.items() if re.fullmatch(r"\w+( \((JSON|bytes|long)\))?", name)}
    answers = {name: each for name, each in answers.items() if re.match(r"(async_)?infer|classify|text_", name)}
    assert len(answers) >= 2
    for name, answer in answers.items():
        same(answer, native[-1:] if "long" in name else native[:-1])


@needs_clients
def test_the_other_calls_come_out_as_their_client_says(came: tuple[str, dict], native: list[dict[str, float]]) -> None:
    name, calls_ = came
    first, second = sorted(native[0], key=native[0].__getitem__, reverse=True)
    ready = {"is_server_live": True, "is_server_ready": True, "is_model_ready": [True, False]}
    expected = {
        "tritonclient": ready
        | {
            "get_server_metadata": ["binary_tensor_data", "classification"],
            "get_model_metadata": ["text", "label", "score"],
            "infer (version, id)": [True, "42"],
        },
        "kserve": ready | {"infer (id)": ["42", "docket"]},
        "huggingface_hub": {"text_classification (top_k)": [[first, pytest.approx(native[0][first], abs=1e-6)]]},
        "baseten_performance_client": {"async_classify": [2] * len(protocol_clients.TEXTS)},
    }[name]
    assert {call: calls_[call] for call in expected} == expected
    if name == "tritonclient":
        assert calls_["infer (class_count)"][0] == [first, second]


@needs_clients
def test_a_failure_is_an_exception_of_the_client_with_our_status_and_sentence(came: tuple[str, dict]) -> None:
    _, calls_ = came
    (failures,) = (each for name, each in calls_.items() if name.endswith("(failures)"))
    blank = next(each for each in failures if "the text is blank" in each)
    assert "422" in blank
    (another,) = (each for each in failures[:1])
    assert ("404" in another and "other" in another) or ("422" in another and "calibrated" in another)
    assert all("415" in each and "as it is" in each for each in failures if each not in (blank, another))


@needs_clients
def test_the_table_has_every_client_with_its_version_and_its_calls(came: tuple[str, dict]) -> None:
    name, calls_ = came
    (row,) = (line for line in PAGE.splitlines() if line.startswith("|") and f"`{name}`" in line)
    _, _, version, said = row.strip("|").split("|")
    assert version.strip() == PINS[name]
    assert re.findall(r"`([^`]+)`", said) == list(calls_)
