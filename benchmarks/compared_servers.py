"""The compared servers, and the protocol of each."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.load import encode_body
from benchmarks.service import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent / "servers"


class Prediction(NamedTuple):
    """The answer of a server to a text."""

    label: str
    score: float


def _read_plain(answer: Any) -> Prediction:
    return Prediction(answer["label"], answer["score"])


def _read_v2(answer: Any) -> Prediction:
    outputs = {output["name"]: output["data"][0] for output in answer["outputs"]}
    return Prediction(outputs["label"], outputs["score"])


def _encode_v2(text: str) -> bytes:
    tensor = {"name": "text", "shape": [1, 1], "datatype": "BYTES", "data": [text]}
    return json.dumps({"inputs": [tensor]}).encode()


class Server(NamedTuple):
    """A server of ``servers/NAME.py``; the versions of ``packages`` identify it.

    ``encode``: the request for a text, without a line break. ``read``: the reader of a parsed answer.
    ``runs_classifier``: whether it runs Docket's classifier, so that its answers must be equal.
    """

    name: str
    packages: tuple[str, ...]
    encode: Callable[[str], bytes] = encode_body
    read: Callable[[Any], Prediction] = _read_plain
    path: str = "/predict"
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
    def description(self) -> list[str]:
        """The title and the configuration: the first two paragraphs of the module's docstring."""
        text = (HERE / f"{self.name}.py").read_text(encoding="utf-8")
        paragraphs = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")
        return [" ".join(paragraph.split()) for paragraph in paragraphs]

    @property
    def version(self) -> str:
        """The versions of ``packages`` in the lock file."""
        lines = self.lock.read_text(encoding="utf-8").splitlines()
        locked = dict(line.split("==") for line in lines if not line.startswith("#"))
        return ", ".join(f"{package} {locked[package]}" for package in self.packages)

    def decode(self, answer: bytes) -> Prediction:
        """Decode an answer."""
        return self.read(json.loads(answer))


SERVERS = (
    Server("docket", ("fastapi", "torch")),
    Server("fastapi", ("fastapi", "uvicorn")),
    Server("litserve", ("litserve",)),
    Server("mosec", ("mosec",)),
    Server(
        "bentoml",
        ("bentoml",),
        lambda text: json.dumps({"texts": [text]}).encode(),
        lambda answers: _read_plain(answers[0]),
    ),
    Server("ray", ("ray",)),
    Server("mlserver", ("mlserver",), _encode_v2, _read_v2, "/v2/models/docket/infer"),
    Server("linear", ("scikit-learn", "fastapi"), runs_classifier=False),
)
