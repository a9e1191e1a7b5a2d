"""The audit fails for a known vulnerability, and never for a missing network."""

import importlib.util

import pytest

from tests.support.deploy_files import DEPLOY

SPEC = importlib.util.spec_from_file_location("audit", DEPLOY / "audit.py")
assert SPEC is not None
assert SPEC.loader is not None
audit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(audit)

SAFE = {"name": "torch", "version": "2.13.0", "vulns": []}
SKIPPED = {"name": "torch", "skip_reason": "not found"}
VULNERABLE = {"name": "httpx", "version": "0.1", "vulns": [{"id": "PYSEC-2026-1"}, {"id": "GHSA-x"}]}


@pytest.mark.parametrize(
    ("dependencies", "code", "sentence"),
    [
        ([SAFE, SAFE], 0, "2 packages without a known vulnerability, 0 unknown"),
        ([SAFE, SKIPPED], 0, "1 packages without a known vulnerability, 1 unknown"),
        ([SKIPPED], 0, "is not audited"),
        ([], 0, "is not audited"),
        ([SAFE, VULNERABLE], 1, "httpx 0.1: PYSEC-2026-1, httpx 0.1: GHSA-x"),
    ],
)
def test_only_a_known_vulnerability_fails(dependencies: list[object], code: int, sentence: str) -> None:
    verdict, line = audit.verdict({"dependencies": dependencies})
    assert verdict == code
    assert sentence in line


def test_without_a_network_the_audit_is_skipped_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # no process listens there
    assert audit.main() == 0
    assert capsys.readouterr().out.count("\n") == 1
