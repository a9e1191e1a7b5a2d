"""``/docs`` and ``/redoc``: Swagger UI and ReDoc from the files of a package, with nothing from another host"""

from __future__ import annotations

from functools import cache
from importlib import resources

from fastapi import APIRouter, HTTPException, Request, Response

from app.api.web_page import StaticFile, answer_file, file_of

PACKAGE = "fastapi_offline"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_REDOC_POLICY = _POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
"""ReDoc makes its styles while it runs, and stops where it may not."""
_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
"""ReDoc's own logo, the one file that it would ask another host for."""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Docket: API</title>
<link rel="icon" href="docs/favicon.png">
{head}
</head>
<body>
<div id="reference"></div>
{scripts}
</body>
</html>
"""
_SWAGGER = """SwaggerUIBundle({
  url: new URL("openapi.json", document.baseURI).href,
  dom_id: "#reference",
  deepLinking: true,
  validatorUrl: null,
});
"""
_REDOC = """Redoc.init("openapi.json", {disableSearch: true}, document.getElementById("reference"));
"""
router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def swagger(request: Request) -> Response:
    """The API to try; all addresses are relative, so that it works behind a path prefix."""
    return _answer(request, "swagger.html")


@router.get("/redoc")
async def redoc(request: Request) -> Response:
    """The API to read."""
    return _answer(request, "redoc.html")


@router.get("/docs/{name}")
async def file(request: Request, name: str) -> Response:
    """A script, a style or an image of both."""
    if name.endswith(".html"):
        raise HTTPException(404)
    return _answer(request, name)


def _answer(request: Request, name: str) -> Response:
    return answer_file(request, _files().get(name), _REDOC_POLICY if name == "redoc.html" else _POLICY)


@cache
def _files() -> dict[str, StaticFile]:
    """All of them, read once: some 3 MB."""
    shipped = resources.files(PACKAGE) / "static"
    found = {path.name: path.read_bytes() for path in shipped.iterdir() if path.is_file()}
    found["redoc.standalone.js"] = found["redoc.standalone.js"].replace(_LOGO, b"data:,")
    style = '<link rel="stylesheet" href="docs/swagger-ui.css">'
    found |= {
        "swagger.html": _PAGE.format(head=style, scripts=_scripts("swagger-ui-bundle.js", "swagger.js")).encode(),
        "swagger.js": _SWAGGER.encode(),
        "redoc.html": _PAGE.format(head="", scripts=_scripts("redoc.standalone.js", "redoc.js")).encode(),
        "redoc.js": _REDOC.encode(),
    }
    return {name: file_of(name, body) for name, body in found.items()}


def _scripts(*names: str) -> str:
    return "\n".join(f'<script src="docs/{name}"></script>' for name in names)
