"""What is true of every response: an id, safe headers, a line in the log, a count, no trace."""

import logging
import re
import secrets
import time
from collections.abc import Mapping
from contextvars import ContextVar

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.api.metrics import Metrics
from bot.api.problems import METHODS, of_status, problem_response
from bot.problems import INTERNAL

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request being served, for the log."""

STRICT_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""For JSON, which has nothing to load; pages set their own."""

_ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_USUALLY = {
    "content-security-policy": STRICT_POLICY,
    "cross-origin-resource-policy": "same-origin",  # what other sites embed says otherwise
}
_ONLY_TLS = {"strict-transport-security": "max-age=31536000"}
_SLOWEST = 20_000
"""Bytes a second; an upload of many takes longer than a question."""
_LEFT = 499
"""What nginx writes down where a client left before there was a status."""
_GIVEN_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_log = logging.getLogger("wenqu.access")


class Envelope:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, behind_tls: bool = False) -> None:
        """Count into `metrics`; `behind_tls` has browsers come by https and in no other way."""
        self._app = app
        self._metrics = metrics
        self._headers = {**_ALWAYS, **(_ONLY_TLS if behind_tls else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _GIVEN_ID.fullmatch(given) else secrets.token_hex(8)
        REQUEST_ID.set(request_id)
        started = time.perf_counter()
        status = 0

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                headers.update(self._headers)
                for name, value in _USUALLY.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except Exception:  # the last resort: nobody sees a trace but the log
            logging.getLogger("wenqu").exception("unexpected error")
            if status:
                raise  # too late for another status: the connection is cut
            await problem_response(INTERNAL)(scope, receive, send_on)
        finally:
            self._record(scope, status or _LEFT, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")  # the pattern: no id, no question
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._metrics.count_request(route=route, method=method, status=status, seconds=seconds)
        milliseconds = round(seconds * 1000, 1)
        fields = {"method": method, "route": route, "status": status, "ms": milliseconds}
        _log.info("%s %s %s %s ms", method, route, status, milliseconds, extra={"fields": fields})


class BodyLimit:
    """ASGI middleware that counts the bytes of a body as they arrive, and the time they take.

    FastAPI has one of its own, which answers a declared length above the limit in plain text.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        largest: int,
        uploads: Mapping[str, int],
        seconds: float,
        metrics: Metrics,
    ) -> None:
        """Allow `largest` bytes, and at the paths of `uploads` what they say.

        Args:
            app: Gets what is allowed.
            largest: Bytes of a body.
            uploads: Path to the bytes of a body that is sent there.
            seconds: For all of a body to arrive; a second longer for each `_SLOWEST` bytes of it.
            metrics: Count what is refused.
        """
        self._app = app
        self._largest = largest
        self._uploads = uploads
        self._seconds = seconds
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it as soon as it is too large or too slow."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        largest = self._uploads.get(scope["path"], self._largest)
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdecimal() or int(declared[:20]) > largest:
            self._metrics.count_refusal("too_large")
            await problem_response(of_status(413))(scope, receive, send)
            return
        began = anyio.current_time()
        received = 0
        whole = False

        async def counted() -> Message:
            nonlocal received, whole
            if whole:
                return await receive()
            with anyio.move_on_at(began + self._seconds + received / _SLOWEST):
                message = await receive()
                received += len(message.get("body", b""))
                whole = not message.get("more_body", False)
                if received > largest:
                    self._metrics.count_refusal("too_large")
                    raise HTTPException(413)
                return message
            self._metrics.count_refusal("slow_body")
            raise HTTPException(408, headers={"connection": "close"})

        await self._app(scope, counted, send)
