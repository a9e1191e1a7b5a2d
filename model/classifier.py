"""An artifact at work: the one path that service, evaluation and command line take from a text to its label."""

from __future__ import annotations

from array import array
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch

from model.artifacts import artifact, golden, registry
from model.device import select_device, set_thread_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from model.artifacts.artifact import Artifact
    from model.text.vocabulary import Encoding


class Explanation(NamedTuple):
    """Why the first label: each token's attribution, in the order of the text, and ``bias``. They sum to ``logit``."""

    attributions: list[float]
    bias: float
    logit: float


class Prediction(NamedTuple):
    """One document's answer; ``scores``: every label with its probability, highest first."""

    scores: list[tuple[str, float]]
    tokens: int
    unknown_tokens: int
    explanation: Explanation | None = None

    @property
    def label(self) -> str:
        """The label of the highest probability."""
        return self.scores[0][0]

    @property
    def score(self) -> float:
        """The probability of ``label``."""
        return self.scores[0][1]


class Classifier:
    """Documents in, predictions out; the answer to one does not depend on which others are beside it.

    >>> classifier = Classifier.load("artifacts/demo")                             # doctest: +SKIP
    >>> classifier.predict([classifier.encode("A late goal won the cup.")])[0].label     # doctest: +SKIP
    'sports'
    """

    def __init__(self, artifact: Artifact, device: torch.device) -> None:
        self._artifact, self._device = artifact, device
        self.labels, self.version, self.device = artifact.vocabulary.labels, artifact.version, device.type
        self.encode, self.token_spans = artifact.vocabulary.encode, artifact.vocabulary.token_spans
        self.threshold, self.profile = artifact.calibration.threshold, artifact.profile
        self.golden, self.manifest = artifact.golden, artifact.manifest

    @classmethod
    def load(
        cls, folder: str | Path, device: str = "auto", threads: int | None = None, *, warm: bool = True
    ) -> Classifier:
        """Read, verify, warm up and try on its golden documents an artifact; of a folder of versions the current one.

        Raise ``UsageError`` for an artifact or a device that cannot be used.

        ``threads``: CPU threads of a product, for the whole process; torch's own choice if left out. ``warm``: whether
        its first predictions are to be as fast as any, which takes 0.15 s.
        """
        chosen = select_device(device)
        if threads:
            set_thread_count(threads)
        classifier = cls(artifact.read(registry.resolve_artifact(Path(folder)), chosen), chosen)
        if warm:
            classifier.warm_up()
        golden.check(classifier)
        return classifier

    def warm_up(self) -> None:
        """Let TorchScript see each method often enough to have compiled it: it does so in the second and third call.

        Words of other scripts build the pattern that finds them.
        """
        for _ in range(3):
            for explain in (False, True):
                self.predict([self.encode("warm", explain), self.encode("wärm " * 100, explain)])

    @torch.inference_mode()
    def predict(self, encodings: Sequence[Encoding]) -> list[Prediction]:
        """One prediction for each encoding, in order."""
        if not encodings:
            return []
        tokens, starts = self._end_to_end(encodings)
        network = self._artifact.network
        explained = any(encoding.explain for encoding in encodings)
        logits, shares = network.explain(tokens, starts) if explained else (network(tokens, starts), None)
        predictions = [
            Prediction(scores, encoding.tokens, encoding.unknown_tokens)
            for encoding, scores in zip(encodings, self._scores(logits), strict=True)
        ]
        return predictions if shares is None else self._explain(predictions, encodings, logits, shares)

    def _end_to_end(self, encodings: Sequence[Encoding]) -> tuple[Tensor, Tensor]:
        ids = encodings[0].ids
        if len(encodings) > 1:
            ids = array("q")
            for encoding in encodings:
                ids.extend(encoding.ids)
        starts = list(accumulate((len(encoding.ids) for encoding in encodings[:-1]), initial=0))
        return torch.frombuffer(ids, dtype=torch.int64).to(self._device), torch.tensor(starts, device=self._device)

    def _scores(self, logits: Tensor) -> list[list[tuple[str, float]]]:
        ordered = self._artifact.calibration.probabilities(logits).sort(dim=1, descending=True)
        names = self.labels
        return [
            [(names[label], score) for label, score in zip(labels, scores, strict=True)]
            for labels, scores in zip(ordered.indices.tolist(), ordered.values.tolist(), strict=True)
        ]

    def _explain(
        self, predictions: list[Prediction], encodings: Sequence[Encoding], logits: Tensor, shares: Tensor
    ) -> list[Prediction]:
        """Add the explanation to each prediction whose encoding asks for it."""
        logit, label = logits.max(dim=1)
        bias = self._artifact.network.output.bias[label]
        each = zip(predictions, encodings, shares.split([e.tokens for e in encodings]), bias, logit, strict=True)
        return [
            prediction._replace(explanation=Explanation(share.tolist(), float(b), float(top)))
            if asks.explain
            else prediction
            for prediction, asks, share, b, top in each
        ]
