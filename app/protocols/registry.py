"""Which protocols are spoken beside the native one: their routes, and how a failure is told under their paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from app.protocols import hugging_face, open_inference, tei

if TYPE_CHECKING:
    from fastapi import APIRouter, FastAPI

    from app.api.problems import ProblemFormat


class Protocol(NamedTuple):
    """A protocol: the path that it has for itself, what it answers there, and the form of its failures."""

    prefix: str
    router: APIRouter
    failure: ProblemFormat


PROTOCOLS = {
    "oip": Protocol(open_inference.PREFIX, open_inference.router, open_inference.failure),
    "hf": Protocol(hugging_face.PREFIX, hugging_face.router, hugging_face.failure),
    "tei": Protocol(tei.PREFIX, tei.router, tei.failure),
}


def add_protocols(app: FastAPI, protocols: str) -> dict[str, ProblemFormat]:
    """Let ``app`` answer in ``protocols``, as the setting names them; the form of a failure by where it happens."""
    spoken = [dialect for name, dialect in PROTOCOLS.items() if protocols == "all" or name in protocols.split(",")]
    for dialect in spoken:
        app.include_router(dialect.router)
    return {dialect.prefix: dialect.failure for dialect in spoken}
