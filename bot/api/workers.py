"""The threads that do the work: a bounded number, with a bounded queue in front of them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
from anyio import CapacityLimiter

from bot.api.metrics import Refusal
from bot.errors import OverloadedError

_RETRY_SECONDS = 5

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _uncounted(_reason: Refusal) -> None:
    return


@dataclass(slots=True)
class Workers:
    """A bounded number of threads with a bounded queue in front of them.

    Work whose caller has gone while it waits is never begun. Work that runs cannot be stopped: its
    caller goes at once, its place is free when it ends, so there are never more threads than said.

    Attributes:
        threads: That work at the same time.
        queue: Callers that may wait; a further one is turned away at once.
        deadline_seconds: Who has nothing by then gets an error.
        refused: Told of everybody who gets none of it.
    """

    threads: int
    queue: int
    deadline_seconds: float = 120
    refused: Callable[[Refusal], None] = _uncounted
    _places: CapacityLimiter = field(init=False)
    _pool: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self._places = CapacityLimiter(self.threads)
        self._pool = ThreadPoolExecutor(self.threads, "wenqu")

    @property
    def busy(self) -> int:
        """How many threads work."""
        return self._places.statistics().borrowed_tokens

    @property
    def waiting(self) -> int:
        """How many callers wait for one."""
        return self._places.statistics().tasks_waiting

    def check(self) -> None:
        """Come back if a new caller finds a place; asked before anything is spent on one.

        Raises:
            OverloadedError: Too many are waiting.
        """
        if self.busy >= self.threads and self.waiting >= self.queue:
            self.refused("overloaded")
            raise OverloadedError(_RETRY_SECONDS)

    async def admit(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do `work` for a caller that is new.

        Raises:
            OverloadedError: Too many are waiting.
            TimeoutError: It took longer than `deadline_seconds`.
        """
        self.check()
        return await self.go_on(work, *args, **kwargs)

    async def go_on(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do `work` for a caller that was admitted before.

        Raises:
            TimeoutError: It took longer than `deadline_seconds`.
        """
        with anyio.fail_after(self.deadline_seconds):
            caller = object()
            await self._places.acquire_on_behalf_of(caller)
            future = self._pool.submit(copy_context().run, partial(work, *args, **kwargs))
            future.add_done_callback(partial(self._free, asyncio.get_running_loop(), caller))
            return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Begin nothing more; what runs ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _free(
        self, loop: asyncio.AbstractEventLoop, caller: object, _future: Future[object]
    ) -> None:
        with suppress(RuntimeError):  # the loop has ended, and with it who might wait
            loop.call_soon_threadsafe(self._places.release_on_behalf_of, caller)
