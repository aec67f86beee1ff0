"""The widget on other sites: its frame, its tokens, and what a token allows."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from bot.api.assets import PAGE_POLICY, page
from bot.api.schema import TokenReply, TokenRequest, problems
from bot.api.state import TheRuntime, TheState
from bot.errors import EmbedderError, TokenError
from bot.settings import Settings
from bot.tokens import Claims, Tokens

router = APIRouter(tags=["网页组件"])


def tokens_of(request: Request) -> Tokens:
    """Return what gives and reads the tokens of this application."""
    tokens: Tokens = request.app.state.tokens
    return tokens


TheTokens = Annotated[Tokens, Depends(tokens_of)]


@router.get("/widget/frame", include_in_schema=False)
async def frame(state: TheState) -> Response:
    """Show the conversation in a frame of the sites that may have it, and of no other."""
    allowed = " ".join(state.settings.widget_origins) or "'none'"
    return page("frame.html", f"{PAGE_POLICY}; frame-ancestors {allowed}", embeds=True)


@router.post(
    "/widget/token",
    summary="领取组件的令牌",
    responses={200: {"model": TokenReply}, **problems(400, 403, 404, 415, 422, 429, 503)},
)
def token(
    body: TokenRequest, request: Request, state: TheState, runtime: TheRuntime, tokens: TheTokens
) -> Response:
    """Give a token to our own frame, for the site it stands on.

    Raises:
        EmbedderError: Somebody else asks, or that site is not on the list.
        CollectionNotFoundError: There is no such collection.
    """
    if not is_own(request):
        raise EmbedderError(request.headers.get("origin", ""))
    if body.embedder not in state.settings.widget_origins:
        raise EmbedderError(body.embedder)
    given = tokens.give(Claims(body.embedder, runtime.known(body.collection)))
    reply = {"token": given, "expires_in": tokens.lifetime_seconds}
    return JSONResponse(reply, headers={"cache-control": "no-store"})


def claims_of(request: Request, token: str, settings: Settings) -> Claims:
    """Return the claims of the token that a request comes with.

    Raises:
        TokenError: It is not good, or is used by a page that is not ours.
    """
    claims = tokens_of(request).read(token)
    listed = claims.origin in settings.widget_origins  # it may have left the list since
    if not listed or not ("origin" not in request.headers or is_own(request)):
        raise TokenError
    return claims


def is_own(request: Request) -> bool:
    """Whether a page of ours sent it: browsers tell the origin of every POST."""
    origin = urlsplit(request.headers.get("origin", ""))
    return bool(origin.netloc) and origin.netloc == request.headers.get("host")
