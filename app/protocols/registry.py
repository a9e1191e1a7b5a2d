"""The protocols beside the native one: their routes, and the form of a problem under their paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from app.protocols import hugging_face, open_inference, tei

if TYPE_CHECKING:
    from fastapi import APIRouter, FastAPI

    from app.api.problems import ProblemFormat


class Protocol(NamedTuple):
    """A protocol: the prefix of its paths, its routes, and the form of its problems."""

    prefix: str
    router: APIRouter
    format_problem: ProblemFormat


PROTOCOLS = {
    "oip": Protocol(open_inference.PREFIX, open_inference.router, open_inference.format_problem),
    "hf": Protocol(hugging_face.PREFIX, hugging_face.router, hugging_face.format_problem),
    "tei": Protocol(tei.PREFIX, tei.router, tei.format_problem),
}


def add_protocols(app: FastAPI, setting: str) -> dict[str, ProblemFormat]:
    """Add the routes of the protocols that ``DOCKET_PROTOCOLS`` names; return the problem format of each prefix."""
    protocols = [protocol for name, protocol in PROTOCOLS.items() if setting == "all" or name in setting.split(",")]
    for protocol in protocols:
        app.include_router(protocol.router)
    return {protocol.prefix: protocol.format_problem for protocol in protocols}
