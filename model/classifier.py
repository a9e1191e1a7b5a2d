"""A loaded artifact: the path from texts to predictions that service, evaluation and command line share."""

from __future__ import annotations

from array import array
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from model.artifacts import artifact, golden, registry
from model.device import select_device, set_thread_count
from model.prediction import Explanation, Prediction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from model.artifacts.artifact import Artifact
    from model.text.vocabulary import Encoding


class Classifier:
    """Predicts labels for batches of documents; the other documents of a batch do not change a prediction.

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
        """Read, verify and warm up an artifact, then check its golden documents.

        ``folder``: an artifact, or a folder of versions, of which the current one is loaded.
        ``threads``: CPU threads for tensor operations in this process; torch's default where it is None.
        ``warm``: compile the network first (0.15 s), so that the first predictions are as fast as later ones.
        Raise ``UsageError`` for an artifact or a device that cannot be used.
        """
        selected = select_device(device)
        if threads:
            set_thread_count(threads)
        classifier = cls(artifact.read(registry.resolve_artifact(Path(folder)), selected), selected)
        if warm:
            classifier.warm_up()
        classifier.check_golden_documents()
        return classifier

    def warm_up(self) -> None:
        """Call each method three times: TorchScript compiles in the second and third call.

        A word beyond ASCII builds the tokenizer's pattern.
        """
        for _ in range(3):
            for explain in (False, True):
                self.predict([self.encode("warm", explain), self.encode("wärm " * 100, explain)])

    def check_golden_documents(self) -> None:
        """Raise ``UsageError`` where a golden document gets another prediction than in training."""
        golden.check_documents(self.predict_texts, self.golden, self.version)

    def predict_texts(self, texts: Sequence[str]) -> list[Prediction]:
        """One prediction for each text, in order."""
        return self.predict([self.encode(text) for text in texts])

    @torch.inference_mode()
    def predict(self, encodings: Sequence[Encoding]) -> list[Prediction]:
        """One prediction for each encoding, in order."""
        if not encodings:
            return []
        ids, starts = self._concatenate(encodings)
        network = self._artifact.network
        if not any(encoding.explain for encoding in encodings):
            return self._to_predictions(encodings, network(ids, starts))
        logits, attributions = network.explain(ids, starts)
        return self._add_explanations(self._to_predictions(encodings, logits), encodings, logits, attributions)

    def _concatenate(self, encodings: Sequence[Encoding]) -> tuple[Tensor, Tensor]:
        """The ids of all documents, int64 [ids], and the index at which each document starts, int64 [documents]."""
        ids = encodings[0].ids
        if len(encodings) > 1:
            ids = array("q")
            for encoding in encodings:
                ids.extend(encoding.ids)
        starts = list(accumulate((len(encoding.ids) for encoding in encodings[:-1]), initial=0))
        return torch.frombuffer(ids, dtype=torch.int64).to(self._device), torch.tensor(starts, device=self._device)

    def _to_predictions(self, encodings: Sequence[Encoding], logits: Tensor) -> list[Prediction]:
        """Predictions without explanations; ``logits``: float32 [documents, labels]."""
        ordered = self._artifact.calibration.probabilities(logits).sort(dim=1, descending=True)
        names = self.labels
        return [
            Prediction(
                [(names[label], score) for label, score in zip(labels, scores, strict=True)],
                encoding.tokens,
                encoding.unknown_tokens,
            )
            for encoding, labels, scores in zip(
                encodings, ordered.indices.tolist(), ordered.values.tolist(), strict=True
            )
        ]

    def _add_explanations(
        self, predictions: list[Prediction], encodings: Sequence[Encoding], logits: Tensor, attributions: Tensor
    ) -> list[Prediction]:
        """Explain the predictions whose encoding requests it; ``attributions``: float32 [tokens of all documents]."""
        top_logits, top_labels = logits.max(dim=1)
        biases = self._artifact.network.output.bias[top_labels]
        by_document = attributions.split([encoding.tokens for encoding in encodings])
        return [
            prediction._replace(explanation=Explanation(tokens.tolist(), float(bias), float(logit)))
            if encoding.explain
            else prediction
            for prediction, encoding, tokens, bias, logit in zip(
                predictions, encodings, by_document, biases, top_logits, strict=True
            )
        ]
