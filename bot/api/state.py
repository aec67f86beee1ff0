"""What endpoints share: the runtime once it is loaded, and the threads that do the work."""

import math
from collections.abc import Awaitable, Callable
from copy import copy
from dataclasses import dataclass, field
from typing import Annotated, Self, TypeVarTuple

from fastapi import Depends, Request

from bot.api.background import Background
from bot.api.lag import Lag
from bot.api.lifetime import Lifetime
from bot.api.limits import Limits
from bot.api.metrics import Metrics
from bot.api.stock import Shelf
from bot.api.workers import Workers
from bot.caller import SERVICE, Caller
from bot.errors import NotReadyError
from bot.runtime import Runtime
from bot.settings import Settings

_CHANGES = (2, 16)
"""Threads and queue for those who change documents: minutes of work, which no answer waits for."""
_PROBES = (1, 16)
_PROBE_SECONDS = 3.0

CALLER = "wenqu.caller"
"""Where the scope of a request says who sent it."""

_Args = TypeVarTuple("_Args")


@dataclass(slots=True)
class State:
    """The state of one application.

    Attributes:
        settings: As given.
        open_runtime: Loads the runtime, in a thread.
        metrics: Counts what happens.
        workers: Answer questions.
        ping_seconds: Between signs of life in a stream that waits.
        failure: Why loading failed, if it did.
        background: Runs what goes on after a response.
        lifetime: Knows whether the service stops.
        changes: Change documents.
        probes: Look whether all is well, apart from everybody else.
        lag: Knows how late the event loop is.
        shelf: Shows what the database holds.
        limits: Say how often somebody may ask.
        caller: Who sees it all through this; the service itself, or who sent one request.
    """

    settings: Settings
    open_runtime: Callable[[Settings], Runtime]
    metrics: Metrics
    workers: Workers
    ping_seconds: float = 15
    failure: Exception | None = None
    background: Background = field(default_factory=Background)
    lifetime: Lifetime = field(default_factory=Lifetime)
    changes: Workers = field(default_factory=lambda: Workers(*_CHANGES, math.inf))
    probes: Workers = field(default_factory=lambda: Workers(*_PROBES, _PROBE_SECONDS))
    lag: Lag = field(default_factory=Lag)
    shelf: Shelf = field(default_factory=Shelf)
    limits: Limits = field(default_factory=Limits.none)
    caller: Caller = SERVICE
    _runtime: Runtime | None = None

    def __post_init__(self) -> None:
        show = self.metrics.show
        show("wenqu_workers", "Threads that may work on answers.", lambda: self.workers.threads)
        show("wenqu_workers_busy", "Those that do.", lambda: self.workers.busy)
        show("wenqu_queue", "Callers that may wait for one.", lambda: self.workers.queue)
        show("wenqu_queue_waiting", "Those that do.", lambda: self.workers.waiting)
        show("wenqu_changes_busy", "Changes of documents going on.", lambda: self.changes.busy)
        show("wenqu_changes_waiting", "Those that wait.", lambda: self.changes.waiting)
        show("wenqu_requests_open", "Requests being served.", lambda: self.lifetime.requests)
        show("wenqu_background_tasks", "Work after responses.", lambda: self.background.running)
        show(
            "wenqu_event_loop_lag_seconds",
            "Longest time in the last minute or two that the event loop was held up.",
            lambda: self.lag.longest,
        )
        self.metrics.add(self.shelf)

    def load(self) -> bool:
        """Load the runtime and return whether that worked; if not, the failure is kept."""
        try:
            self._runtime = self.open_runtime(self.settings)
            self._runtime.repair_by_itself()
        except Exception as error:  # noqa: BLE001  # told by /readyz and to every caller
            self.failure = error
            return False
        self.failure = None
        return True

    @property
    def runtime(self) -> Runtime:
        """The loaded runtime.

        Raises:
            NotReadyError: It is still loading.
            Exception: What loading failed with.
        """
        if self.failure is not None:
            raise self.failure.with_traceback(None)
        if self._runtime is None:
            raise NotReadyError
        return self._runtime.seen_by(self.caller)

    def seen_by(self, caller: Caller) -> Self:
        """Return the same state, whose runtime shows only what there is for this caller."""
        seen = copy(self)
        seen.caller = caller
        return seen

    def spawn(self, work: Callable[[*_Args], Awaitable[None]], *args: *_Args) -> None:
        """Do `work` soon, when the response may be gone already; that it fails is logged.

        When the service stops, it has some seconds to finish and is then cancelled: what must
        not be lost has to be in the database before.

        Raises:
            OverloadedError: Too much is going on, or the service stops.
        """
        self.background.spawn(work, *args)

    async def leave(self) -> None:
        """Close what was opened, the connections of this event loop with it."""
        if self._runtime is not None and self._runtime.writer is not None:
            await self._runtime.writer.close()
        self.close()

    def close(self) -> None:
        """Close what was opened."""
        for workers in (self.workers, self.changes, self.probes):
            workers.close()
        if self._runtime is not None:
            self._runtime.close()


def state_of(request: Request) -> State:
    """Return the state of the application that got the request, as whoever sent it may see it."""
    state: State = request.app.state.wenqu
    return state.seen_by(request.scope[CALLER])


def runtime_of(request: Request) -> Runtime:
    """Return the runtime, or raise what stands in its way: the answer is then an error."""
    return state_of(request).runtime


TheState = Annotated[State, Depends(state_of)]
TheRuntime = Annotated[Runtime, Depends(runtime_of)]
