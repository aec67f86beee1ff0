"""Which pages of other sites may read answers: those of the setting `cors_origins`, exactly."""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

_METHODS = ("DELETE", "GET", "POST")
_SENT = ("Accept", "Authorization", "Content-Type", "X-Request-Id")
_READ = ("Retry-After", "X-Request-Id")


def allow(app: FastAPI, origins: tuple[str, ...]) -> None:
    """Allow pages of these origins; with none, browsers keep every answer from other sites.

    Cookies play no part here, so credentials stay off. Who asks before (a preflight) needs no key.
    """
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=_METHODS,
            allow_headers=_SENT,
            expose_headers=_READ,
        )
