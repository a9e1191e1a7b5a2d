"""ONNX Runtime in our server.

The same service and settings, two workers; the recurrence is ONNX Runtime's `RNN`, one thread a worker, all else torch.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import app.inference.reloader
from app.server.serve import serve
from app.settings import Settings
from benchmarks.onnx_network import OnnxNetwork
from model.classifier import Classifier

if TYPE_CHECKING:
    import torch

    from model.artifacts.artifact import Artifact


class OnnxClassifier(Classifier):
    """The classifier with the network of ONNX Runtime."""

    def __init__(self, artifact: Artifact, device: torch.device) -> None:
        super().__init__(replace(artifact, network=cast("Any", OnnxNetwork(artifact.network))), device)


if __name__ == "__main__":
    assert "Classifier" in vars(app.inference.reloader)  # otherwise the service would silently use its own network
    vars(app.inference.reloader)["Classifier"] = OnnxClassifier
    serve(Settings.read(artifact=Path(sys.argv[1]), port=int(sys.argv[2]), workers=2, device="cpu"))
