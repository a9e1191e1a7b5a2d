"""``docket train``: a corpus in, an artifact with its scores and report out."""

from __future__ import annotations

import hashlib
import json
import platform
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model import __version__, device
from model.artifacts import artifact, golden
from model.artifacts.data_profile import DataProfile
from model.classifier import Classifier
from model.command_output import print_message
from model.prediction import Prediction
from training import distributed, process_pool
from training.checkpoint import Checkpoints
from training.data import corpora
from training.data.data_warnings import describe_untested_labels, find_evaluation_warnings, find_training_warnings
from training.data.documents import Documents, check_trainable
from training.data.read_options import ReadOptions
from training.data.split import split_train_test
from training.evaluation.drift import Drift
from training.evaluation.scores import evaluate
from training.recipe import Recipe
from training.report import html_report
from training.report.typical_texts import find_typical_texts
from training.train import train

if TYPE_CHECKING:
    import torch

    from training.evaluation.scores import Scores
    from training.train import TrainedModel


@dataclass(frozen=True)
class Job:
    """The options of ``docket train``. ``golden``: whether the manifest keeps test documents with their answers."""

    corpus: str
    out: Path
    recipe: Recipe
    seed: int = 0
    device: str = "auto"
    reading: ReadOptions = field(default_factory=ReadOptions)
    resume: bool = False
    golden: bool = True


def run(job: Job) -> Scores | None:
    """Train, write the artifact, evaluate it on the test documents, report; ``job.out`` changes only as a whole.

    Returns the scores, or None where there are no test documents. Under torchrun only the first rank writes the
    artifact and returns scores.
    """
    chosen = device.select_device(job.device, *distributed.local_rank_and_world_size())
    device.set_thread_count(1)  # the products are small: a second thread gains nothing, and spins on a busy machine
    with artifact.replace_folder(job.out) if distributed.is_first_rank() else nullcontext() as folder:
        corpus = corpora.load(job.corpus, job.reading)
        documents, test = _prepare_documents(job, corpus)
        checkpoints = _open_checkpoints(job, documents, chosen)
        trained = train(documents, job.recipe, job.seed, chosen, checkpoints, process_pool.count_processes(chosen))
        distributed.wait_for_all_ranks()  # the first rank removes the checkpoints that the others read
        if folder is None:
            return None
        profile = describe_training(trained)
        facts = _collect_facts(job, corpus) | ({"profile": asdict(profile)} if profile else {})
        artifact.write(folder, trained.network, trained.vocabulary, trained.calibration, facts)
        scores = _evaluate_and_report(job, folder, f"{job.recipe.name} on {corpus.name}", trained, test, profile)
    checkpoints.clear()
    if scores is None:
        print_message(f"no document could be kept for the test: {job.out} is ready and untested")
    return scores


def _prepare_documents(job: Job, corpus: corpora.Corpus) -> tuple[Documents, Documents]:
    """The documents to train on and those to test on; print what is odd about them.

    A corpus without a test part gives a tenth of its documents to the test.
    """
    check_trainable(corpus.train, job.corpus)
    documents, test = corpus.train.with_text(), corpus.test
    for line in (*find_training_warnings(corpus.train), *(find_evaluation_warnings(test) if test else ())):
        print_message(line)
    if test is None:
        documents, test = split_train_test(documents, job.seed)
    if untested := describe_untested_labels(documents.labels, test.labels):
        advice = "more, near copies count once" if corpus.test is None else "some to the test part"
        print_message(f"{untested}: add {advice}")
    return documents, test


def _open_checkpoints(job: Job, documents: Documents, chosen: torch.device) -> Checkpoints:
    """The checkpoints of this training, which ``--resume`` continues from."""
    ordered = json.dumps([documents.texts, documents.labels]).encode()  # batches depend on the order
    identity = {
        "recipe": json.dumps(asdict(job.recipe)),
        "seed": str(job.seed),
        "device": chosen.type,
        "version of docket or of what it stands on": json.dumps(_installed_versions()),
        "corpus": hashlib.sha256(ordered).hexdigest(),  # last: another seed also selects other documents
    }
    checkpoints = Checkpoints(job.out, identity, resume=job.resume, write=distributed.is_first_rank())
    if job.resume and not checkpoints.found:
        print_message(f"{checkpoints.folder} has no checkpoint: training begins")
    return checkpoints


def describe_training(trained: TrainedModel) -> DataProfile | None:
    """Lengths and labels of all documents, unknown words and predictions of the held-out ones; None without any.

    A document that the network learned from has no unknown word, and a higher score than a new document.
    """
    names, corpus = trained.vocabulary.labels, trained.corpus
    indices, unknown_words, logits = trained.held_out
    if not len(indices):
        print_message("the documents of each label are near copies: none was held out and scores are not calibrated")
        return None
    scores, labels = trained.calibration.probabilities(logits).max(dim=1)
    columns = (labels.tolist(), scores.tolist(), corpus.lengths[indices].tolist(), unknown_words.tolist())
    predictions = [
        Prediction([(names[label], score)], tokens, unknown)
        for label, score, tokens, unknown in zip(*columns, strict=True)
    ]
    document_labels = [names[label] for label in corpus.labels.tolist()]
    return DataProfile.from_predictions(corpus.lengths.tolist(), document_labels, predictions)


def _evaluate_and_report(
    job: Job, folder: Path, title: str, trained: TrainedModel, test: Documents, profile: DataProfile | None
) -> Scores | None:
    """Evaluate the artifact in ``folder`` as it will be served; add its scores, golden documents and report."""
    report = folder / "report"
    if not len(test):
        html_report.write_untested(report, title, trained.epochs)
        return None
    classifier = Classifier.load(folder, job.device)
    scores, predictions = evaluate(classifier, test)
    golden_documents = golden.select_documents(classifier.predict_texts, test.texts, test.labels) if job.golden else []
    facts = {
        "scores": scores.as_json(),
        "golden": [document._asdict() for document in golden_documents],
        "examples": find_typical_texts(classifier, trained.corpus) if job.golden else [],
    }
    artifact.update_manifest(folder, facts)
    drift = Drift.measure(profile, test, predictions) if profile else None
    html_report.write(report, title, trained.epochs, scores, test, predictions, classifier.threshold, drift)
    return scores


def _collect_facts(job: Job, corpus: corpora.Corpus) -> dict[str, Any]:
    """The entries of the manifest that are known before the evaluation."""
    return {
        "recipe": asdict(job.recipe) | {"seed": job.seed},
        "corpus": {"name": corpus.name, "documents": len(corpus.train), "fingerprint": corpus.train.fingerprint},
        "versions": _installed_versions(),
    }


def _installed_versions() -> dict[str, str]:
    packages = {name: metadata.version(name) for name in ("torch", "numpy", "scikit-learn")}
    return {"python": platform.python_version(), "docket": __version__} | packages
