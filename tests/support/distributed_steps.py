"""A few steps that any number of processes take together; each writes what it came to."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from model.network.tanh_rnn import TanhRNN
from model.text.vocabulary import Vocabulary
from tests.support import toy_corpus
from training import distributed, loop, recipe
from training.batches import EncodedCorpus
from training.progress import ProgressBars

DOCUMENTS = toy_corpus.documents(17)
QUICK = replace(recipe.DEFAULT, hidden=8, epochs=2, least_steps=0)  # batches of 8, 8 and 1: one process reads nothing


def arrays(layers: int) -> dict[str, np.ndarray]:
    """Gradients of a batch of 7 documents and of a batch of one; then the weights after two epochs, and logits."""
    torch.manual_seed(layers)
    vocabulary = Vocabulary.build(DOCUMENTS.texts, DOCUMENTS.labels)
    encoded = EncodedCorpus(DOCUMENTS, vocabulary, torch.device("cpu"))
    network = TanhRNN(len(vocabulary), 3, hidden=8, layers=layers, bidirectional=True, window=4)
    network.train()
    found = {}
    for count in (7, 1):
        batch = encoded.make_batch(torch.arange(count))
        network.zero_grad()
        cross_entropy(
            network.output(distributed.pool_batch(network, batch, encoded.first_rare_id)), batch.labels
        ).backward()
        distributed.sum_gradients(network)
        for name, weight in network.named_parameters():
            assert weight.grad is not None
            found[f"gradient {count} {name}"] = weight.grad.to_dense().numpy().copy()
    everywhere = torch.arange(len(encoded))
    with ProgressBars() as bars:
        loop.train_network(network, encoded, everywhere, everywhere[:5], QUICK, 2, "stepped", bars)
    found |= {f"weight {name}": weight.detach().numpy() for name, weight in network.named_parameters()}
    for count in (0, 1, 17):
        found[f"logits {count}"] = loop.compute_logits(network, encoded, everywhere[:count]).numpy()
    return found


def main() -> int:
    np.savez(Path(sys.argv[1]) / f"{distributed.local_rank_and_world_size()[0]}.npz", **arrays(int(sys.argv[2])))  # type: ignore[arg-type]
    return 0


if __name__ == "__main__":
    distributed.run(main)
