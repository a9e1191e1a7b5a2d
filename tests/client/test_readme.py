"""What the client's README says is so."""

import re
from pathlib import Path

import pytest

import docket_client
from docket_client import bulk, payloads
from docket_client.transport import TIMEOUT
from tests.support.service import Server

README = Path(docket_client.__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_runs(example: str, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(example.replace("http://127.0.0.1:8000", server.url), "README.md", "exec"), {"__name__": "example"})
    said = re.search(r"print\(error\)  # (.*)", example)
    assert not said or said[1] in capsys.readouterr().out


def test_its_numbers_are_those_of_the_code() -> None:
    assert f"timeout={TIMEOUT}" in README
    assert f"{bulk.AHEAD * bulk.CONCURRENCY + 1} requests ahead" in README
    assert (bulk.CONCURRENCY, f"{bulk.BATCH} documents (or {payloads.CHARACTERS:,}") == (8, "32 documents (or 250,000")
    assert "Eight requests of 32 documents (or 250,000" in README.replace("\n", " ")


def test_its_table_names_every_exception() -> None:
    named = set(re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE))
    public = {name for name in docket_client.__all__ if isinstance(getattr(docket_client, name), type)}
    assert named == {name for name in public if issubclass(getattr(docket_client, name), docket_client.DocketError)}
