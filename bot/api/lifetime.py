"""How the service ends: it takes nothing new, finishes what it has begun, gives up the rest."""

import math
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import anyio
from anyio import CancelScope

from bot.errors import ShuttingDownError

_T = TypeVar("_T")


@dataclass(slots=True)
class Lifetime:
    """What the parts of one application have to know of its end. For one event loop.

    Attributes:
        is_stopping: Whether it takes nothing new.
        is_over: Whether it also gives up what it has begun.
        requests: That are being served.
    """

    is_stopping: bool = False
    is_over: bool = False
    requests: int = 0
    _waits: set[CancelScope] = field(default_factory=set)

    def stop(self) -> None:
        """Take nothing new from now on. May be called by a signal handler."""
        self.is_stopping = True

    def give_up(self) -> None:
        """End what waits: its callers are told so."""
        self.is_stopping = self.is_over = True
        for wait in [*self._waits]:
            wait.cancel()

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count a request for as long as it is served."""
        self.requests += 1
        try:
            yield
        finally:
            self.requests -= 1

    @contextmanager
    def wait(self, until: float = math.inf) -> Iterator[CancelScope]:
        """Open a scope that is cancelled at a time of the event loop, or when the service ends."""
        with CancelScope(deadline=until) as scope:
            self._waits.add(scope)
            if self.is_over:
                scope.cancel()
            try:
                yield scope
            finally:
                self._waits.discard(scope)

    def let_be(self, scope: CancelScope) -> None:
        """Let a scope go on past its time and past the end: it sees to them itself from now on."""
        scope.deadline = math.inf
        self._waits.discard(scope)

    async def each(self, parts: AsyncGenerator[_T], until: float) -> AsyncGenerator[_T]:
        """Yield the parts of a stream as they come.

        Raises:
            ShuttingDownError: The service ends.
            TimeoutError: It is later than `until`, by the clock of the event loop.
        """
        while True:
            with self.wait(until) as scope:
                part = await anext(parts, None)
            if scope.cancelled_caught:
                raise ShuttingDownError if self.is_over else TimeoutError
            if part is None:
                return
            yield part


def now() -> float:
    """Return the time of the event loop, which never jumps."""
    return anyio.current_time()
