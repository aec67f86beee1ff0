"""Where the milliseconds of a question go."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Stopwatch:
    """Sums up the time spent in named stages. Not for use by two threads at once."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._spent: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time inside the block as `name`, added to what it has."""
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = (time.perf_counter() - started) * 1000
            self._spent[name] = self._spent.get(name, 0.0) + spent

    def timings(self) -> Mapping[str, float]:
        """Return stage to milliseconds, and `total` since the stopwatch was made."""
        total = (time.perf_counter() - self._started) * 1000
        return {name: round(spent, 2) for name, spent in [*self._spent.items(), ("total", total)]}
