"""The network on a GPU: documents a second by tokens in a batch, and whether its answers are the CPU's.

``python -m benchmarks.gpu ARTIFACT``, with documents of the default corpus.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING

import torch

from benchmarks.posts import CLOSE
from model.classifier import Classifier
from model.refusal import Refusal
from training.data import corpora

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from model.vocabulary import Encoding

BUDGETS = (4_096, 16_384, 65_536, 262_144, 1_048_576)
"""Tokens in a batch."""
REPEATS = 7


def main(artifact: str) -> int:
    """Print the table; 2: there is no GPU, 1: its answers are not the CPU's."""
    texts = corpora.load(corpora.DEFAULT).train.texts
    cpu = Classifier.load(artifact, "cpu", threads=1)
    try:
        gpu = Classifier.load(artifact, "cuda")
    except Refusal as refusal:
        print(f"gpu: {refusal}", file=sys.stderr)
        return 2
    encodings = [cpu.encode(text) for text in texts]
    expected, found = cpu.predict(encodings[:500]), gpu.predict(encodings[:500])
    apart = max(abs(ours.score - theirs.score) for ours, theirs in zip(expected, found, strict=True))
    print(f"{torch.cuda.get_device_name()}; scores of 500 documents differ from the CPU's by {apart:.1e} at most\n")
    print("| tokens in a batch | documents a second | CPU, one thread |\n| --- | --- | --- |")
    for budget in BUDGETS:
        print(f"| {budget:,} | {_rate(gpu, encodings, budget):,.0f} | {_rate(cpu, encodings, budget):,.0f} |")
    return int(apart > CLOSE)


def _rate(classifier: Classifier, encodings: Sequence[Encoding], budget: int) -> float:
    """Documents a second, the median of several passes over all."""
    batches, rates = list(_batches(encodings, budget)), []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        for batch in batches:
            classifier.predict(batch)
        rates.append(len(encodings) / (time.perf_counter() - begin))
    return statistics.median(rates)


def _batches(encodings: Sequence[Encoding], budget: int) -> Iterator[list[Encoding]]:
    batch: list[Encoding] = []
    for encoding in encodings:
        if batch and sum(len(each.ids) for each in (*batch, encoding)) > budget:
            yield batch
            batch = []
        batch.append(encoding)
    yield batch


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
