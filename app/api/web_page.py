"""The page for people: the files of ``static`` as they are, with headers that let them speak to this service alone."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import NamedTuple

from fastapi import APIRouter, HTTPException, Request, Response

FOLDER = "page/"
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "png": "image/png"}
# Nothing from elsewhere, no script or style in the markup, no sink that would read text as markup, in nobody's frame.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",  # kept, and asked for each time: a new release shows at once
}
router = APIRouter(include_in_schema=False)


class StaticFile(NamedTuple):
    """A file's bytes, what they are and the tag that changes with them."""

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
    """The file, or that the client's copy of it is current; 404 where there is none."""
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
    return {each.name: file_of(each.name, each.read_bytes()) for each in static.iterdir() if each.is_file()}
