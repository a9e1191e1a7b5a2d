"""The audit fails for what is known, and never for a network."""

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).parent.parent.parent / "deploy" / "audit.py"
SPEC = importlib.util.spec_from_file_location("audit", PATH)
assert SPEC is not None
assert SPEC.loader is not None
audit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(audit)

SAFE = {"name": "torch", "version": "2.13.0", "vulns": []}
SKIPPED = {"name": "torch", "skip_reason": "not found"}
BAD = {"name": "httpx", "version": "0.1", "vulns": [{"id": "PYSEC-2026-1"}, {"id": "GHSA-x"}]}


@pytest.mark.parametrize(
    ("dependencies", "code", "said"),
    [
        ([SAFE, SAFE], 0, "2 packages without a known vulnerability, 0 unknown"),
        ([SAFE, SKIPPED], 0, "1 packages without a known vulnerability, 1 unknown"),
        ([SKIPPED], 0, "is not audited"),
        ([], 0, "is not audited"),
        ([SAFE, BAD], 1, "httpx 0.1: PYSEC-2026-1, httpx 0.1: GHSA-x"),
    ],
)
def test_only_what_is_known_fails(dependencies: list[object], code: int, said: str) -> None:
    found, line = audit.verdict({"dependencies": dependencies})
    assert found == code
    assert said in line


def test_where_nobody_answers_it_is_skipped_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody listens
    assert audit.main() == 0
    assert capsys.readouterr().out.count("\n") == 1
