"""The web page, ``/docs`` and ``/redoc``: static files with headers that restrict their requests to this service."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response
from starlette.staticfiles import StaticFiles

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE_POLICY = f"{_POLICY}; require-trusted-types-for 'script'; trusted-types 'none'"
"""Nothing from another host, no inline script or style, no text that becomes markup, no frame around the page."""
_REDOC_POLICY = _POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
"""ReDoc makes its styles while it runs, and stops where it may not."""
_REDOC = "redoc.standalone.js"
_REDOC_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
"""The one file that ReDoc would request from another host."""
_PAGE_FILES = StaticFiles(packages=[("app", "static")], follow_symlink=True)  # some installers link files
_DOCS_FILES = StaticFiles(packages=[("app", "static/docs"), ("fastapi_offline", "static")], follow_symlink=True)
page = APIRouter(include_in_schema=False)
docs = APIRouter(include_in_schema=False)


@page.get("/")
async def index(request: Request) -> Response:
    """The page; it names its other files relative to itself, so that it works behind a prefix too."""
    return await _answer(request, _PAGE_FILES, "index.html", _PAGE_POLICY)


@page.get("/page/{name}")
async def page_file(request: Request, name: str) -> Response:
    """A style or a script of the page."""
    return await _answer(request, _PAGE_FILES, name, _PAGE_POLICY)


@docs.get("/docs")
async def swagger(request: Request) -> Response:
    """The API to try, by Swagger UI; all addresses are relative, so that it works behind a path prefix."""
    return await _answer(request, _DOCS_FILES, "swagger.html", _POLICY)


@docs.get("/redoc")
async def redoc(request: Request) -> Response:
    """The API to read, by ReDoc."""
    return await _answer(request, _DOCS_FILES, "redoc.html", _REDOC_POLICY)


@docs.get("/docs/{name}")
async def docs_file(request: Request, name: str) -> Response:
    """A script, a style or an image of both."""
    if name.endswith(".html"):
        raise HTTPException(404)
    return await _answer(request, _DOCS_FILES, name, _POLICY)


async def _answer(request: Request, files: StaticFiles, name: str, policy: str) -> Response:
    """The file, 304 if the client's copy is current, or 404."""
    response = await files.get_response(name, request.scope)
    if name == _REDOC and response.status_code == 200:
        tag = {"etag": response.headers["etag"]}
        response = Response(_read_redoc_without_logo(), headers=tag, media_type=response.media_type)
    response.headers.update(
        {
            "content-security-policy": policy,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
            "cache-control": "no-cache",  # stored and revalidated: a new release shows at once
        }
    )
    return response


@cache
def _read_redoc_without_logo() -> bytes:
    return Path(_DOCS_FILES.lookup_path(_REDOC)[0]).read_bytes().replace(_REDOC_LOGO, b"data:,")
