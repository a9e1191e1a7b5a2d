"""The web page, ``/docs`` and ``/redoc``: static files with headers that restrict their requests to this service."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files
from mimetypes import guess_type
from typing import TYPE_CHECKING, NamedTuple

from fastapi import APIRouter, HTTPException, Request, Response

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE_POLICY = f"{_POLICY}; require-trusted-types-for 'script'; trusted-types 'none'"
"""Nothing from another host, no inline script or style, no text that becomes markup, no frame around the page."""
_REDOC_POLICY = _POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
"""ReDoc makes its styles while it runs, and stops where it may not."""
_REDOC_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
"""The one file that ReDoc would request from another host."""
page = APIRouter(include_in_schema=False)
docs = APIRouter(include_in_schema=False)


@page.get("/")
async def index(request: Request) -> Response:
    """The page; it names its other files relative to itself, so that it works behind a prefix too."""
    return _answer(request, _read_page(), "index.html", _PAGE_POLICY)


@page.get("/page/{name}")
async def page_file(request: Request, name: str) -> Response:
    """A style or a script of the page."""
    return _answer(request, _read_page(), name, _PAGE_POLICY)


@docs.get("/docs")
async def swagger(request: Request) -> Response:
    """The API to try, by Swagger UI; all addresses are relative, so that it works behind a path prefix."""
    return _answer(request, _read_docs(), "swagger.html", _POLICY)


@docs.get("/redoc")
async def redoc(request: Request) -> Response:
    """The API to read, by ReDoc."""
    return _answer(request, _read_docs(), "redoc.html", _REDOC_POLICY)


@docs.get("/docs/{name}")
async def docs_file(request: Request, name: str) -> Response:
    """A script, a style or an image of Swagger UI or ReDoc."""
    if name.endswith(".html"):
        raise HTTPException(404)
    return _answer(request, _read_docs(), name, _POLICY)


class _File(NamedTuple):
    content: bytes
    media_type: str | None
    tag: str


@cache
def _read_page() -> dict[str, _File]:
    return _read_folder(files("app") / "static")


@cache
def _read_docs() -> dict[str, _File]:
    return _read_folder(files("fastapi_offline") / "static") | _read_folder(files("app") / "static" / "docs")


def _read_folder(folder: Traversable) -> dict[str, _File]:
    """Read the files of a folder by their names; their tags depend on their contents alone."""
    read = {}
    for file in folder.iterdir():
        if file.is_file():
            content = file.read_bytes().replace(_REDOC_LOGO, b"data:,")
            read[file.name] = _File(content, guess_type(file.name)[0], f'"{sha256(content).hexdigest()}"')
    return read


def _answer(request: Request, folder: Mapping[str, _File], name: str, policy: str) -> Response:
    """The file, or 304 if the copy of the client is current. Raises: ``HTTPException`` 404."""
    if name not in folder:
        raise HTTPException(404)
    file = folder[name]
    headers = {
        "etag": file.tag,
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cache-control": "no-cache",  # stored and revalidated: a new release shows at once
    }
    copies = request.headers.get("if-none-match", "").split(",")
    if file.tag in (copy.strip().removeprefix("W/") for copy in copies):
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.media_type)
