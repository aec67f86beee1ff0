"""A circuit breaker: what has failed too often is left alone for a while, then tried once."""

import time
from collections import deque
from collections.abc import Callable

FAILURES = 5
WITHIN_SECONDS = 30.0
REST_SECONDS = 30.0


class Breaker:
    """Closed at first. For one event loop.

    It opens after `FAILURES` failures within `WITHIN_SECONDS`, or at once after one that will not
    pass by itself. `REST_SECONDS` later one call is let through as a probe: if that succeeds it is
    closed again, if it fails it rests once more.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start closed; `clock` gives seconds."""
        self._clock = clock
        self._failures: deque[float] = deque(maxlen=FAILURES)
        self._opened: float | None = None
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether it has failed too often, and nothing has succeeded since."""
        return self._opened is not None

    def admits(self) -> bool:
        """Whether a call may be made now; after True, report how it went."""
        if self._opened is None:
            return True
        if self._probing or self._clock() - self._opened < REST_SECONDS:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        """Report that the other end works."""
        self._failures.clear()
        self._opened = None
        self._probing = False

    def failed(self, *, lasting: bool = False) -> None:
        """Report a failure, `lasting` if it will not pass by itself, such as a wrong key."""
        now = self._clock()
        self._failures.append(now)
        often = len(self._failures) == FAILURES and now - self._failures[0] <= WITHIN_SECONDS
        if lasting or often or self._probing:
            self._opened = now
        self._probing = False

    def left(self) -> None:
        """Report a call that ended without telling anything, such as one that nobody wanted."""
        self._probing = False
