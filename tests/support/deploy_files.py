"""The files of ``deploy``, and the metrics that a PromQL expression names."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
GROUPING = r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)"
OPERATORS = {"and", "or", "unless", "bool", "offset", "atan2"}


def read_yaml(path: Path | str) -> Any:
    """Read a YAML file of the repository."""
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def metric_names(expression: str) -> set[str]:
    """The names of the metrics in a PromQL expression."""
    bare = re.sub(r'"[^"]*"|\[[^\]]*\]', "", expression)
    bare = re.sub(rf"\{{[^}}]*\}}|{GROUPING}", " ", bare)
    return set(re.findall(r"(?<![\w.$])([a-zA-Z_:][\w:]*)(?!\s*\(|[\w:])", bare)) - OPERATORS


def label_matchers(expression: str) -> list[tuple[str, str, str]]:
    """Metric, label and value of each matcher in a PromQL expression."""
    return [
        (metric, label, value)
        for metric, braces in re.findall(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}", expression)
        for label, value in re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"', braces)
    ]
