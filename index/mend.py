"""Repairs in the background, for who serves: nobody has to be there."""

import logging
import threading
import time
from collections.abc import Callable

from index.errors import CorruptIndexError

FIRST_PAUSE_SECONDS = 10.0
_LONGEST_PAUSE_SECONDS = 600.0
_log = logging.getLogger("wenqu")


class Mender:
    """Runs a repair when it is told of damage, one at a time. Safe to use from many threads.

    Between the end of a try and the next there is a pause, which doubles: neither a full disk nor
    a medium that damages all that is written to it may keep the machine busy for ever.
    """

    def __init__(
        self,
        repair: Callable[[], object],
        name: str,
        *,
        pause_seconds: float = FIRST_PAUSE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Have `repair` called, for what the log calls `name`."""
        self._repair = repair
        self._name = name
        self._pause = pause_seconds
        self._clock = clock
        self._next = clock()
        self._lock = threading.Lock()
        self.damage: CorruptIndexError | None = None
        """What is being repaired now."""

    def told(self, error: CorruptIndexError) -> CorruptIndexError:
        """Begin a repair unless it is too early, and return the error as it is to be told."""
        with self._lock:
            told = CorruptIndexError(error.folder, error.reason, repairing=True)
            if self.damage is None and self._clock() >= self._next:
                self.damage = told
                _log.warning("repairing collection %s: %s", self._name, error.reason)
                threading.Thread(target=self._run, name="wenqu-repair", daemon=True).start()
            return told

    def _run(self) -> None:
        try:
            self._repair()
        except Exception:  # noqa: BLE001  # nobody waits for it: the log has to tell, and the next try is near
            _log.exception("collection %s could not be repaired", self._name)
        else:
            _log.warning("repaired collection %s", self._name)
        with self._lock:
            self.damage = None
            self._next = self._clock() + self._pause
            self._pause = min(self._pause * 2, _LONGEST_PAUSE_SECONDS)
