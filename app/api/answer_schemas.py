"""The schemas of answers, and the form of a prediction as an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NotRequired, cast

from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on

from app.parsing.schemas import BatchDocument, BatchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from app.inference.results import Timing
    from app.parsing.schemas import Options
    from model import prediction as model
    from model.classifier import Classifier
    from model.prediction import Prediction


class Score(TypedDict):
    """A label and its calibrated probability."""

    label: str
    score: float


class Word(TypedDict):
    """A word, the characters of the text that it is (``end`` is the one after it), and its share of the logit."""

    word: str
    start: int
    end: int
    share: float


class Explanation(TypedDict):
    """Why the label: the words' shares and the bias sum to its logit, before calibration."""

    logit: float
    bias: float
    words: list[Word]


class Answer(TypedDict):
    """What a document is about.

    ``label``: null where the service abstained; ``score`` is the first label's all the same. ``scores``: highest first.
    ``label_set``: the labels of the coverage asked for; it can be empty. ``unknown_tokens``: words never learned.
    """

    label: str | None
    score: float
    scores: list[Score]
    tokens: int
    unknown_tokens: int
    version: str
    abstained: NotRequired[bool]
    label_set: NotRequired[list[str]]
    explanation: NotRequired[Explanation]


class BatchAnswer(Answer):
    """An answer with the document's own ``id``."""

    id: NotRequired[str | int]


class Answers(TypedDict):
    """One result for each document, in order."""

    results: list[BatchAnswer | BatchError]
    version: str


def form_answer(prediction: Prediction, text: str, classifier: Classifier, options: Options) -> Answer:
    """A prediction as it is answered: as many scores as asked for, and the explanation in words."""
    scores = prediction.scores if options.top_k is None else prediction.scores[: options.top_k]
    response: Answer = {
        "label": prediction.label,
        "score": prediction.score,
        "scores": [{"label": label, "score": score} for label, score in scores],
        "tokens": prediction.tokens,
        "unknown_tokens": prediction.unknown_tokens,
        "version": classifier.version,
    }
    if options.abstain_below:
        response["abstained"] = prediction.score < options.abstain_below
        response["label"] = None if response["abstained"] else prediction.label
    if options.coverage:
        threshold = classifier.threshold(options.coverage)
        response["label_set"] = [label for label, score in prediction.scores if score >= threshold]
    if options.explain and prediction.explanation:
        response["explanation"] = _in_words(prediction.explanation, text, classifier.token_spans(text))
    return response


def form_results(
    documents: Sequence[BatchDocument | BatchError],
    predictions: Iterable[Prediction],
    classifier: Classifier,
    options: Options,
) -> list[BatchAnswer | BatchError]:
    """The answer or the error of each document, in order; ``predictions`` are those of the valid documents."""
    remaining = iter(predictions)
    results: list[BatchAnswer | BatchError] = []
    for document in documents:
        if isinstance(document, BatchDocument):
            result = cast("BatchAnswer", form_answer(next(remaining), document.text, classifier, options))
            results.append(result if document.id is None else {**result, "id": document.id})
        else:
            results.append(document)
    return results


def server_timing(timing: Timing) -> str:
    """Where the time of an answer went (W3C Server Timing): a browser's tools draw it, a client's log keeps it."""
    queue, network = timing.queue_seconds * 1e3, timing.batch_seconds * 1e3
    return f'queue;dur={queue:.2f}, batch;desc="{timing.batch_items}", network;dur={network:.2f}'


def _in_words(explained: model.Explanation, text: str, places: list[tuple[int, int]]) -> Explanation:
    words: list[Word] = [
        {"word": text[start:end], "start": start, "end": end, "share": share}
        for (start, end), share in zip(places, explained.attributions, strict=True)
    ]
    return {"logit": explained.logit, "bias": explained.bias, "words": words}
