"""Known vulnerabilities of the packages of requirements.lock: ``python deploy/audit.py``.

Exits with 1 for a known vulnerability, and with 0 without one. Without a network it prints a line and exits with 0: the
check of a change must not depend on the network.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parent.parent / "requirements.lock"
AUDIT_TIMEOUT_SECONDS = 90
REQUEST_TIMEOUT_SECONDS = 5


def main() -> int:
    """Run pip-audit and print its outcome in one line."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), "--no-deps", "--disable-pip"]
    command += ["--progress-spinner", "off", "--timeout", str(REQUEST_TIMEOUT_SECONDS), "--format", "json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=AUDIT_TIMEOUT_SECONDS, check=False)
        report = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):  # no database was reachable, or the report is not JSON
        report = {"dependencies": []}
    code, line = verdict(report)
    print(line)
    return code


def verdict(report: dict[str, Any]) -> tuple[int, str]:
    """Return the exit code and the line for a report of pip-audit."""
    audited = [package for package in report["dependencies"] if "vulns" in package]
    known = [
        f"{package['name']} {package['version']}: {found['id']}" for package in audited for found in package["vulns"]
    ]
    if known:
        return 1, f"requirements.lock is not safe: {', '.join(known)}"
    if not audited:
        return 0, "requirements.lock is not audited: no database of vulnerabilities is reachable"
    unknown = len(report["dependencies"]) - len(audited)
    return 0, f"requirements.lock is audited: {len(audited)} packages without a known vulnerability, {unknown} unknown"


if __name__ == "__main__":
    sys.exit(main())
