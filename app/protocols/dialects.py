"""Which protocols are spoken beside the native one: their routes, and how a failure is told under their paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from app.protocols import hugging_face, oip, tei

if TYPE_CHECKING:
    from fastapi import APIRouter, FastAPI

    from app.errors import Form


class Dialect(NamedTuple):
    """A protocol: the path that it has for itself, what it answers there, and the form of its failures."""

    prefix: str
    router: APIRouter
    failure: Form


DIALECTS = {
    "oip": Dialect(oip.PREFIX, oip.router, oip.failure),
    "hf": Dialect(hugging_face.PREFIX, hugging_face.router, hugging_face.failure),
    "tei": Dialect(tei.PREFIX, tei.router, tei.failure),
}


def speak(app: FastAPI, protocols: str) -> dict[str, Form]:
    """Let ``app`` answer in ``protocols``, as the setting names them; the form of a failure by where it happens."""
    spoken = [dialect for name, dialect in DIALECTS.items() if protocols == "all" or name in protocols.split(",")]
    for dialect in spoken:
        app.include_router(dialect.router)
    return {dialect.prefix: dialect.failure for dialect in spoken}
