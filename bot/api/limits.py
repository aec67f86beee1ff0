"""How often somebody may ask: by key, by address, by conversation; in the memory of a process.

Algorithm: the generic cell rate algorithm of ITU-T I.371, which needs one number for each who
asks: they may ask `per_minute` times at once, and from then on as often as a minute has room for.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Self

from fastapi import Request

from bot.errors import RateLimitError
from bot.reach import is_private
from bot.settings import Settings

MOST = 20_000
"""Askers that are remembered; the one who was silent for longest goes first."""
_MINUTE = 60.0
_USUAL = (60, 20)
"""A minute, of a key or address and of a conversation, where strangers get in."""
_NETWORK = 64
"""Bits of an IPv6 address that name a network: all addresses in it may be one machine."""


class Rate:
    """How often each of many may do something. Safe to use from many threads."""

    def __init__(
        self, per_minute: int, most: int = MOST, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Allow `per_minute`, without end if 0, to each of the last `most` who came."""
        self._per_minute = per_minute
        self._most = most
        self._clock = clock
        self._free_at: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, who: str) -> None:
        """Count one more.

        Raises:
            RateLimitError: It is one too many, and is not counted.
        """
        if not self._per_minute:
            return
        interval = _MINUTE / self._per_minute
        now = self._clock()
        with self._lock:
            free_at = max(self._free_at.get(who, now), now)
            wait = free_at + interval - now - _MINUTE
            if wait > 1e-9:  # noqa: PLR2004  # rounding, of sums of intervals
                raise RateLimitError(max(1, math.ceil(wait)))
            self._free_at[who] = free_at + interval
            self._free_at.move_to_end(who)
            if len(self._free_at) > self._most:
                self._free_at.popitem(last=False)

    def __len__(self) -> int:
        """Return how many are remembered."""
        return len(self._free_at)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one application, apart from each other: addresses push out no keys.

    Attributes:
        keys: By key.
        addresses: By network address, for those who have no key.
        sessions: By conversation.
    """

    keys: Rate
    addresses: Rate
    sessions: Rate

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the limits that are set; a service that only this machine reaches has none."""
        usual = (0, 0) if is_private(settings) else _USUAL
        given = (settings.rate_per_minute, settings.session_rate_per_minute)
        asker, session = (
            rate if one is None else one for one, rate in zip(given, usual, strict=True)
        )
        return cls(Rate(asker), Rate(asker), Rate(session))

    @classmethod
    def none(cls) -> Self:
        """Return limits that nobody reaches."""
        return cls(Rate(0), Rate(0), Rate(0))


async def check_session(request: Request) -> None:
    """Count a question in the conversation that it goes on with.

    Raises:
        RateLimitError: It is one too many.
    """
    try:
        body = await request.json()
    except ValueError:  # the endpoint will say what is wrong with it
        return
    session_id = body.get("session_id") if isinstance(body, dict) else None
    if isinstance(session_id, str):
        request.app.state.wenqu.limits.sessions.take(session_id[:100])


def network(host: str) -> str:
    """Return what an address is counted under: IPv4 as it is, of IPv6 the /64."""
    try:
        address = ip_address(host)
    except ValueError:
        return host[:64]  # such as `testclient`, or what a proxy wrote
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    first = int(address) >> (128 - _NETWORK) << (128 - _NETWORK)
    return f"{IPv6Address(first)}/{_NETWORK}"
