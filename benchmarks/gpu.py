"""The classifier and the service on a GPU, compared with the CPU: ``make gpu`` writes docs/gpu.md.

It needs torch and this checkout alone, and generates documents and networks. It skips the service if its packages are
missing. ``--device cpu`` runs the checks that need no GPU, and writes no file.
"""

from __future__ import annotations

import argparse
import faulthandler
import random
import statistics
import tempfile
import time
import warnings
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch

from benchmarks import gpu_service
from model.artifacts import artifact, registry
from model.calibration import Calibration
from model.classifier import Classifier
from model.network.tanh_rnn import TanhRNN
from model.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from model.text.vocabulary import Encoding

TIME_LIMIT_SECONDS = 480
"""Seconds after which the program prints its stack and exits."""
PAGE = Path(__file__).parent.parent / "docs" / "gpu.md"
HIDDEN = (64, 128)
BUDGETS = (4_096, 16_384, 65_536, 262_144, 1_048_576)
"""Tokens in a batch."""
CHECKED, CLOSE = 500, 1e-4
"""Number of documents that are compared with the CPU, and tolerance of scores and attributions."""
WORDS, GRAMS, PAIRS, LABELS = 50_000, 5_000, 30_000, 20
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Size(NamedTuple):
    """The number of documents, seconds for each rate, connections, and seconds of load."""

    documents: int = 5_000
    seconds: float = 2.0
    connections: int = 64
    load_seconds: float = 10.0


QUICK = Size(documents=60, seconds=0.05, connections=4, load_seconds=0.5)


class Table:
    """The rows of the page, and the failed checks."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str]] = []
        self.failed: list[str] = []

    def add(self, title: str, found: str, *, right: bool = True) -> None:
        """Add a row, and print it; ``right``: whether the check passed."""
        if not right:
            self.failed.append(title)
        self.rows.append((title, found if right else f"**wrong**: {found}"))
        print(f"| {title} | {self.rows[-1][1]} |", flush=True)


def main(arguments: Sequence[str]) -> int:
    """Run all checks. Return 1 if one failed, 2 without the device."""
    parser = argparse.ArgumentParser(prog="gpu", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="few documents and short measurements: a rehearsal")
    options = parser.parse_args(arguments)
    warnings.filterwarnings("ignore", message="Failed to initialize NumPy")
    faulthandler.dump_traceback_later(TIME_LIMIT_SECONDS, exit=True)
    size, table, began = QUICK if options.quick else Size(), Table(), time.monotonic()
    name = torch.cuda.get_device_name() if options.device == "cuda" and torch.cuda.is_available() else "CPU"
    print(f"{name}, torch {torch.__version__}\n\n| what | found |\n| --- | --- |")
    try:
        with tempfile.TemporaryDirectory() as temporary:
            folder, texts = Path(temporary), made_texts(size.documents)
            for hidden in HIDDEN:
                write_artifact(folder / f"hidden-{hidden}", hidden)
            measure_network(table, folder, options.device, texts, size)
            registry.write_pointer(folder, f"hidden-{HIDDEN[0]}")
            gpu_service.measure(table, folder, options.device, texts, size)
    finally:
        faulthandler.cancel_dump_traceback_later()
    if options.device == "cuda":
        write_page(name, table, time.monotonic() - began)
    print(f"\n{len(table.failed)} checks failed{': ' if table.failed else ''}{'; '.join(table.failed)}")
    return int(bool(table.failed))


def made_texts(count: int) -> list[str]:
    """Generate documents of 5 to 2,000 words, with a median of 130; some words are in no vocabulary."""
    draw = random.Random(0)
    names = made_words()

    def word() -> str:
        if draw.random() < 0.05:
            return "".join(draw.choices(LETTERS, k=9))
        return names[int(draw.paretovariate(0.8)) % WORDS]

    lengths = (min(2_000, max(5, int(draw.lognormvariate(4.9, 0.8)))) for _ in range(count))
    return [" ".join(word() for _ in range(length)) for length in lengths]


def made_words() -> list[str]:
    """Generate ``WORDS`` words of eight letters."""
    draw = random.Random(1)
    return sorted({"".join(draw.choices(LETTERS, k=8)) for _ in range(WORDS + 100)})[:WORDS]


def write_artifact(folder: Path, hidden: int) -> None:
    """Write a network with random weights, with n-grams and bigrams as in the default recipe."""
    torch.manual_seed(hidden)
    draw = random.Random(2)
    grams = sorted({"".join(draw.choices(LETTERS, k=4)) for _ in range(GRAMS + 500)})[:GRAMS]
    vocabulary = Vocabulary(made_words(), [f"label {number:02}" for number in range(LABELS)], grams)
    words = len(vocabulary)
    frequent = torch.randint(1, 2_000, (PAIRS, 2))
    pairs = (frequent[:, 0] * words + frequent[:, 1]).unique()
    network = TanhRNN(words, LABELS, hidden=hidden, ngrams=GRAMS, bigrams=pairs)
    with torch.no_grad():
        network.table.normal_(0.0, 0.5)
        network.output.weight.mul_(3.0)  # spreads the scores over 0.1 to 0.9
    artifact.write(folder, network, vocabulary, Calibration(), {})


def measure_network(table: Table, folder: Path, device: str, texts: Sequence[str], size: Size) -> None:
    """Compare answers and explanations with the CPU; measure rates, memory and a swap of networks."""
    for hidden in HIDDEN:
        title, path = f"hidden {hidden}", folder / f"hidden-{hidden}"
        cpu = Classifier.load(path, "cpu", threads=1)
        began = time.perf_counter()
        classifier = Classifier.load(path, device)
        table.add(f"{title}: seconds to load and warm up", f"{time.perf_counter() - began:.1f}")
        plain = [cpu.encode(text) for text in texts]
        compare(table, title, cpu, classifier, [cpu.encode(text, True) for text in texts[:CHECKED]])
        table.add(f"{title}: ms for one document, p50", f"{single(classifier, plain, size):.2f}")
        for budget in BUDGETS:
            found = rate(classifier, plain, budget, size.seconds)
            table.add(f"{title}: documents/s, {budget:,} tokens in a batch", f"{found:,.0f}")
        found = rate(cpu, plain, 16_384, size.seconds)
        table.add(f"{title}: documents/s of one CPU thread, 16,384 tokens in a batch", f"{found:,.0f}")
    swap(table, folder, device, texts[:20])
    if device == "cuda":
        fill(table, Classifier.load(folder / f"hidden-{HIDDEN[0]}", device), texts)


def compare(table: Table, title: str, cpu: Classifier, other: Classifier, encodings: Sequence[Encoding]) -> None:
    """Compare scores and attributions on both devices, for documents alone and in a batch."""
    expected, found = cpu.predict(encodings), other.predict(encodings)
    alone = [other.predict([encoding])[0] for encoding in encodings[:20]]
    pairs = [*zip(expected, found, strict=True), *zip(expected, alone, strict=False)]
    apart = max(abs(dict(a.scores)[label] - score) for a, b in pairs for label, score in b.scores)
    table.add(
        f"{title}: largest difference of a score from the CPU's, {len(found)} documents", f"{apart:.1e}",
        right=apart <= CLOSE,
    )  # fmt: skip
    shares, sum_error = 0.0, 0.0
    for cpu_answer, other_answer in zip(expected, found, strict=True):
        a, b = cpu_answer.explanation, other_answer.explanation
        assert a is not None
        assert b is not None
        sum_error = max(sum_error, abs(sum(b.attributions) + b.bias - b.logit))
        if cpu_answer.label == other_answer.label:  # equal scores allow either label
            shares = max(shares, *(abs(x - y) for x, y in zip(a.attributions, b.attributions, strict=True)))
    table.add(
        f"{title}: explanations: largest difference of a word's share, and of their sum from the logit",
        f"{shares:.1e}, {sum_error:.1e}", right=shares <= CLOSE and sum_error <= 10 * CLOSE,
    )  # fmt: skip


def rate(classifier: Classifier, encodings: Sequence[Encoding], budget: int, seconds: float) -> float:
    """Documents/s of successive batches of ``budget`` tokens, after one for warm-up."""
    batches = list(split(encodings, budget))
    classifier.predict(batches[0])
    began, done = time.perf_counter(), 0
    for batch in cycle(batches):
        classifier.predict(batch)
        done += len(batch)
        if time.perf_counter() - began >= seconds:
            break
    return done / (time.perf_counter() - began)


def split(encodings: Sequence[Encoding], budget: int) -> Iterator[list[Encoding]]:
    """Batches of ``budget`` tokens at most."""
    batch: list[Encoding] = []
    tokens = 0
    for encoding in encodings:
        if batch and tokens + len(encoding.ids) > budget:
            yield batch
            batch, tokens = [], 0
        batch.append(encoding)
        tokens += len(encoding.ids)
    yield batch


def single(classifier: Classifier, encodings: Sequence[Encoding], size: Size) -> float:
    """Milliseconds for one document, the median."""
    took, until = [], time.perf_counter() + size.seconds
    for encoding in cycle(encodings):
        began = time.perf_counter()
        classifier.predict([encoding])
        took.append(1_000 * (time.perf_counter() - began))
        if time.perf_counter() >= until:
            return statistics.median(took)
    raise AssertionError


def swap(table: Table, folder: Path, device: str, texts: Sequence[str]) -> None:
    """Load a second network, then drop the first: both answer as on the CPU, and the memory is freed."""
    first, second = (folder / f"hidden-{hidden}" for hidden in HIDDEN)
    baseline = memory(device)
    old = Classifier.load(first, device)
    one_network = memory(device) - baseline
    new = Classifier.load(second, device)
    two_networks = memory(device) - baseline
    apart = 0.0
    for path, classifier in ((first, old), (second, new)):
        cpu = Classifier.load(path, "cpu", threads=1)
        encodings = [cpu.encode(text) for text in texts]
        answers = zip(cpu.predict(encodings), classifier.predict(encodings), strict=True)
        apart = max(apart, *(abs(a.score - b.score) for a, b in answers))
    del old, classifier
    left = memory(device) - baseline
    megabytes = "/".join(f"{value / 2**20:.0f}" for value in (one_network, two_networks, left))
    right = apart <= CLOSE and (device == "cpu" or left < two_networks)
    found = megabytes if device == "cuda" else "not measured on a CPU"
    table.add("a swap: MiB of one network, of both, of the second alone", found, right=right)


def memory(device: str) -> int:
    """Bytes of tensors on the GPU."""
    return torch.cuda.memory_allocated() if device == "cuda" else 0


def fill(table: Table, classifier: Classifier, texts: Sequence[str]) -> None:
    """Fill the memory of the GPU: a large batch fails quickly, and succeeds once memory is free."""
    batch = [classifier.encode(text) for text in islice(cycle(texts), 8_192)]
    expected = classifier.predict(batch[:1])[0]
    ballast = gpu_service.fill_memory()
    began, error = time.perf_counter(), "none: what was cached was enough"
    try:
        classifier.predict(batch)
    except RuntimeError as raised:
        error = type(raised).__name__
    seconds = time.perf_counter() - began
    ballast.clear()
    torch.cuda.empty_cache()
    repeated = classifier.predict(batch[:1])[0]
    right = seconds < 30 and abs(repeated.score - expected.score) <= CLOSE
    table.add("memory full: what a batch raises, and the seconds until it does", f"{error}, {seconds:.1f}", right=right)


def write_page(name: str, table: Table, seconds: float) -> None:
    """Write docs/gpu.md."""
    rows = "\n".join(f"| {title} | {found} |" for title, found in table.rows)
    PAGE.write_text(
        f"# On a GPU\n\n{name}, torch {torch.__version__}, {datetime.now(UTC):%Y-%m-%d}: `make gpu` measured this in "
        f"{seconds:.0f} s.\n\nDocuments and networks are made: {LABELS} labels, {WORDS:,} words, {GRAMS:,} grams, "
        f"{PAIRS:,} pairs, documents of 5\nto 2,000 words, 130 in the middle.\n\n"
        f"| what | found |\n| --- | --- |\n{rows}\n",
        encoding="utf-8",
    )
