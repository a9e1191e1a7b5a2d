"""What is known against the packages of requirements.lock: ``python deploy/audit.py``.

1: a package has a vulnerability that is known. 0: none has, or nobody could be asked, which a line says: whether a
change passes must not depend on the network.
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
    asked = [each for each in report["dependencies"] if "vulns" in each]
    known = [f"{each['name']} {each['version']}: {found['id']}" for each in asked for found in each["vulns"]]
    if known:
        return 1, f"requirements.lock is not safe: {', '.join(known)}"
    if not asked:
        return 0, "requirements.lock is not audited: nobody here knows of vulnerabilities"
    unknown = len(report["dependencies"]) - len(asked)
    return 0, f"requirements.lock is audited: {len(asked)} packages without a known vulnerability, {unknown} unknown"


if __name__ == "__main__":
    sys.exit(main())
