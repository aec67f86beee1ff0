"""A lock that threads get in the order in which they asked for it."""

import threading
from collections import deque


class FifoLock:
    """Like `threading.Lock`, which may let the same few threads in again and again, but fair."""

    def __init__(self) -> None:
        """Make one that is free."""
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._held = False

    def acquire(self, timeout: float) -> bool:
        """Wait for up to `timeout` seconds; return whether it is ours now."""
        with self._guard:
            if not self._held:
                self._held = True
                return True
            gate = threading.Lock()
            gate.acquire()  # opened by who hands over
            self._waiting.append(gate)
        if gate.acquire(timeout=timeout):
            return True
        with self._guard:
            if gate not in self._waiting:  # handed over just now
                return True
            self._waiting.remove(gate)
            return False

    def release(self) -> None:
        """Hand it over to who has waited longest, or let it be free."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False
