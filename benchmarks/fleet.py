"""The compared servers, and the protocol of each."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

HERE, ROOT = Path(__file__).parent / "servers", Path(__file__).parent.parent


class Said(NamedTuple):
    """The answer of a server to a text."""

    label: str
    score: float


class Dialect(NamedTuple):
    """The path of a server, its request for a text, and the reader of its answer."""

    path: str
    request: Callable[[str], object]
    read: Callable[[Any], Said]

    def body(self, text: str) -> bytes:
        """The request body, without a line break."""
        return json.dumps(self.request(text)).encode()

    def said(self, answer: bytes) -> Said:
        """Decode an answer."""
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
    """A server of ``servers/NAME.py``; the versions of ``packages`` identify it.

    ``runs_classifier``: whether it runs Docket's classifier, so that its answers must be equal.
    """

    name: str
    packages: tuple[str, ...]
    dialect: Dialect = PLAIN
    runs_classifier: bool = True

    @property
    def module(self) -> str:
        """The module of the server."""
        return f"benchmarks.servers.{self.name}"

    @property
    def python(self) -> Path:
        """The interpreter of the server's environment."""
        return ROOT / (".venv" if self.lock.name == "requirements.lock" else f".venv-bench/{self.name}") / "bin/python"

    @property
    def lock(self) -> Path:
        """The lock file of its environment."""
        path = HERE / f"{self.name}.txt"
        return path if path.exists() else ROOT / "requirements.lock"

    @property
    def title(self) -> str:
        """The name for readers: the first line of the module's docstring."""
        return self._docstring()[0].removesuffix(".")

    @property
    def configuration(self) -> str:
        """The configuration: the second paragraph of the module's docstring."""
        return self._docstring()[1]

    @property
    def version(self) -> str:
        """The versions of ``packages`` in the lock file."""
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
    Server("linear", ("scikit-learn", "fastapi"), runs_classifier=False),
)
