"""The API's description for OpenAPI: what each operation takes and answers, with examples that work as they are"""

from __future__ import annotations

from http.client import responses
from typing import TYPE_CHECKING, Any

from app.api.answering import TIMEOUT_HEADER
from app.parsing.schemas import Batch, Document, Problem

if TYPE_CHECKING:
    from pydantic import BaseModel

SUMMARY = "Sorts documents into the labels of a trained network."
DESCRIPTION = (
    "Bodies are JSON in UTF-8, with `Content-Type: application/json`. Every failure is `application/problem+json` "
    "(RFC 9457) with one sentence that says what to do. Where the service has keys, use *Authorize* first."
)
LICENSE = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
PREDICT, MODEL, OPERATE = "Predictions", "Model", "Operations"
TAGS = [
    {"name": PREDICT, "description": "What documents are about."},
    {"name": MODEL, "description": "The network that answers."},
    {"name": OPERATE, "description": "Health, metrics and versions, for those who run the service."},
]
SERVERS = [{"url": ".", "description": "This service, also behind a path prefix."}]
"""Relative to the address of the description itself."""
EXAMPLES: dict[type[BaseModel], dict[str, Any]] = {
    Document: {"text": "A late goal won the cup for the home side.", "top_k": 2, "explain": False},
    Batch: {
        "documents": [{"id": 1, "text": "Shares fell."}, {"id": "b", "text": "The minister resigned."}, "A late goal."],
        "top_k": 1,
    },
}
_PROBLEM = {"application/problem+json": {"schema": Problem.model_json_schema()}}


def failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Responses with these statuses, each a problem."""
    return {status: {"description": responses[status], "content": _PROBLEM} for status in statuses}


def prediction(body: type[BaseModel]) -> dict[str, Any]:
    """Describe a prediction from ``body``: its group, request and failures. The endpoint reads the request itself."""
    waits: dict[str, Any] = {
        "name": TIMEOUT_HEADER,
        "in": "header",
        "description": "seconds that the client waits; DOCKET_TIMEOUT at most",
        "schema": {"type": "number", "exclusiveMinimum": 0},
    }
    content = {"schema": body.model_json_schema(), "example": EXAMPLES[body]}
    request = {"parameters": [waits], "requestBody": {"required": True, "content": {"application/json": content}}}
    statuses = (400, 408, 413, 415, 422, 429, 503, 504)
    return {"tags": [PREDICT], "openapi_extra": request, "responses": failures(*statuses)}
