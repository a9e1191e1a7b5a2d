"""Answers all texts of a request or none: the protocols have no place for one text that fails alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from fastapi.responses import Response
from pydantic_core import to_json

from app.api.answer_schemas import server_timing
from app.api.answering import answer_batch
from app.errors import InvalidBody
from app.parsing.documents import check_characters, check_documents, read_document
from app.parsing.schemas import BatchDocument, Options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import Request

    from app.api.answer_schemas import Answer, Score
    from app.inference.results import Timing
    from app.parsing.schemas import Problem


class TextAnswers(NamedTuple):
    """The answer to each text, in order, the version that gave them, and the timing of the slowest."""

    answers: list[Answer]
    version: str
    timing: Timing | None

    @property
    def scores(self) -> list[list[Score]]:
        """The scores of each text, highest first."""
        return [answer["scores"] for answer in self.answers]

    @property
    def headers(self) -> dict[str, str]:
        """The ``Server-Timing`` header, if there is a text."""
        return {} if self.timing is None else {"server-timing": server_timing(self.timing)}

    def respond(self, body: Any) -> Response:
        """Return ``body`` as a JSON response with the headers."""
        return Response(to_json(body), headers=self.headers, media_type="application/json")


async def answer_texts(
    request: Request, texts: Sequence[Any], deadline: float, top_k: int | None = None
) -> TextAnswers:
    """Validate and answer ``texts``, which may be anything.

    Raise ``InvalidBody`` or ``RequestTooLarge`` for the first invalid text, before any is queued, and what
    ``Service.classify`` raises.
    """
    settings = request.state.settings
    check_documents(len(texts), settings.max_documents)
    documents: list[BatchDocument] = []
    for number, text in enumerate(texts, 1):
        document = read_document({"text": text})
        if not isinstance(document, BatchDocument):
            raise InvalidBody(f"document {number}: {document['error']}")
        check_characters(document.text, settings.max_characters)
        documents.append(document)
    options = Options(top_k=top_k, abstain_below=settings.abstain_below)
    answers, timing = await answer_batch(request.state.service, documents, options, deadline)
    return TextAnswers(cast("list[Answer]", answers["results"]), answers["version"], timing)


def format_problem(problem: Problem) -> dict[str, Any]:
    """Form a problem as the clients of two protocols read it."""
    return {"error": problem.detail}
