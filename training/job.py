"""The offline job: a corpus in, an artifact out."""

from __future__ import annotations

import hashlib
import json
import platform
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model import __version__, device, terminal
from model.artifacts import artifact, golden
from model.classifier import Classifier
from training import distributed, process_pool
from training.checkpoint import Checkpoints
from training.data import corpora
from training.data.data_warnings import describe_untested_labels, find_evaluation_warnings, find_training_warnings
from training.data.documents import Documents, check_trainable
from training.data.read_options import ReadOptions
from training.data.split import split_train_test
from training.evaluation import profile
from training.evaluation.drift import Drift
from training.evaluation.scores import evaluate
from training.recipe import Recipe
from training.report import examples, html_report
from training.train import train

if TYPE_CHECKING:
    import torch

    from training.evaluation.scores import Scores


@dataclass(frozen=True)
class Job:
    """What ``docket train`` was asked for; ``golden``: whether the manifest keeps documents to try the artifact on."""

    corpus: str
    out: Path
    recipe: Recipe
    seed: int = 0
    device: str = "auto"
    reading: ReadOptions = field(default_factory=ReadOptions)
    resume: bool = False
    golden: bool = True


def run(job: Job) -> Scores | None:
    """Train, save, evaluate what was saved on documents that it never saw, report; ``job.out`` is whole or untouched.

    Without a test part of its own a corpus gives a tenth of its documents for the test. Of several processes the first
    alone writes, and knows the scores.
    """
    chosen = device.select_device(job.device, *distributed.place())
    device.set_thread_count(
        1
    )  # the products are small: a second thread gains nothing, and waits spinning on a busy machine
    with artifact.replace_folder(job.out) if distributed.first() else nullcontext() as folder:
        corpus = corpora.load(job.corpus, job.reading)
        check_trainable(corpus.train, job.corpus)
        documents, test = corpus.train.with_text(), corpus.test
        for line in (*find_training_warnings(corpus.train), *(find_evaluation_warnings(test) if test else ())):
            tell(line)
        if test is None:
            documents, test = split_train_test(documents, job.seed)
        if untested := describe_untested_labels(documents.labels, test.labels):
            tell(
                f"{untested}: add {'more, near copies count once' if corpus.test is None else 'some to the test part'}"
            )
        identity = _identity(job, documents, chosen)
        checkpoints = Checkpoints(job.out, identity, resume=job.resume, write=distributed.first())
        if job.resume and not checkpoints.found:
            tell(f"{checkpoints.folder} has no checkpoint: training begins")
        trained = train(documents, job.recipe, job.seed, chosen, checkpoints, process_pool.processes(chosen))
        distributed.meet()  # the others have read their checkpoints before the first removes them
        if folder is None:
            return None
        shape = profile.of(trained) if len(trained.held_out.places) else None
        if shape is None:
            tell("the documents of each label are near copies: none was held out and scores are not calibrated")
        facts = _facts(job, corpus) | ({"profile": asdict(shape)} if shape else {})
        artifact.write(folder, trained.network, trained.vocabulary, trained.calibration, facts)
        title = f"{job.recipe.name} on {corpus.name}"
        if not len(test):
            html_report.write_untested(folder / "report", title, trained.epochs)
            checkpoints.clear()
            tell(f"no document could be kept for the test: {job.out} is ready and untested")
            return None
        classifier = Classifier.load(folder, job.device)
        scores, predictions = evaluate(classifier, test)
        kept = golden.select_documents(classifier.predict_texts, test.texts, test.labels) if job.golden else []
        texts = examples.typical_texts(classifier, trained.documents) if job.golden else []
        found = {"scores": scores.as_json(), "golden": [each._asdict() for each in kept], "examples": texts}
        artifact.update_manifest(folder, found)
        drift = Drift.of(shape, test, predictions) if shape else None
        html_report.write(
            folder / "report", title, trained.epochs, scores, test, predictions, classifier.threshold, drift
        )
    checkpoints.clear()
    return scores


def tell(line: str) -> None:
    """One line for the person at the terminal; stdout is kept for answers."""
    terminal.print_message(line)


def _facts(job: Job, corpus: corpora.Corpus) -> dict[str, Any]:
    return {
        "recipe": asdict(job.recipe) | {"seed": job.seed},
        "corpus": {"name": corpus.name, "documents": len(corpus.train), "fingerprint": corpus.train.fingerprint},
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    packages = {name: metadata.version(name) for name in ("torch", "numpy", "scikit-learn")}
    return {"python": platform.python_version(), "docket": __version__} | packages


def _identity(job: Job, documents: Documents, chosen: torch.device) -> dict[str, str]:
    """All that must be the same for a training to go on to the same result, by the name that a refusal gives it."""
    read = json.dumps([documents.texts, documents.labels]).encode()  # in their order, which the draws follow
    return {
        "recipe": json.dumps(asdict(job.recipe)),
        "seed": str(job.seed),
        "device": chosen.type,
        "version of docket or of what it stands on": json.dumps(_versions()),
        "corpus": hashlib.sha256(read).hexdigest(),  # last: the seed says which documents these are
    }
