"""The Open Inference Protocol, version 2, under ``/v2``: one model, ``docket``, in the current version."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from app.api.answering import TIMEOUT_HEADER, admit
from app.api.operations import live, ready
from app.errors import InvalidBody, UnknownModel, quote_input
from app.parsing.json_body import parse_body, require_json, require_uncompressed
from app.protocols.common_answers import answer_texts
from app.protocols.open_inference_schema import InferenceRequest
from model import __version__

PREFIX, MODEL = "/v2", "docket"
JSON_LENGTH = "inference-header-content-length"
"""The header with the bytes of JSON in a body, where bytes of tensors follow."""
MODEL_FIELDS = {"name": MODEL, "platform": "pytorch_torchscript"}
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
    """Describe the server."""
    extensions = ["binary_tensor_data", "classification"]
    return {"name": MODEL, "version": __version__, "extensions": extensions}


@router.get("/health/live")
async def server_live(request: Request) -> dict[str, Any]:
    """Answer 200, or 503 where the process is ending."""
    await live(request)
    return {"live": True}


@router.get("/health/ready")
async def server_ready(request: Request) -> dict[str, Any]:
    """Answer 200, or 503 where the service is not ready."""
    await ready(request)
    return {"ready": True}


@router.get("/models/{model}")
@router.get("/models/{model}/versions/{version}")
async def model_metadata(request: Request, model: str, version: str | None = None) -> dict[str, Any]:
    """Describe the tensors of the model."""
    return MODEL_FIELDS | {"versions": [_check_model(request, model, version)]} | TENSORS


@router.get("/models/{model}/ready")
@router.get("/models/{model}/versions/{version}/ready")
async def model_ready(request: Request, model: str, version: str | None = None) -> dict[str, Any]:
    """Answer 200, or 503 where the service is not ready."""
    _check_model(request, model, version)
    await ready(request)
    return {"name": model, "ready": True}


@router.post("/models/{model}/infer")
@router.post("/models/{model}/versions/{version}/infer")
async def infer(request: Request, model: str, version: str | None = None) -> Response:
    """Answer with the label and the score of each text."""
    _check_model(request, model, version)
    deadline = admit(request.state.service, request.headers.get(TIMEOUT_HEADER))
    inference, packed = await _read_request(request)
    answers = await answer_texts(request, inference.read_texts(packed, request.state.settings.max_documents), deadline)
    outputs, packed_outputs = inference.form_outputs(answers)
    content = {"model_name": model, "model_version": answers.version, "outputs": outputs}
    if inference.id is not None:
        content["id"] = inference.id
    if not packed_outputs:
        return answers.respond(content)
    json_bytes = to_json(content)
    headers = answers.headers | {JSON_LENGTH: str(len(json_bytes))}
    return Response(json_bytes + packed_outputs, headers=headers, media_type="application/octet-stream")


def _check_model(request: Request, model: str, version: str | None) -> str:
    """Return the current version; raise ``UnknownModel`` for another model or version."""
    current: str = request.state.service.reloader.current.version
    if model != MODEL:
        raise UnknownModel(f"there is no model {quote_input(model)}: the one that is served is {MODEL}")
    if version not in (None, current):
        raise UnknownModel(f"version {quote_input(version)} is not served: leave it out, or ask for {current}")
    return current


async def _read_request(request: Request) -> tuple[InferenceRequest, bytes]:
    """Read a request and the bytes after its JSON. Clients send JSON as octets too, or without a content type."""
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
