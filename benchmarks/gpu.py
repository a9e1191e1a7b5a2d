"""The classifier and the service on a GPU, compared with the CPU: ``make gpu`` writes docs/gpu.md.

It needs torch and this checkout alone, and generates documents and networks. It skips the service if its packages are
missing. ``--device cpu`` runs the checks that need no GPU, and writes no file.
"""

from __future__ import annotations

import argparse
import faulthandler
import http.client
import json
import random
import statistics
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count, cycle, islice
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, NamedTuple

import torch

from benchmarks import service
from benchmarks.tables import markdown_table, update_page
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
HIDDEN = (64, 128)
BUDGETS = (4_096, 16_384, 65_536, 262_144, 1_048_576)
"""Tokens in a batch; one document is never split."""
CHECKED, TOLERANCE = 500, 1e-4
"""Number of documents that are compared with the CPU, and tolerance of scores and attributions."""
WORDS, GRAMS, PAIRS, LABELS = 50_000, 5_000, 30_000, 20
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SERVICE_PACKAGES = ("fastapi", "httptools", "prometheus_client", "pydantic", "structlog", "uvicorn", "uvloop")
QUIET = "ignore:Failed to initialize NumPy"


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

    def add(self, title: str, value: str, *, right: bool = True) -> None:
        """Add a row, and print it; ``right``: whether the check passed."""
        if not right:
            self.failed.append(title)
        self.rows.append((title, value if right else f"**wrong**: {value}"))
        print(f"| {title} | {self.rows[-1][1]} |", flush=True)


def main(arguments: Sequence[str]) -> int:
    """Run all checks. Return 1 if one failed, 2 without the device."""
    parser = argparse.ArgumentParser(prog="gpu", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="few documents and short measurements: a rehearsal")
    options = parser.parse_args(arguments)
    warnings.filterwarnings("ignore", message=QUIET.partition(":")[2])
    faulthandler.dump_traceback_later(TIME_LIMIT_SECONDS, exit=True)
    size, table = QUICK if options.quick else Size(), Table()
    name = torch.cuda.get_device_name() if options.device == "cuda" and torch.cuda.is_available() else "CPU"
    print(f"{name}, torch {torch.__version__}\n\n| what | found |\n| --- | --- |")
    try:
        with tempfile.TemporaryDirectory() as temporary:
            folder, texts = Path(temporary), make_texts(size.documents)
            for hidden in HIDDEN:
                write_artifact(folder / f"hidden-{hidden}", hidden)
                measure_network(table, folder / f"hidden-{hidden}", options.device, texts, size)
            check_two_networks(table, folder, options.device, texts[:20])
            if options.device == "cuda":
                check_full_memory(table, Classifier.load(folder / f"hidden-{HIDDEN[0]}", options.device), texts)
            registry.write_pointer(folder, f"hidden-{HIDDEN[0]}")
            check_service(table, folder, options.device, texts, size)
    finally:
        faulthandler.cancel_dump_traceback_later()
    if options.device == "cuda":
        update_page("gpu.md", f"{name}, torch {torch.__version__}.", markdown_table(["what", "found"], table.rows))
    print(f"\n{len(table.failed)} checks failed{': ' if table.failed else ''}{'; '.join(table.failed)}")
    return int(bool(table.failed))


def make_texts(number: int) -> list[str]:
    """Generate documents of 5 to 2,000 words, with a median of 130; some words are in no vocabulary."""
    draw, words = random.Random(0), make_words()

    def word() -> str:
        if draw.random() < 0.05:
            return "".join(draw.choices(LETTERS, k=9))
        return words[int(draw.paretovariate(0.8)) % WORDS]

    lengths = (min(2_000, max(5, int(draw.lognormvariate(4.9, 0.8)))) for _ in range(number))
    return [" ".join(word() for _ in range(length)) for length in lengths]


def make_words(length: int = 8, number: int = WORDS) -> list[str]:
    """Generate words of ``length`` letters."""
    draw = random.Random(length)
    return sorted({"".join(draw.choices(LETTERS, k=length)) for _ in range(number + 500)})[:number]


def write_artifact(folder: Path, hidden: int) -> None:
    """Write a network with random weights, with n-grams and bigrams as in the default recipe."""
    torch.manual_seed(hidden)
    labels = [f"label {number:02}" for number in range(LABELS)]
    vocabulary = Vocabulary(make_words(), labels, make_words(4, GRAMS))
    words = len(vocabulary)
    frequent = torch.randint(1, 2_000, (PAIRS, 2))
    pairs = (frequent[:, 0] * words + frequent[:, 1]).unique()
    network = TanhRNN(words, LABELS, hidden=hidden, ngrams=GRAMS, bigrams=pairs)
    with torch.no_grad():
        network.table.normal_(0.0, 0.5)
        network.output.weight.mul_(3.0)  # spreads the scores over 0.1 to 0.9
    artifact.write(folder, network, vocabulary, Calibration(), {})


def measure_network(table: Table, path: Path, device: str, texts: Sequence[str], size: Size) -> None:
    """Compare answers and explanations with the CPU, and measure rates."""
    cpu, begin = Classifier.load(path, "cpu", threads=1), time.perf_counter()
    classifier = Classifier.load(path, device)
    table.add(f"{path.name}: seconds to load and warm up", f"{time.perf_counter() - begin:.1f}")
    compare(table, path.name, cpu, classifier, [cpu.encode(text, True) for text in texts[:CHECKED]])
    encodings = [cpu.encode(text) for text in texts]
    table.add(
        f"{path.name}: documents/s, one at a time", f"{measure_rate(classifier, encodings, 1, size.seconds):,.0f}"
    )
    for budget in BUDGETS:
        rate = measure_rate(classifier, encodings, budget, size.seconds)
        table.add(f"{path.name}: documents/s, {budget:,} tokens in a batch", f"{rate:,.0f}")
    rate = measure_rate(cpu, encodings, 16_384, size.seconds)
    table.add(f"{path.name}: documents/s of one CPU thread, 16,384 tokens in a batch", f"{rate:,.0f}")


def compare(table: Table, title: str, cpu: Classifier, other: Classifier, encodings: Sequence[Encoding]) -> None:
    """Compare scores and attributions on both devices, for documents alone and in a batch."""
    expected, answers = cpu.predict(encodings), other.predict(encodings)
    alone = [other.predict([encoding])[0] for encoding in encodings[:20]]
    pairs = [*zip(expected, answers, strict=True), *zip(expected, alone, strict=False)]
    largest = max(abs(dict(first.scores)[label] - score) for first, second in pairs for label, score in second.scores)
    title = f"{title}: largest difference"
    scores_title = f"{title} of a score from the CPU's, {len(answers)} documents"
    table.add(scores_title, f"{largest:.1e}", right=largest <= TOLERANCE)
    largest, sum_error = 0.0, 0.0
    for cpu_answer, other_answer in zip(expected, answers, strict=True):
        first, second = cpu_answer.explanation, other_answer.explanation
        assert first is not None
        assert second is not None
        sum_error = max(sum_error, abs(sum(second.attributions) + second.bias - second.logit))
        if cpu_answer.label == other_answer.label:  # equal scores allow either label
            differences = zip(first.attributions, second.attributions, strict=True)
            largest = max(largest, *(abs(one - other) for one, other in differences))
    right = largest <= TOLERANCE and sum_error <= 10 * TOLERANCE
    table.add(
        f"{title} of an attribution, and of their sum from the logit", f"{largest:.1e}, {sum_error:.1e}", right=right
    )


def measure_rate(classifier: Classifier, encodings: Sequence[Encoding], budget: int, seconds: float) -> float:
    """Documents/s of successive batches of ``budget`` tokens at most, after one for warm-up."""
    batches: list[list[Encoding]] = [[]]
    for encoding in encodings:
        if batches[-1] and sum(len(other.ids) for other in batches[-1]) + len(encoding.ids) > budget:
            batches.append([])
        batches[-1].append(encoding)
    classifier.predict(batches[0])
    begin, done = time.perf_counter(), 0
    for batch in cycle(batches):
        classifier.predict(batch)
        done += len(batch)
        if time.perf_counter() - begin >= seconds:
            break
    return done / (time.perf_counter() - begin)


def check_two_networks(table: Table, folder: Path, device: str, texts: Sequence[str]) -> None:
    """Load a second network, then drop the first: both answer as on the CPU, and the memory is freed."""

    def megabytes() -> float:
        return torch.cuda.memory_allocated() / 2**20 if device == "cuda" else 0.0

    baseline, largest = megabytes(), 0.0
    classifiers, used = [], []
    for hidden in HIDDEN:
        path = folder / f"hidden-{hidden}"
        classifiers.append(Classifier.load(path, device))
        used.append(megabytes() - baseline)
        cpu = Classifier.load(path, "cpu", threads=1)
        encodings = [cpu.encode(text) for text in texts]
        answers = zip(cpu.predict(encodings), classifiers[-1].predict(encodings), strict=True)
        largest = max(largest, *(abs(first.score - second.score) for first, second in answers))
    del classifiers[0]
    used.append(megabytes() - baseline)
    right = largest <= TOLERANCE and (device == "cpu" or used[2] < used[1])
    table.add("MiB of one network, of both, of the second alone", "/".join(f"{n:.0f}" for n in used), right=right)


@contextmanager
def full_memory() -> Iterator[None]:
    """Allocate all memory of the GPU except a few hundred kilobytes."""
    torch.cuda.empty_cache()
    tensors, size = [], torch.cuda.mem_get_info()[0]
    while size >= 2**21:
        try:
            tensors.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
        except RuntimeError:
            size //= 2
    yield
    tensors.clear()
    torch.cuda.empty_cache()


def check_full_memory(table: Table, classifier: Classifier, texts: Sequence[str]) -> None:
    """A large batch fails quickly while the memory is full, and a document is answered afterwards."""
    batch = [classifier.encode(text) for text in islice(cycle(texts), 8_192)]
    expected = classifier.predict(batch[:1])[0]
    begin, failure = time.perf_counter(), "none: what was cached was enough"
    with full_memory():
        try:
            classifier.predict(batch)
        except RuntimeError as error:
            failure = type(error).__name__
        seconds = time.perf_counter() - begin
    repeated = classifier.predict(batch[:1])[0]
    right = seconds < 30 and abs(repeated.score - expected.score) <= TOLERANCE
    table.add("memory full: the error of a batch, and the seconds until it", f"{failure}, {seconds:.1f}", right=right)


def check_service(table: Table, folder: Path, device: str, texts: Sequence[str], size: Size) -> None:
    """Serve a folder of versions: under load, during a change of version, and without free memory."""
    missing = [name for name in SERVICE_PACKAGES if find_spec(name) is None]
    if missing:
        table.add("the service", f"left out: {', '.join(missing)} not installed here")
        return
    settings = {"DOCKET_DEVICE": device, "DOCKET_WORKERS": "1", "PYTHONWARNINGS": QUIET}
    with service.running(folder, settings=settings) as tree:
        rate, answered = post_documents(tree, texts, size)
        title = f"the service: requests/s of {size.connections} connections; p50 and p99 in ms"
        table.add(title, rate, right=answered)
        version, until = read_version(tree), time.monotonic() + service.ANSWER_SECONDS
        Timer(size.load_seconds / 4, registry.write_pointer, [folder, f"hidden-{HIDDEN[1]}"]).start()
        rate, answered = post_documents(tree, texts, size)
        while (changed := read_version(tree) != version) is False and time.monotonic() < until:
            time.sleep(0.2)
        table.add("the same while another version is promoted", rate, right=answered and changed)
        if device == "cuda":
            body = json.dumps({"documents": [{"text": text} for text in texts[:1_000]], "top_k": 1}).encode()
            with full_memory():
                status = tree.send("POST", "/predict/batch", body)[0]
            until = time.monotonic() + service.ANSWER_SECONDS
            while (last := tree.send("POST", "/predict", service.FIRST_BODY)[0]) != 200 and time.monotonic() < until:
                time.sleep(0.2)
            title = "the service with memory full: status of 1,000 documents"
            table.add(title, f"{status}, then {last}", right=last == 200)


def read_version(tree: service.Tree) -> str:
    """The version that the service serves."""
    return str(json.loads(tree.send("GET", "/health")[1])["version"])


def post_documents(tree: service.Tree, texts: Sequence[str], size: Size) -> tuple[str, bool]:
    """Post documents on each connection in a closed loop; return the rates, and whether all were answered with 200."""
    numbers, milliseconds, statuses = count(), [], []
    begin = time.monotonic()

    def post() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", tree.port, timeout=service.ANSWER_SECONDS)
        while time.monotonic() < begin + size.load_seconds:
            body = json.dumps({"text": texts[next(numbers) % len(texts)], "top_k": 1})
            sent = time.perf_counter()
            connection.request("POST", "/predict", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
            milliseconds.append(1_000 * (time.perf_counter() - sent))
        connection.close()

    with ThreadPoolExecutor(size.connections) as pool:
        clients = [pool.submit(post) for _ in range(size.connections)]
    failures = [error for client in clients if (error := client.exception())]
    rate = len(statuses) / (time.monotonic() - begin)
    p50, p99 = (
        statistics.median(milliseconds or [0.0]),
        sorted(milliseconds or [0.0])[int(0.99 * len(milliseconds)) - 1],
    )
    return f"{rate:,.0f}; {p50:.1f}, {p99:.1f}", not failures and set(statuses) == {200}
