"""What docs/protocols.md shows is so."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.app.served import PATIENCE, Server
from tests.protocols.test_clients import PYTHON, needs_clients

PAGE = (Path(__file__).parents[2] / "docs" / "protocols.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```console\n\$ (curl .*?)\n([\[{].*?)\n```", PAGE, re.DOTALL)


def form(value: Any) -> Any:
    """What an answer is made of: fields and kinds, however many labels there are and whichever they are."""
    if isinstance(value, dict):
        return {name: form(each) for name, each in value.items()}
    if isinstance(value, list):
        return [form(value[0])] if value else []
    return type(value).__name__


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(("command", "answer"), SHOWN, ids=[re.split(r"[ /]{1,2}", each[0])[4] for each in SHOWN])
def test_each_curl_gets_an_answer_such_as_is_shown(speaking: Server, command: str, answer: str) -> None:
    run = subprocess.run(
        ["bash", "-c", command.replace("http://127.0.0.1:8000", speaking.url)],
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )
    told = json.loads(run.stdout)
    assert form(told) == form(json.loads(answer))
    if "error" in told:
        assert told == json.loads(answer)


def test_every_console_block_is_run() -> None:
    assert len(SHOWN) == PAGE.count("```console") == 6


@needs_clients
@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL), ids=["triton", "huggingface"])
def test_each_program_runs_and_prints_a_label(speaking: Server, code: str) -> None:
    code = code.replace("127.0.0.1:8000", speaking.url.removeprefix("http://"))
    run = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert "sports" in run.stdout or "politics" in run.stdout
