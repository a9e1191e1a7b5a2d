"""Protocols that clients already speak, over the same service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.protocols import hugging_face, open_inference, tei
from app.protocols.common_answers import format_problem

if TYPE_CHECKING:
    from fastapi import APIRouter, FastAPI

    from app.api.problems import ProblemFormat

PROTOCOLS: dict[str, tuple[str, APIRouter, ProblemFormat]] = {
    "oip": (open_inference.PREFIX, open_inference.router, format_problem),
    "hf": (hugging_face.PREFIX, hugging_face.router, format_problem),
    "tei": (tei.PREFIX, tei.router, tei.format_problem),
}
"""The prefix of each protocol's paths, its routes, and its form of a problem.

``Settings.protocols`` has the names too, and ``app.middleware.api_keys.HEALTH`` the paths that need no key.
"""


def add_protocols(app: FastAPI, setting: str) -> dict[str, ProblemFormat]:
    """Add the routes of the protocols that ``DOCKET_PROTOCOLS`` names; return the problem format of each prefix."""
    protocols = [protocol for name, protocol in PROTOCOLS.items() if setting == "all" or name in setting.split(",")]
    for _, router, _ in protocols:
        app.include_router(router)
    return {prefix: format_problem for prefix, _, format_problem in protocols}
