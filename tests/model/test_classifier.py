import gc
import math
import weakref
from pathlib import Path

import pytest
import torch

from model import device
from model.artifacts import artifact
from model.calibration import Calibration
from model.classifier import Classifier
from model.errors import UsageError
from model.text.vocabulary import Vocabulary
from tests.support import tiny

TEXTS = ["A late goal won the cup.", "the", "The minister said: a vote!", "", "unseen words", "goal " * 1000, "law"]
LABELS = ("politics", "sports", "weather")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder, vocabulary = tmp_path_factory.mktemp("artifact"), Vocabulary(tiny.WORDS, LABELS, ["<goa", "seen", "word"])
    network = tiny.network(labels=len(LABELS), ngrams=len(vocabulary.ngrams))
    with torch.no_grad():
        network.output.bias *= 0.01  # so that the words decide
        network.table[network.words : network.rows] += 0.5  # the grams are not 0, as they are before training
    artifact.write(folder, network, vocabulary, Calibration(0.1), {})
    return folder


@pytest.fixture(scope="module")
def classifier(folder) -> Classifier:
    return Classifier.load(folder, "cpu")


def test_no_document_has_no_prediction(classifier):
    assert classifier.predict([]) == []


def test_each_prediction_is_of_its_own_document_as_if_that_were_alone(classifier):
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


def test_scores_are_every_labels_probability_highest_first(classifier):
    for prediction in classifier.predict([classifier.encode(text) for text in TEXTS]):
        labels, scores = zip(*prediction.scores, strict=True)
        assert sorted(labels) == list(LABELS)
        assert list(scores) == sorted(scores, reverse=True)
        assert sum(scores) == pytest.approx(1)
        assert (prediction.label, prediction.score) == prediction.scores[0]


def test_scores_are_calibrated(classifier):
    (prediction,) = classifier.predict([classifier.encode(TEXTS[0], explain=True)])
    (_, best), (_, second), _ = prediction.scores
    with torch.inference_mode():
        logits = classifier._artifact.network(torch.tensor(classifier.encode(TEXTS[0]).ids), torch.tensor([0]))[0]
    first, next_best, _ = logits.sort(descending=True).values.tolist()
    assert math.log(best / second) == pytest.approx((first - next_best) / 0.1, rel=1e-3)


def test_tokens_and_unknown_tokens_are_counted(classifier):
    predictions = classifier.predict([classifier.encode(text) for text in TEXTS])
    counts = [(prediction.tokens, prediction.unknown_tokens) for prediction in predictions]
    assert counts == [(6, 0), (1, 0), (5, 0), (1, 1), (2, 2), (1000, 0), (1, 0)]


def test_a_word_that_is_spelt_out_is_one_word_and_its_grams_have_their_part(classifier):
    encoding = classifier.encode("unseen goals", explain=True)
    assert len(encoding.ids) == 4
    (prediction,) = classifier.predict([encoding])
    assert (prediction.tokens, prediction.unknown_tokens) == (2, 2)
    assert len(prediction.explanation.attributions) == len(classifier.token_spans("unseen goals")) == 2
    (strange,) = classifier.predict([classifier.encode("unheard goes")])
    assert strange.scores != prediction.scores


def test_only_those_that_ask_for_an_explanation_get_one_and_it_sums_to_the_logit(classifier):
    asks = [True, False, True, True, False, True, False]
    predictions = classifier.predict([classifier.encode(*each) for each in zip(TEXTS, asks, strict=True)])
    for text, ask, prediction in zip(TEXTS, asks, predictions, strict=True):
        assert (prediction.explanation is not None) == ask
        if prediction.explanation:
            shares, bias, logit = prediction.explanation
            assert len(shares) == prediction.tokens == len(classifier.token_spans(text))
            assert sum(shares) + bias == pytest.approx(logit, abs=1e-4)


def test_an_explanation_is_of_the_label_that_is_given(classifier, folder):
    network = classifier._artifact.network
    for text in TEXTS:
        encoding = classifier.encode(text, explain=True)
        (prediction,) = classifier.predict([encoding])
        with torch.inference_mode():
            logits = network(torch.tensor(encoding.ids), torch.tensor([0]))[0]
        label = LABELS.index(prediction.label)
        assert prediction.explanation.logit == pytest.approx(float(logits[label]), abs=1e-6)
        assert prediction.explanation.bias == pytest.approx(float(network.output.bias[label]), abs=1e-6)


def test_a_classifier_says_what_it_is(classifier, folder):
    assert classifier.labels == list(LABELS)
    assert classifier.device == "cpu"
    assert Classifier.load(str(folder), "cpu").version == classifier.version
    assert len(classifier.version) == 12


def test_a_folder_that_is_no_artifact_is_refused(tmp_path):
    with pytest.raises(UsageError, match="is no artifact"):
        Classifier.load(tmp_path)


def test_the_cores_that_a_product_takes_can_be_bounded(folder):
    before = torch.get_num_threads()
    try:
        for threads in (2, 1):
            Classifier.load(folder, "cpu", threads=threads)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused_and_auto_does_without(folder):
    with pytest.raises(UsageError, match="device cuda was asked for and torch sees no GPU: say auto or cpu"):
        Classifier.load(folder, "cuda")
    assert Classifier.load(folder, "auto").device == "cpu"


def test_every_name_of_a_device_is_known():
    assert device.DEVICE_NAMES == ("auto", "cpu", "cuda")
    assert device.select_device("cpu") == torch.device("cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_gives_the_answers_of_the_cpu(folder, classifier):
    on_gpu = Classifier.load(folder, "auto")
    assert on_gpu.device == "cuda"
    encodings = [classifier.encode(text, explain=True) for text in TEXTS]
    for one, other in zip(classifier.predict(encodings), on_gpu.predict(encodings), strict=True):
        assert dict(one.scores) == pytest.approx(dict(other.scores), abs=1e-4)


def test_a_classifier_that_nobody_holds_any_more_is_gone_at_once(folder):
    """Without a collection of garbage, which passes over what a service has frozen."""
    gone = Classifier.load(folder, "cpu")
    gone.predict([gone.encode("an unseen word", explain=True)])
    gc.disable()
    try:
        parts = [weakref.ref(part) for part in (gone, gone._artifact.network, gone._artifact.vocabulary)]
        del gone
        assert [part() for part in parts] == [None] * 3
    finally:
        gc.enable()
