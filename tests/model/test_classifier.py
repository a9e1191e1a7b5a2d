"""A classifier loaded from an artifact: documents in, predictions and explanations out."""

import gc
import math
import weakref
from pathlib import Path

import pytest
import torch

from model.artifacts import artifact
from model.calibration import Calibration
from model.classifier import Classifier
from model.errors import UsageError
from model.text.vocabulary import Vocabulary
from tests.support import tiny

TEXTS = ["A late goal won the cup.", "the", "The minister said: a vote!", "", "unseen words", "goal " * 1000, "law"]
LABELS = ("politics", "sports", "weather")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, vocabulary = tmp_path_factory.mktemp("artifact"), Vocabulary(tiny.WORDS, LABELS, ["<goa", "seen", "word"])
    network = tiny.network(labels=len(LABELS), ngrams=len(vocabulary.ngrams))
    with torch.no_grad():
        network.output.bias.mul_(0.01)  # so that the tokens decide
        network.table[network.words : network.rows].add_(0.5)  # before training these rows are 0
    artifact.write(folder, network, vocabulary, Calibration(0.1), {})
    return folder


@pytest.fixture(scope="module")
def classifier(folder: Path) -> Classifier:
    return Classifier.load(folder, "cpu")


def test_the_other_documents_of_a_batch_change_no_prediction(classifier: Classifier) -> None:
    assert classifier.predict([]) == []
    encodings = [classifier.encode(text, explain=len(text) % 2 == 0) for text in TEXTS]
    together = classifier.predict(encodings)
    assert len({prediction.scores[0] for prediction in together}) == len(TEXTS)
    assert len({prediction.label for prediction in together}) > 1
    for encoding, prediction in zip(encodings, together, strict=True):
        (alone,) = classifier.predict([encoding])
        assert dict(alone.scores) == pytest.approx(dict(prediction.scores), abs=1e-6)
        assert (alone.tokens, alone.unknown_tokens) == (prediction.tokens, prediction.unknown_tokens)
        assert (alone.explanation is None) == (prediction.explanation is None)
        if alone.explanation and prediction.explanation:
            assert alone.explanation.attributions == pytest.approx(prediction.explanation.attributions, abs=1e-6)


def test_scores_are_the_probabilities_of_all_labels_highest_first(classifier: Classifier) -> None:
    for prediction in classifier.predict([classifier.encode(text) for text in TEXTS]):
        labels, scores = zip(*prediction.scores, strict=True)
        assert sorted(labels) == list(LABELS)
        assert list(scores) == sorted(scores, reverse=True)
        assert sum(scores) == pytest.approx(1)
        assert (prediction.label, prediction.score) == prediction.scores[0]


def test_scores_are_calibrated_and_an_explanation_is_of_the_predicted_label(folder: Path) -> None:
    read = artifact.read(folder, torch.device("cpu"))
    classifier = Classifier.load(folder, "cpu")
    for text in TEXTS:
        encoding = classifier.encode(text, explain=True)
        (prediction,) = classifier.predict([encoding])
        with torch.inference_mode():
            logits = read.network(torch.tensor(encoding.ids), torch.tensor([0]))[0]
        highest, second, _ = logits.sort(descending=True).values.tolist()
        (_, score), (_, second_score), _ = prediction.scores
        assert math.log(score / second_score) == pytest.approx((highest - second) / 0.1, rel=1e-3, abs=1e-4)
        assert prediction.explanation is not None
        assert prediction.label == LABELS[int(logits.argmax())]
        assert prediction.explanation.logit == pytest.approx(highest, abs=1e-6)


def test_a_requested_explanation_has_an_attribution_for_each_token_and_sums_to_the_logit(
    classifier: Classifier,
) -> None:
    requested = [True, False, True, True, False, True, False]
    encodings = [classifier.encode(text, explain) for text, explain in zip(TEXTS, requested, strict=True)]
    for text, explain, prediction in zip(TEXTS, requested, classifier.predict(encodings), strict=True):
        assert (prediction.explanation is not None) == explain
        if prediction.explanation:
            attributions, bias, logit = prediction.explanation
            assert len(attributions) == prediction.tokens == len(classifier.token_spans(text))
            assert sum(attributions) + bias == pytest.approx(logit, abs=1e-4)


def test_tokens_and_unknown_tokens_are_counted(classifier: Classifier) -> None:
    predictions = classifier.predict([classifier.encode(text) for text in TEXTS])
    counts = [(prediction.tokens, prediction.unknown_tokens) for prediction in predictions]
    assert counts == [(6, 0), (1, 0), (5, 0), (1, 1), (2, 2), (1000, 0), (1, 0)]


def test_a_word_with_ngrams_is_one_token_and_its_ngrams_change_the_scores(classifier: Classifier) -> None:
    encoding = classifier.encode("unseen goals", explain=True)
    assert len(encoding.ids) == 4
    (prediction,) = classifier.predict([encoding])
    assert (prediction.tokens, prediction.unknown_tokens) == (2, 2)
    assert prediction.explanation is not None
    assert len(prediction.explanation.attributions) == len(classifier.token_spans("unseen goals")) == 2
    (strange,) = classifier.predict([classifier.encode("unheard goes")])
    assert strange.scores != prediction.scores


def test_a_classifier_has_labels_device_and_version(classifier: Classifier, folder: Path) -> None:
    assert (classifier.labels, classifier.device) == (list(LABELS), "cpu")
    assert Classifier.load(str(folder), "cpu").version == classifier.version
    assert len(classifier.version) == 12


def test_load_sets_the_number_of_threads(folder: Path) -> None:
    before = torch.get_num_threads()
    try:
        for threads in (2, 1):
            Classifier.load(folder, "cpu", threads=threads)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_refused_and_auto_uses_the_cpu(folder: Path) -> None:
    with pytest.raises(UsageError, match="device cuda was asked for and torch sees no GPU: say auto or cpu"):
        Classifier.load(folder, "cuda")
    assert Classifier.load(folder, "auto").device == "cpu"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_gpu_and_cpu_give_the_same_scores(folder: Path, classifier: Classifier) -> None:
    on_gpu = Classifier.load(folder, "auto")
    assert on_gpu.device == "cuda"
    encodings = [classifier.encode(text, explain=True) for text in TEXTS]
    for cpu, gpu in zip(classifier.predict(encodings), on_gpu.predict(encodings), strict=True):
        assert dict(cpu.scores) == pytest.approx(dict(gpu.scores), abs=1e-4)


def test_an_unreferenced_classifier_is_freed_at_once(folder: Path) -> None:
    """Without garbage collection, which skips objects that a service has frozen."""
    unused = Classifier.load(folder, "cpu")
    unused.predict([unused.encode("an unseen word", explain=True)])
    gc.disable()
    try:
        reference = weakref.ref(unused)
        del unused
        assert reference() is None
    finally:
        gc.enable()
