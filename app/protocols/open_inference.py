"""The Open Inference Protocol, version 2: ``/v2``, with one model, ``docket``, in the version that is served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from app.api.admission import TIMEOUT_HEADER, admit
from app.api.operations import live, ready
from app.errors import InvalidBody, UnknownModel, quote_input
from app.parsing.body import parse_body, require_json, require_uncompressed
from app.protocols.common_answers import answer_texts
from app.protocols.open_inference_schema import InferenceRequest
from model import __version__

if TYPE_CHECKING:
    from app.parsing.schemas import Problem

PREFIX, MODEL = "/v2", "docket"
JSON_LENGTH = "inference-header-content-length"
"""The header that says how much of a body is JSON, where bytes of tensors follow."""
ONE = {"name": MODEL, "platform": "pytorch_torchscript"}
TENSORS = {
    "inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1]}],
    "outputs": [
        {"name": "label", "datatype": "BYTES", "shape": [-1]},
        {"name": "score", "datatype": "FP32", "shape": [-1]},
    ],
}
router = APIRouter(prefix=PREFIX, include_in_schema=False)


@router.get("")
async def server() -> dict[str, Any]:
    """What this is."""
    extensions = ["binary_tensor_data", "classification"]
    return {"name": MODEL, "version": __version__, "extensions": extensions}


@router.get("/health/live")
async def server_live(request: Request) -> dict[str, Any]:
    """Whether to let the process live."""
    await live(request)
    return {"live": True}


@router.get("/health/ready")
async def server_ready(request: Request) -> dict[str, Any]:
    """Whether to send requests here."""
    await ready(request)
    return {"ready": True}


@router.get("/models/{model}")
@router.get("/models/{model}/versions/{version}")
async def model_metadata(request: Request, model: str, version: str | None = None) -> dict[str, Any]:
    """What goes in and comes out."""
    return ONE | {"versions": [_served(request, model, version)]} | TENSORS


@router.get("/models/{model}/ready")
@router.get("/models/{model}/versions/{version}/ready")
async def model_ready(request: Request, model: str, version: str | None = None) -> dict[str, Any]:
    """Whether to send requests here."""
    _served(request, model, version)
    await ready(request)
    return {"name": model, "ready": True}


@router.post("/models/{model}/infer")
@router.post("/models/{model}/versions/{version}/infer")
async def infer(request: Request, model: str, version: str | None = None) -> Response:
    """A label and a score for each text."""
    _served(request, model, version)
    deadline = admit(request.state.service, request.headers.get(TIMEOUT_HEADER))
    asked, packed = await _read(request)
    answered = await answer_texts(request, asked.read_texts(packed, request.state.settings.max_documents), deadline)
    outputs, packed = asked.form_outputs(answered)
    told = {"model_name": model, "model_version": answered.version, "outputs": outputs}
    if asked.id is not None:
        told["id"] = asked.id
    if not packed:
        return answered.respond(told)
    said = to_json(told)
    headers = answered.headers | {JSON_LENGTH: str(len(said))}
    return Response(said + packed, headers=headers, media_type="application/octet-stream")


def format_problem(problem: Problem) -> dict[str, Any]:
    """Form a problem as the protocol's clients read it."""
    return {"error": problem.detail}


def _served(request: Request, model: str, version: str | None) -> str:
    """The version that is served; raise ``UnknownModel`` where another model or version is asked for."""
    current: str = request.state.service.reloader.current.version
    if model != MODEL:
        raise UnknownModel(f"there is no model {quote_input(model)}: the one that is served is {MODEL}")
    if version not in (None, current):
        raise UnknownModel(f"version {quote_input(version)} is not served: leave it out, or ask for {current}")
    return current


async def _read(request: Request) -> tuple[InferenceRequest, bytes]:
    """A request and the bytes after its JSON; its clients name octets or no type at all where they send JSON."""
    octets = request.headers.get("content-type", "") in ("", "application/octet-stream")
    (require_uncompressed if octets else require_json)(request.headers)
    body = await request.body()
    length = request.headers.get(JSON_LENGTH, str(len(body)))
    if not (length.isascii() and length.isdigit() and len(length) < 20 and int(length) <= len(body)):
        raise InvalidBody(
            f"{JSON_LENGTH} is {quote_input(length)}: say how many of the body's {len(body)} bytes are JSON"
        )
    schema, settings = InferenceRequest, request.state.settings
    return await parse_body(body[: int(length)], schema, settings.max_documents), body[int(length) :]
