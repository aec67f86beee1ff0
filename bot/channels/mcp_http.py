"""`/mcp`: the tools of `bot.channels.mcp` by streamable HTTP, one request a call and no session."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bot.errors import ExtraNotInstalledError
from bot.service import Desk
from bot.settings import Settings

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

PATH = "/mcp"
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def load() -> "Callable[[Desk], MCPServer]":
    """Load the library, which takes most of a second, and return what makes a server.

    Raises:
        ExtraNotInstalledError: The library is missing.
    """
    try:
        from bot.channels.mcp import server_of  # noqa: PLC0415  # only where it is switched on
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "mcp":
            raise
        raise ExtraNotInstalledError(library="mcp", extra="mcp") from error
    return server_of


def router(settings: Settings) -> APIRouter:
    """Return the endpoint, which works while the application runs.

    Raises:
        ExtraNotInstalledError: The library is missing.
    """
    server_of = load()
    from mcp.server.transport_security import TransportSecuritySettings  # noqa: PLC0415  # is there

    security = TransportSecuritySettings(
        allowed_hosts=allowed_hosts(settings), allowed_origins=allowed_origins(settings)
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        server = server_of(app.state.wenqu)
        server.streamable_http_app(  # it makes the manager; the route to it is ours
            stateless_http=True, json_response=True, transport_security=security
        )
        app.state.mcp = server.session_manager
        async with server.session_manager.run():
            yield

    found = APIRouter(lifespan=lifespan)

    @found.post(PATH, include_in_schema=False)  # no GET: nothing would ever be sent on its stream
    async def endpoint() -> Response:
        return _ByTheLibrary()

    return found


def allowed_hosts(settings: Settings) -> list[str]:
    """Return the values of the `Host` header under which browsers may come here.

    A page of another site could have its name lead to this machine; its `Host` would tell.
    """
    names = [*_LOOPBACK, settings.host]
    public = urlsplit(settings.public_url).netloc
    return [*names, *(f"{name}:*" for name in names), *([public] if public else [])]


def allowed_origins(settings: Settings) -> list[str]:
    """Return the pages that may call: our own."""
    own = [f"http://{name}" for name in _LOOPBACK]
    public = urlsplit(settings.public_url)
    there = [f"{public.scheme}://{public.netloc}"] if public.netloc else []
    return [*own, *(f"{origin}:*" for origin in own), *there]


class _ByTheLibrary(Response):
    """Has the library answer a request, which reaches it as it came."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope["app"].state.mcp.handle_request(scope, receive, send)
