"""Who may change documents and see the admin page: whoever has the admin key."""

import hmac
from ipaddress import ip_address

from fastapi import Request

from bot.api.state import TheState
from bot.errors import AdminKeyError, NoAdminKeyError
from bot.settings import Settings


def check_admin(request: Request, state: TheState) -> None:
    """Let a request with the admin key pass.

    Raises:
        NoAdminKeyError: None is set: then nobody is let in.
        AdminKeyError: The request has none, or another one.
    """
    key = state.settings.admin_key.get_secret_value()
    if not key:
        raise NoAdminKeyError
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    # bytes: compare_digest takes no other letters than ASCII, and a header may hold any
    same = hmac.compare_digest(given.strip().encode(), key.encode())
    if kind.lower() != "bearer" or not same:
        raise AdminKeyError


def check_change(request: Request, state: TheState) -> None:
    """Let a request pass that changes documents; without a key only where nobody else gets in.

    Raises:
        NoAdminKeyError: No key is set, and others than this machine can reach the service.
        AdminKeyError: A key is set, and the request has none, or another one.
    """
    if state.settings.admin_key.get_secret_value() or not is_private(state.settings):
        check_admin(request, state)


def is_private(settings: Settings) -> bool:
    """Whether only this machine can reach the service: no proxy is meant to stand before it."""
    return not settings.public_url and is_loopback(settings.host)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there; of names only `localhost` counts."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
