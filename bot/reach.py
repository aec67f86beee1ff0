"""Who can reach the service, and what they need no key for."""

from ipaddress import ip_address

from bot.caller import ASKING, CHANGING, Need
from bot.keys import Keyring
from bot.settings import Settings

_NOTHING: frozenset[Need] = frozenset()


def is_private(settings: Settings) -> bool:
    """Whether only this machine can reach the service: no proxy is meant to stand before it."""
    return not settings.public_url and is_loopback(settings.host)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there; of names only `localhost` counts."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def asking_needs_key(settings: Settings, ring: Keyring) -> bool:
    """Whether nobody may ask without a key.

    That is so once there was a key for asking, whatever else is set; and from the beginning where
    others than this machine get in, unless it is said that they may.
    """
    return "ask" in ring.scopes or not (is_private(settings) or settings.open_access)


def open_to_all(settings: Settings, ring: Keyring) -> frozenset[Need]:
    """Return what nobody needs a key for."""
    asking = _NOTHING if asking_needs_key(settings, ring) else ASKING
    has_keys = bool(settings.admin_key.get_secret_value() or ring.scopes)
    return asking if has_keys or not is_private(settings) else asking | CHANGING
