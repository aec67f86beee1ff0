"""The chat page and the documentation of the API."""

from fastapi import APIRouter
from starlette.responses import Response

from bot.api.assets import PAGE_POLICY, page

_UNFRAMED = "frame-ancestors 'none'"
# Swagger UI sets styles from its script, and asks our own API when a reader tries it.
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'"
)

router = APIRouter(include_in_schema=False)


@router.get("/")
async def chat() -> Response:
    """Show where people ask."""
    return page("chat.html", f"{PAGE_POLICY}; {_UNFRAMED}")


@router.get("/docs")
async def docs() -> Response:
    """Show the API, with Swagger UI from our own server."""
    return page("docs.html", f"{_DOCS_POLICY}; {_UNFRAMED}")
