"""How late the event loop is: what blocks it makes everybody wait."""

import anyio

_TICK_SECONDS = 0.05
_WINDOW_SECONDS = 60.0


class Lag:
    """The longest delay of late. For one event loop."""

    def __init__(self, window_seconds: float = _WINDOW_SECONDS) -> None:
        """Remember a delay for one to two windows."""
        self._window_seconds = window_seconds
        self._now = 0.0
        self._before = 0.0

    @property
    def longest(self) -> float:
        """Seconds that something had to wait for its turn, at most, in the last window or two."""
        return max(self._now, self._before)

    async def watch(self) -> None:
        """Measure until cancelled: sleep for a moment, and see how much later it has become."""
        turn = anyio.current_time() + self._window_seconds
        while True:
            due = anyio.current_time() + _TICK_SECONDS
            await anyio.sleep_until(due)
            at = anyio.current_time()
            self._now = max(self._now, at - due)
            if at > turn:
                self._before, self._now = self._now, 0.0
                turn = at + self._window_seconds
