"""The servers that are compared, and how each is spoken to."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

HERE, ROOT = Path(__file__).parent / "servers", Path(__file__).parent.parent


class Said(NamedTuple):
    """A server's answer to one text."""

    label: str
    score: float


class Dialect(NamedTuple):
    """Where a text is posted, as what, and how the answer reads."""

    path: str
    asked: Callable[[str], object]
    read: Callable[[Any], Said]

    def body(self, text: str) -> bytes:
        """What is posted; one line."""
        return json.dumps(self.asked(text)).encode()

    def said(self, answer: bytes) -> Said:
        """What came back."""
        return self.read(json.loads(answer))


def _plain(answer: dict[str, Any]) -> Said:
    return Said(answer["label"], answer["score"])


def _v2(answer: dict[str, Any]) -> Said:
    outputs = {output["name"]: output["data"][0] for output in answer["outputs"]}
    return Said(outputs["label"], outputs["score"])


OURS = Dialect("/predict", lambda text: {"text": text, "top_k": 1}, _plain)
PLAIN = Dialect("/predict", lambda text: {"text": text}, _plain)
LISTS = Dialect("/predict", lambda text: {"texts": [text]}, lambda answers: _plain(answers[0]))
V2 = Dialect(
    "/v2/models/docket/infer",
    lambda text: {"inputs": [{"name": "text", "shape": [1, 1], "datatype": "BYTES", "data": [text]}]},
    _v2,
)


class Server(NamedTuple):
    """``servers/NAME.py``; ``packages`` are those whose versions say which one it is.

    ``same``: whether it answers as our classifier does.
    """

    name: str
    packages: tuple[str, ...]
    dialect: Dialect = PLAIN
    same: bool = True

    @property
    def module(self) -> str:
        """What is run."""
        return f"benchmarks.servers.{self.name}"

    @property
    def python(self) -> Path:
        """The interpreter of its own environment; ours is where Docket is installed."""
        return ROOT / (".venv" if self.lock.name == "requirements.lock" else f".venv-bench/{self.name}") / "bin/python"

    @property
    def lock(self) -> Path:
        """What its environment holds."""
        own = HERE / f"{self.name}.txt"
        return own if own.exists() else ROOT / "requirements.lock"

    @property
    def title(self) -> str:
        """Its name for people: the first line of the file's docstring."""
        return self._docstring()[0].removesuffix(".")

    @property
    def configuration(self) -> str:
        """How it is set: the second paragraph of the file's docstring."""
        return self._docstring()[1]

    @property
    def version(self) -> str:
        """Of its packages, from the lock."""
        lines = self.lock.read_text(encoding="utf-8").splitlines()
        locked = dict(line.split("==") for line in lines if not line.startswith("#"))
        return ", ".join(f"{package} {locked[package]}" for package in self.packages)

    def _docstring(self) -> list[str]:
        text = (HERE / f"{self.name}.py").read_text(encoding="utf-8")
        paragraphs = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")
        return [" ".join(paragraph.split()) for paragraph in paragraphs]


SERVERS = (
    Server("docket", ("fastapi", "torch"), OURS),
    Server("onnx", ("onnxruntime",), OURS),
    Server("fastapi", ("fastapi", "uvicorn")),
    Server("litserve", ("litserve",)),
    Server("mosec", ("mosec",)),
    Server("bentoml", ("bentoml",), LISTS),
    Server("ray", ("ray",)),
    Server("mlserver", ("mlserver",), V2),
    Server("linear", ("scikit-learn", "fastapi"), same=False),
)
