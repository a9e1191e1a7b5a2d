"""The page for people: the files of ``static`` as they are, with headers that let them speak to this service alone."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import NamedTuple

from fastapi import APIRouter, HTTPException, Request, Response

FOLDER = "page/"
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
# Nothing from elsewhere, no script or style in the markup, no sink that would read text as markup, in nobody's frame.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",  # kept, and asked for each time: a new release shows at once
}
router = APIRouter(include_in_schema=False)


class File(NamedTuple):
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


def _answer(request: Request, name: str) -> Response:
    found = _files().get(name)
    if found is None:
        raise HTTPException(404)
    headers = _HEADERS | {"etag": found.tag}
    if found.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(found.body, headers=headers, media_type=found.kind)


@cache
def _files() -> dict[str, File]:
    """All of them, read once: some 60 kB."""
    read = {each.name: each.read_bytes() for each in (resources.files("app") / "static").iterdir() if each.is_file()}
    return {
        name: File(body, _TYPES[name.rpartition(".")[2]], f'"{hashlib.sha256(body).hexdigest()[:16]}"')
        for name, body in read.items()
    }
