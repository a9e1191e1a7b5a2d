"""What goes in and what comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on

if TYPE_CHECKING:
    from model import classifier as answers
    from model.classifier import Classifier, Prediction


def _not_blank(text: str) -> str:
    if not text or text.isspace():
        raise ValueError("the text is blank: send at least one character that is not white space")
    return text


def _whole(text: str) -> str:
    """JSON can write half a surrogate pair; no answer could say it back."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"character {error.start + 1} is half a surrogate pair: send whole characters") from None
    return text


Text = Annotated[str, AfterValidator(_whole), AfterValidator(_not_blank)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class Options(_Strict):
    """What to answer beside the label."""

    top_k: Annotated[int | None, Field(ge=1, description="only so many of the highest scores; all, if left out")] = None
    explain: Annotated[bool, Field(description="add each word's share of the answer")] = False
    abstain_below: Annotated[
        float | None, Field(ge=0, le=1, description="no label if its score is lower; DOCKET_ABSTAIN_BELOW, if left out")
    ] = None
    coverage: Annotated[
        float | None, Field(gt=0, lt=1, description="add the smallest set that holds the right label so often")
    ] = None

    def or_abstain_below(self, score: float) -> Self:
        """The same options, with ``score`` where they do not say when to abstain."""
        return self if self.abstain_below is not None else self.model_copy(update={"abstain_below": score})


class Document(Options):
    """One document."""

    text: Annotated[Text, Field(description="the whole text; nothing of it is cut off")]


class BatchDocument(_Strict):
    """One document of a batch; ``id`` comes back with its answer."""

    id: Annotated[str, AfterValidator(_whole)] | int | None = None
    text: Text

    def named(self) -> dict[str, str | int]:
        """The ``id``, if there is one, as it comes back."""
        return {} if self.id is None else {"id": self.id}


class Batch(Options):
    """Documents that share their options; each is validated by itself, so that a bad one fails alone."""

    documents: Annotated[list[Any], Field(json_schema_extra={"items": BatchDocument.model_json_schema()})]


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


class Answer(BaseModel):
    """What a document is about.

    ``label``: null where the service abstained; ``score`` is the first label's all the same. ``scores``: highest first.
    ``label_set``: the labels of the coverage asked for; it can be empty. ``unknown_tokens``: words never learned.
    """

    label: str | None
    abstained: bool = False
    score: float
    scores: list[Score]
    tokens: int
    unknown_tokens: int
    label_set: list[str] = []
    explanation: Explanation | None = None
    version: str

    @classmethod
    def of(cls, prediction: Prediction, text: str, classifier: Classifier, options: Options, **more: Any) -> Self:
        """A prediction as it is answered: as many scores as asked for, and the explanation in words."""
        if options.abstain_below:
            more["abstained"] = prediction.score < options.abstain_below
        if options.coverage:
            least = classifier.threshold(options.coverage)
            more["label_set"] = [label for label, score in prediction.scores if score >= least]
        if options.explain and prediction.explanation:
            more["explanation"] = _in_words(prediction.explanation, text, classifier.places(text))
        return cls.model_construct(  # type: ignore[return-value]  # pydantic's plugin says Answer here
            label=None if more.get("abstained") else prediction.label,
            score=prediction.score,
            scores=[{"label": label, "score": score} for label, score in prediction.scores[: options.top_k]],
            tokens=prediction.tokens,
            unknown_tokens=prediction.unknown_tokens,
            version=classifier.version,
            **more,
        )


class BatchAnswer(Answer):
    """An answer with the document's own ``id``."""

    id: str | int | None = None


class BatchError(BaseModel):
    """Why this document has no answer."""

    id: str | int | None = None
    error: str


class Answers(BaseModel):
    """One result for each document, in order."""

    results: list[BatchAnswer | BatchError]
    version: str


class Health(BaseModel):
    """What is loaded and how it does."""

    status: str
    version: str
    device: str
    labels: int
    waiting: int


class Problem(BaseModel):
    """What went wrong and what to do (RFC 9457); ``errors``: for an invalid body, each place and its mend."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[dict[str, Any]] | None = None


def sentence(error: ValidationError) -> str:
    """What is wrong with a document, and where."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    message = first["msg"].removeprefix("Value error, ")
    return (f"{place}: {message}" if place else message).encode(errors="replace").decode()


def _in_words(explained: answers.Explanation, text: str, places: list[tuple[int, int]]) -> Explanation:
    words: list[Word] = [
        {"word": text[start:end], "start": start, "end": end, "share": share}
        for (start, end), share in zip(places, explained.shares, strict=True)
    ]
    return {"logit": explained.logit, "bias": explained.bias, "words": words}
