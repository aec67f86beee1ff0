"""Work that goes on after the response: bounded, logged when it fails, ended with the service."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVarTuple

import anyio
from anyio.abc import TaskGroup

from bot.errors import OverloadedError

_RETRY_SECONDS = 5
_log = logging.getLogger("wenqu")

_Args = TypeVarTuple("_Args")


class Background:
    """A bounded number of tasks of one event loop."""

    def __init__(self, most: int = 1000, grace_seconds: float = 10) -> None:
        """Run up to `most` tasks; at the end they have `grace_seconds` to finish.

        The number bounds memory only: what takes time waits for the threads that answer.
        """
        self._most = most
        self._grace_seconds = grace_seconds
        self._group: TaskGroup | None = None
        self._running = 0

    @property
    def running(self) -> int:
        """How many tasks there are."""
        return self._running

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Take work for the time of this block; at its end wait a while, then cancel the rest."""
        async with anyio.create_task_group() as group:
            self._group = group
            try:
                yield
            finally:
                self._group = None
                group.cancel_scope.deadline = anyio.current_time() + self._grace_seconds

    def spawn(self, work: Callable[[*_Args], Awaitable[None]], *args: *_Args) -> None:
        """Begin `work` soon; that it fails is logged.

        Raises:
            OverloadedError: Too much is going on, or the service stops.
        """
        if self._group is None or self._running >= self._most:
            raise OverloadedError(_RETRY_SECONDS)
        self._running += 1
        self._group.start_soon(self._run, work, *args)

    async def _run(self, work: Callable[[*_Args], Awaitable[None]], *args: *_Args) -> None:
        try:
            await work(*args)
        except Exception:  # noqa: BLE001  # nobody waits for it: the log has to tell
            _log.exception("work in the background failed")
        finally:
            self._running -= 1
