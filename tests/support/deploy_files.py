"""The files of ``deploy`` as what they say."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
_GROUPING = r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)"
_WORDS = {"and", "or", "unless", "bool", "offset", "atan2"}


def read_yaml(path: Path | str) -> Any:
    """A YAML file of the repository."""
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def metric_names(expression: str) -> set[str]:
    """The names of the metrics that a PromQL expression asks for."""
    bare = re.sub(r'"[^"]*"|\[[^\]]*\]', "", expression)
    bare = re.sub(rf"\{{[^}}]*\}}|{_GROUPING}", " ", bare)
    return set(re.findall(r"(?<![\w.$])([a-zA-Z_:][\w:]*)(?!\s*\(|[\w:])", bare)) - _WORDS


def label_matchers(expression: str) -> list[tuple[str, str, str]]:
    """Metric, label and value of each matcher in a PromQL expression."""
    return [
        (metric, label, value)
        for metric, braces in re.findall(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}", expression)
        for label, value in re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"', braces)
    ]


def to_seconds(duration: str | int) -> int:
    """A duration in seconds, of which compose writes 35s."""
    return int(str(duration).removesuffix("s"))
