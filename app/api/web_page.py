"""The web page: the files of ``static``, with headers that restrict their requests to this service."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import NamedTuple

from fastapi import APIRouter, HTTPException, Request, Response

FOLDER = "page/"
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "png": "image/png"}
# No resource of another host, no inline script or style, no text that becomes markup, no frame around the page.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",  # stored and revalidated: a new release shows at once
}
router = APIRouter(include_in_schema=False)


class StaticFile(NamedTuple):
    """The bytes of a file, their media type, and a tag that changes with them."""

    body: bytes
    kind: str
    tag: str


@router.get("/")
async def index(request: Request) -> Response:
    """The page; it names its other files relative to itself, so that it works behind a prefix too."""
    return _answer(request, "index.html")


@router.get(f"/{FOLDER}{{name}}")
async def file(request: Request, name: str) -> Response:
    """A style or a script of the page."""
    return _answer(request, name)


def answer_file(request: Request, found: StaticFile | None, policy: str) -> Response:
    """The file, or 304 where the copy of the client is current; 404 without a file."""
    if found is None:
        raise HTTPException(404)
    headers = _HEADERS | {"content-security-policy": policy, "etag": found.tag}
    if found.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(found.body, headers=headers, media_type=found.kind)


def file_of(name: str, body: bytes) -> StaticFile:
    """A file of that name and content."""
    return StaticFile(body, _TYPES[name.rpartition(".")[2]], f'"{hashlib.sha256(body).hexdigest()[:16]}"')


def _answer(request: Request, name: str) -> Response:
    return answer_file(request, _files().get(name), _POLICY)


@cache
def _files() -> dict[str, StaticFile]:
    """All of them, read once: some 60 kB."""
    static = resources.files("app") / "static"
    return {path.name: file_of(path.name, path.read_bytes()) for path in static.iterdir() if path.is_file()}
