"""The benchmarks of ``make bench``: the network, the service, other servers, and accuracy."""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from benchmarks import accuracy, load, service, serving
from benchmarks.load import encode_body
from benchmarks.tables import markdown_table, update_page
from model.artifacts import torchscript
from model.network.tanh_rnn import TanhRNN
from training.data import corpora

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

REPEATS = 5
WORDS, LABELS, DOCUMENTS, MEAN_LENGTH = 40_000, 20, 512, 216
HIDDEN, BATCHES, PRODUCT_SIZE = (64, 128), (1, 8, 32), 1024
LENGTHS = (1_000, 10_000, 100_000, 1_000_000)
CONNECTIONS, SECONDS = 64, 5


def main(_: Sequence[str]) -> int:
    """Write docs/performance.md, docs/servers.md and docs/rivals.md. Return 1 or 2 if a measurement failed."""
    texts = load.load_test_texts()
    parts = [f"torch {torch.__version__}.", "## The network alone", measure_engines(), "## The service"]
    update_page("performance.md", *parts, measure_start(service.DEMO), measure_long_documents(service.DEMO, texts))
    return max(serving.main([]), accuracy.main([corpora.DEFAULT_CORPUS]))


@torch.inference_mode()
def measure_engines() -> str:
    """Format documents a second of the network and of ``torch.nn.RNN`` on padded batches, on one thread."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    lengths = torch.distributions.LogNormal(4.9, 0.95).sample((DOCUMENTS,)).clamp(5, 3000)
    lengths = (lengths * MEAN_LENGTH / lengths.mean()).long() + 1
    documents = [torch.rand(int(length)).pow(-2).long() % WORDS for length in lengths]  # word frequencies as in texts
    rows = [
        [f"{name}, hidden {hidden}", *(f"{_rate(run, documents, size):,.0f}" for size in BATCHES)]
        for hidden in HIDDEN
        for name, run in (("ours", _build_ours(hidden)), ("padded nn.RNN", _build_padded(hidden)))
    ]
    left, right = torch.randn(2, PRODUCT_SIZE, PRODUCT_SIZE)
    operations = 2 * PRODUCT_SIZE**3 / _median_seconds(lambda: left @ right, 4 * REPEATS)
    for hidden in HIDDEN:  # two directions, a product and a sum for each state and its predecessor
        bound = operations * DOCUMENTS / (int(lengths.sum()) * 2 * 2 * hidden * hidden)
        title = f"the recurrent products alone at {operations / 1e9:.0f} GFLOP/s, hidden {hidden}"
        rows.append([title, "", "", f"{bound:,.0f}"])
    return markdown_table(["engine", *(f"batch {size}" for size in BATCHES)], rows)


def _build_ours(hidden: int) -> Callable[[list[Tensor]], object]:
    """The network as the service runs it."""
    network = torchscript.from_bytes(torchscript.to_bytes(TanhRNN(WORDS, LABELS, hidden=hidden)), torch.device("cpu"))

    def run(batch: list[Tensor]) -> object:
        lengths = torch.tensor([len(document) for document in batch])
        return network(torch.cat(batch), lengths.cumsum(0) - lengths)

    return run


def _build_padded(hidden: int) -> Callable[[list[Tensor]], object]:
    """An embedding, ``nn.RNN`` over padded documents, and the mean of its states."""
    words, rnn = nn.Embedding(WORDS, 128), nn.RNN(128, hidden, bidirectional=True, batch_first=True)
    output = nn.Linear(2 * hidden, LABELS)
    return lambda batch: output(rnn(words(pad_sequence(batch, batch_first=True)))[0].mean(1))


def _rate(run: Callable[[list[Tensor]], object], documents: list[Tensor], size: int) -> float:
    """Documents a second, after one run for warm-up."""
    batches = [documents[begin : begin + size] for begin in range(0, DOCUMENTS, size)]

    def run_all() -> None:
        for batch in batches:
            run(batch)

    run_all()
    return DOCUMENTS / _median_seconds(run_all, REPEATS - 1)


def measure_start(artifact: Path) -> str:
    """Seconds from the start of the process to the first answer."""
    seconds = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        with service.running(artifact):
            seconds.append(time.perf_counter() - begin)
    torch_seconds = _median_seconds(lambda: subprocess.run([sys.executable, "-c", "import torch"], check=True))
    return (
        f"The first answer comes {statistics.median(seconds):.1f} s after the start of the process "
        f"({min(seconds):.1f} to {max(seconds):.1f} in {REPEATS} starts, two workers on this machine's cores). "
        f"`import torch` alone takes {torch_seconds:.1f} s."
    )


def measure_long_documents(artifact: Path, texts: Sequence[str]) -> str:
    """Seconds for long documents, and p99 of short ones beside them."""
    rows, alone, mixed, words = [], [], [], cycle(" ".join(texts).split())
    with load.body_file(map(encode_body, texts)) as bodies, service.running(artifact) as tree:
        for length in LENGTHS:
            body = encode_body(" ".join(islice(words, length)))
            seconds = _median_seconds(partial(tree.post, "/predict", body))
            rows.append([f"{length:,}", f"{seconds:.4f}", f"{length / seconds:,.0f}"])
        for _ in range(REPEATS):
            alone.append(load.post(tree.port, bodies, CONNECTIONS, SECONDS).p99)
            with _posting(tree, body):
                mixed.append(load.post(tree.port, bodies, CONNECTIONS, SECONDS).p99)
    usual, worse = statistics.median(alone), statistics.median(mixed)
    return (
        f"{markdown_table(['words in the document', 'seconds', 'words a second'], rows)}\n\n"
        f"99 % of articles on {CONNECTIONS} connections are answered within {usual:.0f} ms, and within {worse:.0f} ms "
        f"({worse / usual:.1f} times) beside a client that sends documents of {LENGTHS[-1]:,} words."
    )


@contextmanager
def _posting(tree: service.Tree, body: bytes) -> Iterator[None]:
    """Post a body again and again in a thread."""
    stop = threading.Event()

    def send() -> None:
        while not stop.is_set():
            tree.post("/predict", body)

    client = threading.Thread(target=send)
    client.start()
    try:
        yield
    finally:
        stop.set()
        client.join()


def _median_seconds(run: Callable[[], object], repeats: int = REPEATS) -> float:
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)
