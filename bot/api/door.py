"""The door of the HTTP interface: who comes, what that opens, and how often.

It stands before everything that reads a body or does work. What an address needs is written in one
table, `need_of`; what a caller may see is held to by the runtime that an endpoint is given, see
`Runtime.seen_by`. Channels, whose requests are signed, have doors of their own.
"""

import hmac
import logging
from collections.abc import Mapping
from contextlib import suppress

from anyio import to_thread
from fastapi import Request
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.api.limits import network
from bot.api.problems import problem_response
from bot.api.state import CALLER, State
from bot.api.widget import claims_of
from bot.caller import ADMIN, ASKING, SERVICE, Caller, Need, keyless
from bot.errors import (
    AdminKeyError,
    BadKeyError,
    KeyExpiredError,
    KeyInUrlError,
    KeyNeededError,
    KeyScopeError,
    NoAdminKeyError,
    OverloadedError,
    RateLimitError,
    TokenError,
)
from bot.keys import FORM, PREFIX, Key, Keyring
from bot.problems import INTERNAL, problem_of
from bot.reach import open_to_all
from bot.settings import Settings
from bot.tokens import PREFIX as WIDGET_PREFIX
from index.database import now

_SOURCES = "/documents/"
_WHOLE = ("/api/admin/conversations", "/api/admin/deliveries", "/api/admin/report")
_CONVERSING = frozenset({"/api/chat", "/api/suggestions", "/api/feedback"})
_SESSIONS = "/api/sessions/"
_SCOPE_OF: Mapping[Need, str] = {"converse": "ask", "whole": "admin"}
_BAD = (BadKeyError, KeyExpiredError, TokenError, KeyNeededError, AdminKeyError, NoAdminKeyError)
_log = logging.getLogger("wenqu")


def need_of(method: str, path: str) -> Need | None:
    """Return what a request needs; None where the door is not this one, or there is no secret.

    Below `/api` and `/v1` everything needs something: what is added there is closed, not open.
    """
    if path.startswith("/api/admin/"):
        return "whole" if path.startswith(_WHOLE) else "admin"
    if path == "/api/documents" or path.startswith("/api/documents/"):
        return "ask" if method in {"GET", "HEAD"} else "ingest"
    if path in _CONVERSING or path.startswith(_SESSIONS):
        return "converse"
    return "ask" if path.startswith(("/api/", "/v1/", "/mcp", _SOURCES)) else None


class Door:
    """ASGI middleware that lets a request in as a `Caller`, or tells why not."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        """Stand before `app`, with the keys, tokens and limits of `state`."""
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "http":
            try:
                scope[CALLER] = await self._admit(Request(scope))
            except Exception as error:
                problem = problem_of(error)
                if problem is INTERNAL:
                    raise
                if isinstance(error, RateLimitError):
                    self._state.metrics.count_refusal("rate_limited")
                await problem_response(problem)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _admit(self, request: Request) -> Caller:
        path = request.scope["path"]
        need = need_of(request.method, path)
        if need is None:
            if path == "/widget/token":  # open to everybody, and not for nothing
                self._state.limits.addresses.take(_address(request))
            return SERVICE
        if FORM.search(request.scope["query_string"].decode("latin-1")):
            raise KeyInUrlError
        try:
            caller = await self._caller(request, need)
            _check(caller, need)
        except _BAD:
            self._state.limits.addresses.take(_address(request))  # who guesses, does so slowly
            raise
        self._limit(caller, request)
        return caller

    async def _caller(self, request: Request, need: Need) -> Caller:
        settings = self._state.settings
        given = _bearer(request)
        if given.startswith(WIDGET_PREFIX):
            return Caller.of_widget(claims_of(request, given, settings))
        if _is_admin(given, settings):
            return ADMIN
        if given.startswith(PREFIX):
            return await self._of_key(given, need)
        if need not in ASKING and settings.admin_key.get_secret_value():
            raise AdminKeyError  # while the service starts, too
        ring = await self._ring()
        seal = request.query_params.get("seal", "")
        if seal and request.scope["path"].startswith(_SOURCES):
            collection = request.query_params.get("collection") or settings.collection
            document_id = request.scope["path"].removeprefix(_SOURCES)
            if self._state.runtime.links.opens(seal, collection, document_id):
                return keyless(ASKING, collection)
        return self._keyless(ring, need, came_with_key=bool(given))

    async def _of_key(self, given: str, need: Need) -> Caller:
        key = (await self._ring()).find(given)
        if key is None or key.revoked_at is not None:
            raise BadKeyError if need in ASKING else AdminKeyError
        if key.state(now()) == "expired":
            raise KeyExpiredError(str(key.expires_at))
        if self._state.runtime.keys.is_to_be_noted(key):
            with suppress(OverloadedError):  # too busy to note it
                self._state.spawn(self._note, key)
        return Caller.of_key(key, self._state.settings.collection)

    async def _note(self, key: Key) -> None:
        try:
            await to_thread.run_sync(self._state.runtime.keys.note_use, key)
        except SQLAlchemyError as error:  # of use to people only: nothing is refused for it
            _log.warning("the use of key %s is not noted: %s", key.id, type(error).__name__)

    def _keyless(self, ring: Keyring, need: Need, *, came_with_key: bool) -> Caller:
        """Return who comes without a key of ours, which may be somebody else's.

        OpenAI's clients send one whether it is needed or not.
        """
        settings = self._state.settings
        grants = open_to_all(settings, ring)
        if need in grants:
            return keyless(grants)
        if need in ASKING:
            refused = BadKeyError() if came_with_key else KeyNeededError()
            raise refused
        would_do = {"ingest", "admin"} if need == "ingest" else {"admin"}
        raise AdminKeyError if ring.scopes & would_do else NoAdminKeyError

    async def _ring(self) -> Keyring:
        keys = self._state.runtime.keys
        ring = keys.known
        return ring if ring is not None else await to_thread.run_sync(keys.ring)

    def _limit(self, caller: Caller, request: Request) -> None:
        limits = self._state.limits
        if caller.owner and not caller.is_widget:
            limits.keys.take(caller.owner)
        else:
            limits.addresses.take(_address(request))


def _check(caller: Caller, need: Need) -> None:
    if need in caller.grants:
        return
    if need == "whole" and "admin" in caller.grants:
        raise KeyScopeError(needed="admin", is_limited=True)
    raise KeyScopeError(needed=_SCOPE_OF.get(need, need))


def _is_admin(given: str, settings: Settings) -> bool:
    key = settings.admin_key.get_secret_value()
    # bytes: compare_digest takes no other letters than ASCII, and a header may hold any
    return bool(key) and hmac.compare_digest(given.encode(), key.encode())


def _bearer(request: Request) -> str:
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    return given.strip() if kind.lower() == "bearer" else ""


def _address(request: Request) -> str:
    return network(request.client.host) if request.client else ""
