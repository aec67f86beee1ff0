"""Access tokens of a platform: fetched once for all who wait, renewed before they expire."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio

from bot.errors import PlatformError

_EARLY_SECONDS = 300
"""A token is not used that short before its end: it has to live as long as the call."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token.

    Attributes:
        value: Secret.
        seconds: It is good for, from when it was fetched.
    """

    value: str
    seconds: float


class Access:
    """The access token of one application at a platform."""

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Token]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Get tokens by `fetch`; `clock` tells seconds."""
        self._fetch = fetch
        self._clock = clock
        self._lock = anyio.Lock()
        self._value = ""
        self._until = 0.0

    async def token(self) -> str:
        """Return a token that is good for a while; of many callers one fetches it.

        Raises:
            PlatformError: The platform gives none.
        """
        async with self._lock:
            if not self._value or self._clock() >= self._until:
                started = self._clock()
                token = await self._fetched()
                # a short-lived one is at least used once, for half its life
                early = min(_EARLY_SECONDS, token.seconds / 2)
                self._value, self._until = token.value, started + token.seconds - early
            return self._value

    async def _fetched(self) -> Token:
        try:
            return await self._fetch()
        except PlatformError as error:
            error.arrived = False  # a token was asked for, no message was sent
            raise

    def drop(self, value: str) -> None:
        """Forget a token that the platform no longer takes; if it was renewed since, nothing."""
        if value == self._value:
            self._value = ""
