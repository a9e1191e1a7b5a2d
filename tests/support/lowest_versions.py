"""Prints the lowest version that the packages allow of each direct dependency, as constraints for pip.

torch stays at the version of requirements.lock, whose build for CPUs is small.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EXTRAS = ("training", "otel")


def lowest(lock: str, *projects: dict[str, Any]) -> dict[str, str]:
    """Return each dependency's name and lowest version; where both packages name it, the higher of the two."""
    versions: dict[str, str] = {}
    for project in projects:
        extras = project.get("optional-dependencies", {})
        for line in [*project["dependencies"], *(each for name in EXTRAS for each in extras.get(name, []))]:
            requirement = re.match(r"([\w-]+)(?:\[\w+\])?(?:>=|==)([\d.]+)", line)
            assert requirement, line
            name, version = requirement.groups()
            if _numbers(version) > _numbers(versions.get(name, "0")):
                versions[name] = version
    torch = re.search(r"^torch==(.*)$", lock, re.MULTILINE)
    assert torch, "requirements.lock pins no torch"
    return versions | {"torch": torch[1]}


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]


if __name__ == "__main__":
    files = ("pyproject.toml", "client/pyproject.toml")
    projects = [tomllib.loads((ROOT / file).read_text(encoding="utf-8"))["project"] for file in files]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    print(*(f"{name}=={version}" for name, version in lowest(lock, *projects).items()), sep="\n")
