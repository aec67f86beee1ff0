"""Pages for a browser: how to begin, a document to read, the documentation of the API."""

from html import escape
from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from bot.api.problems import of_status, problem_response
from bot.api.schema import Collection, problems
from bot.api.source import source_page
from bot.api.state import TheRuntime
from bot.catalogue import open_document
from bot.wire import version

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Swagger UI sets styles from its script, and asks our own API when a reader tries it.
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {"css": "text/css", "js": "text/javascript"}
_OURS = frozenset({"page.css", "docs.js"})
_SWAGGER = frozenset({"swagger-ui-bundle.js", "swagger-ui.css"})

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home(request: Request) -> Response:
    """Say how to ask."""
    page = files("bot").joinpath("assets/home.html").read_text(encoding="utf-8")
    return _page(page.replace("{base}", escape(str(request.base_url).rstrip("/"))))


@router.get("/documents/{document_id:path}", responses=problems(404, 422, 503))
def document(
    document_id: str,
    runtime: TheRuntime,
    start: Annotated[int | None, Query(ge=0)] = None,
    end: Annotated[int | None, Query(ge=0)] = None,
    v: Annotated[str, Query(max_length=64)] = "",
    collection: Annotated[Collection | None, Query()] = None,
) -> Response:
    """Show a document with the words between `start` and `end` marked.

    They are not marked if the text is no longer the one that they were counted in.
    """
    name = runtime.known(collection)
    found, info = open_document(runtime.database, name, document_id)
    same = v in {"", version(info)}
    span = (start, end) if start is not None and end is not None and same else None
    return _page(source_page(found, span, changed=not same))


@router.get("/docs")
async def docs() -> Response:
    """Show the API, with Swagger UI from our own server."""
    page = files("bot").joinpath("assets/docs.html").read_text(encoding="utf-8")
    return _page(page, _DOCS_POLICY)


@router.get("/assets/{name}")
async def asset(name: str) -> Response:
    """Return a style sheet or script of these pages."""
    if name not in _OURS | _SWAGGER:
        return problem_response(of_status(404))
    folder = files("bot") / "assets" if name in _OURS else files("fastapi_offline") / "static"
    return Response(
        folder.joinpath(name).read_bytes(),
        media_type=_TYPES[name.rpartition(".")[2]],
        headers={"cache-control": "max-age=3600"},
    )


def _page(html: str, policy: str = PAGE_POLICY) -> Response:
    return HTMLResponse(html, headers={"content-security-policy": policy})
