"""Training steps under torchrun: each rank writes its gradients, weights and logits to a file."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from model.network.tanh_rnn import TanhRNN
from model.text.vocabulary import Vocabulary
from tests.support import toy_corpus
from training import distributed, loop
from training.encoded_corpus import EncodedCorpus
from training.progress import ProgressBars

DOCUMENTS = toy_corpus.documents(17)
QUICK = replace(toy_corpus.QUICK, hidden=8, least_steps=0)  # batches of 8, 8 and 1: one rank has no document


def compute_arrays(layers: int) -> dict[str, np.ndarray]:
    """Gradients of a batch of 7 documents and of a batch of one; weights after two epochs; logits."""
    torch.manual_seed(layers)
    vocabulary = Vocabulary.build(DOCUMENTS.texts, DOCUMENTS.labels)
    corpus = EncodedCorpus(DOCUMENTS, vocabulary, torch.device("cpu"))
    network = TanhRNN(len(vocabulary), 3, hidden=8, layers=layers, bidirectional=True, window=4)
    network.train()
    arrays = {}
    for count in (7, 1):
        batch = corpus.make_batch(torch.arange(count))
        network.zero_grad()
        pooled = distributed.pool_batch(network, batch, corpus.first_rare_id)
        cross_entropy(network.output(pooled), batch.labels).backward()
        distributed.sum_gradients(network)
        for name, weight in network.named_parameters():
            assert weight.grad is not None
            arrays[f"gradient {count} {name}"] = weight.grad.to_dense().numpy().copy()
    with ProgressBars() as bars:
        loop.train_network(network, corpus, corpus.indices, corpus.indices[:5], QUICK, 2, "steps", bars)
    arrays |= {f"weight {name}": weight.detach().numpy() for name, weight in network.named_parameters()}
    for count in (0, 1, 17):
        arrays[f"logits {count}"] = loop.compute_logits(network, corpus, corpus.indices[:count]).numpy()
    return arrays


def main() -> int:
    rank, _ = distributed.local_rank_and_world_size()
    np.savez(Path(sys.argv[1]) / f"{rank}.npz", **compute_arrays(int(sys.argv[2])))  # type: ignore[arg-type]
    return 0


if __name__ == "__main__":
    distributed.run(main)
