"""Documents a second of the network on one thread, and of ``torch.nn.RNN`` on padded batches."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from benchmarks.tables import markdown_table
from model.artifacts import torchscript
from model.network.tanh_rnn import TanhRNN

WORDS, LABELS, DOCUMENTS, ROUNDS = 40_000, 20, 512, 5
GEMM = 1024
Documents = list[Tensor]


def documents() -> Documents:
    """Token ids of documents with lengths like posts (216 on average) and word frequencies like a language."""
    torch.manual_seed(0)
    lengths = torch.distributions.LogNormal(4.9, 0.95).sample((DOCUMENTS,)).clamp(5, 3000)
    lengths = (lengths * 216 / lengths.mean()).long() + 1
    ranks = [torch.rand(int(length)).pow(-2).long().clamp(max=WORDS - 1) for length in lengths]
    return [document % WORDS for document in ranks]


def ours(hidden: int) -> Callable[[Documents], object]:
    """The network as the service runs it."""
    network = torchscript.from_bytes(torchscript.to_bytes(TanhRNN(WORDS, LABELS, hidden=hidden)), torch.device("cpu"))

    def run(batch: Documents) -> object:
        lengths = torch.tensor([len(document) for document in batch])
        return network(torch.cat(batch), lengths.cumsum(0) - lengths)

    return run


def padded(hidden: int) -> Callable[[Documents], object]:
    """A plain implementation: an embedding, ``nn.RNN`` over padded documents, the mean of its states."""
    words, rnn = nn.Embedding(WORDS, 128), nn.RNN(128, hidden, bidirectional=True, batch_first=True)
    output = nn.Linear(2 * hidden, LABELS)
    return lambda batch: output(rnn(words(pad_sequence(batch, batch_first=True)))[0].mean(1))


@torch.inference_mode()
def table() -> str:
    """Documents a second for each engine and batch size, as Markdown."""
    torch.set_num_threads(1)
    texts = documents()
    rows = []
    engines = {
        f"{name}, hidden {hidden}": make(hidden)
        for hidden in (64, 128)
        for name, make in (("ours", ours), ("padded nn.RNN", padded))
    }
    for name, run in engines.items():
        rows.append([name, *(f"{_speed(run, texts, size):,.0f}" for size in (1, 8, 32))])
    rate = gemm_rate()
    for hidden in (64, 128):
        bound = rate / (
            _tokens(texts) / DOCUMENTS * 2 * 2 * hidden * hidden
        )  # two directions, a product and a sum each
        title = f"the recurrent products alone at {rate / 1e9:.0f} GFLOP/s, hidden {hidden}"
        rows.append([title, "", "", f"{bound:,.0f}"])
    return markdown_table(["engine", "batch 1", "batch 8", "batch 32"], rows)


def gemm_rate() -> float:
    """Operations a second of a large matrix product in float32, the median of several."""
    left, right = torch.randn(2, GEMM, GEMM)
    seconds = []
    for _ in range(4 * ROUNDS):
        begin = time.perf_counter()
        left @ right
        seconds.append(time.perf_counter() - begin)
    return 2 * GEMM**3 / statistics.median(seconds)


def _tokens(texts: Documents) -> int:
    return sum(len(document) for document in texts)


def _speed(run: Callable[[Documents], object], texts: Documents, size: int) -> float:
    batches = [texts[begin : begin + size] for begin in range(0, DOCUMENTS, size)]
    seconds = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for batch in batches:
            run(batch)
        seconds.append(time.perf_counter() - begin)
    return DOCUMENTS / statistics.median(seconds[1:])
