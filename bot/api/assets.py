"""Style sheets and scripts of the pages, and the pages that use them.

A page names its files as `/assets/x.js`; it is sent with `/assets/VERSION/x.js`, where `VERSION`
is a hash of them all. Such an address never changes its content and is kept by browsers for
good; a module finds the modules it imports beside itself, in the same version.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from bot.api.problems import of_status, problem_response

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""For a page whose scripts build it from data and never from HTML; add who may frame it."""

ELSEWHERE = {"cross-origin-resource-policy": "cross-origin"}
"""For the little that other sites load: the widget's loader and its frame."""

_TYPES = {".css": "text/css", ".js": "text/javascript"}
_SWAGGER = ("swagger-ui-bundle.js", "swagger-ui.css")
_ONE_YEAR = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent.

    Attributes:
        content: Its bytes.
        packed: The same with gzip.
        media_type: What it is.
        tag: Changes with the content.
    """

    content: bytes
    packed: bytes
    media_type: str
    tag: str


@router.get("/assets/{name}")
async def asset(name: str, request: Request) -> Response:
    """Return a file in its newest version."""
    return _sent(request, name, _ASK_AGAIN)


@router.get("/assets/{version}/{name}")
async def asset_of_version(version: str, name: str, request: Request) -> Response:
    """Return a file; one of another version is not kept, so that nobody mixes two."""
    return _sent(request, name, _ONE_YEAR if version == assets_version() else _ASK_AGAIN)


@router.get("/widget.js")
async def widget(request: Request) -> Response:
    """Return the loader, which sites name without a version: browsers ask again each hour."""
    response = _sent(request, "widget.js", "public, max-age=3600")
    response.headers.update(ELSEWHERE)
    return response


def page(name: str, policy: str, *, embeds: bool = False) -> Response:
    """Return a page of ours, with a `content-security-policy`; `embeds` lets other sites show it.

    The chat page and the widget's frame have the conversation in common: it is put in here.

    Always asked for again: it names the version of everything else.
    """
    html = _read(name).replace("<!-- conversation -->\n", _read("conversation.html"))
    html = html.replace('"/assets/', f'"/assets/{assets_version()}/')
    headers = {"content-security-policy": policy, "cache-control": _ASK_AGAIN}
    return HTMLResponse(html, headers={**headers, **(ELSEWHERE if embeds else {})})


def _sent(request: Request, name: str, kept: str) -> Response:
    found = _assets().get(name)
    if found is None:
        return problem_response(of_status(404))
    headers = {"cache-control": kept, "etag": found.tag, "vary": "accept-encoding"}
    if found.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        packed = {**headers, "content-encoding": "gzip"}
        return Response(found.packed, media_type=found.media_type, headers=packed)
    return Response(found.content, media_type=found.media_type, headers=headers)


@cache
def assets_version() -> str:
    """Return what changes whenever any file of ours does."""
    tags = "".join(f"{name}{made.tag}" for name, made in sorted(_assets().items()))
    return hashlib.sha256(tags.encode()).hexdigest()[:12]


@cache
def _assets() -> dict[str, Asset]:
    ours = [entry for entry in _folder().iterdir() if entry.name.endswith(tuple(_TYPES))]
    static = files("fastapi_offline") / "static"
    return {entry.name: _made(entry) for entry in [*ours, *(static / name for name in _SWAGGER)]}


def _made(entry: Traversable) -> Asset:
    content = entry.read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    kind = _TYPES[f".{entry.name.rpartition('.')[2]}"]
    return Asset(content, gzip.compress(content, mtime=0), kind, tag)


@cache
def _read(name: str) -> str:
    return (_folder() / name).read_text(encoding="utf-8")


def _folder() -> Traversable:
    return files("bot") / "assets"
