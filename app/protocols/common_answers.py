"""All of a request's texts or none: no protocol has a place for one text that fails alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from fastapi.responses import Response
from pydantic_core import to_json

from app.api.responses import server_timing
from app.errors import InvalidBody
from app.parsing.batch_documents import read_document
from app.parsing.schemas import BatchDocument, Options

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from app.api.responses import Answer, Score
    from app.inference.results import Timing
    from app.inference.service import Service


class Answered(NamedTuple):
    """An answer for each text, in order, the version that gave them, and the timing of the one that took longest."""

    answers: list[Answer]
    version: str
    timing: Timing | None

    @property
    def scores(self) -> list[list[Score]]:
        """Each text's scores, highest first."""
        return [answer["scores"] for answer in self.answers]

    def response(self, body: Any) -> Response:
        """``body`` as JSON, with where the time went."""
        return Response(to_json(body), headers=self.headers, media_type="application/json")

    @property
    def headers(self) -> dict[str, str]:
        """Where the time went."""
        return {} if self.timing is None else {"server-timing": server_timing(self.timing)}


async def answer(service: Service, texts: Sequence[Any], until: float, top_k: int | None = None) -> Answered:
    """The answers to ``texts``, of anything; raise ``InvalidBody`` or ``TooMuch`` for the first that is no text to
    answer, before any is taken in, and what ``Service.answer_all`` raises.
    """
    service.sizes.check_all(len(texts))
    documents = [{"text": text} for text in texts]
    for number, document in enumerate(documents, 1):
        read = read_document(document)
        if not isinstance(read, BatchDocument):
            raise InvalidBody(f"document {number}: {read['error']}")
        service.sizes.check(read.text)
    given, timing = await service.answer_all(documents, Options(top_k=top_k), until)
    return Answered(cast("list[Answer]", given["results"]), given["version"], timing)
