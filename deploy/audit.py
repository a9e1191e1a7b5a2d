"""Known vulnerabilities of the packages of requirements.lock: ``python deploy/audit.py``.

Exits with 1 for a known vulnerability, and with 0 without one. Without a network it exits with 0 and a line that says
so: a check of a change must not depend on the network.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parent.parent / "requirements.lock"
PATIENCE = 90
"""Seconds for all of it; for one package ``WAIT``."""
WAIT = 5


def main() -> int:
    """Ask, and say what was found."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), "--no-deps", "--disable-pip"]
    command += ["--progress-spinner", "off", "--timeout", str(WAIT), "--format", "json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        report = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):  # it could not be reached, or said nothing that can be read
        report = {"dependencies": []}
    code, line = verdict(report)
    print(line)
    return code


def verdict(report: dict[str, Any]) -> tuple[int, str]:
    """The code to end with and the line to say, of pip-audit's report."""
    audited = [package for package in report["dependencies"] if "vulns" in package]
    known = [
        f"{package['name']} {package['version']}: {found['id']}" for package in audited for found in package["vulns"]
    ]
    if known:
        return 1, f"requirements.lock is not safe: {', '.join(known)}"
    if not audited:
        return 0, "requirements.lock is not audited: nobody here knows of vulnerabilities"
    unknown = len(report["dependencies"]) - len(audited)
    return 0, f"requirements.lock is audited: {len(audited)} packages without a known vulnerability, {unknown} unknown"


if __name__ == "__main__":
    sys.exit(main())
