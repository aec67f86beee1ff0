"""What endpoints share: the runtime once it is loaded, and the threads that do the work."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, ParamSpec, TypeVar, TypeVarTuple

import anyio
from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request

from bot.api.background import Background
from bot.api.metrics import Metrics
from bot.errors import NotReadyError, OverloadedError
from bot.runtime import Runtime
from bot.settings import Settings

_RETRY_SECONDS = 5

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Args = TypeVarTuple("_Args")


@dataclass(slots=True)
class Workers:
    """A bounded number of threads with a bounded queue in front of them.

    Attributes:
        threads: That work at the same time.
        queue: Callers that may wait; a further one is turned away at once.
        deadline_seconds: A question that has no answer by then gets an error.
    """

    threads: int
    queue: int
    deadline_seconds: float = 120
    _limiter: CapacityLimiter = field(init=False)

    def __post_init__(self) -> None:
        self._limiter = CapacityLimiter(self.threads)

    async def admit(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do `work` for a caller that is new.

        Raises:
            OverloadedError: Too many are waiting.
            TimeoutError: It took longer than `deadline_seconds`.
        """
        if self._limiter.statistics().tasks_waiting >= self.queue + self._idle():
            raise OverloadedError(_RETRY_SECONDS)
        return await self.go_on(work, *args, **kwargs)

    async def go_on(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do `work` for a caller that was admitted before.

        Raises:
            TimeoutError: It took longer than `deadline_seconds`.
        """
        with anyio.fail_after(self.deadline_seconds):
            return await to_thread.run_sync(
                partial(work, *args, **kwargs), limiter=self._limiter, abandon_on_cancel=True
            )

    def _idle(self) -> int:
        return int(self._limiter.available_tokens)


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
    """

    settings: Settings
    open_runtime: Callable[[Settings], Runtime]
    metrics: Metrics
    workers: Workers
    ping_seconds: float = 15
    failure: Exception | None = None
    background: Background = field(default_factory=Background)
    _runtime: Runtime | None = None

    def load(self) -> bool:
        """Load the runtime and return whether that worked; if not, the failure is kept."""
        try:
            self._runtime = self.open_runtime(self.settings)
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
        return self._runtime

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
        if self._runtime is not None:
            self._runtime.close()


def state_of(request: Request) -> State:
    """Return the state of the application that got the request."""
    state: State = request.app.state.wenqu
    return state


def runtime_of(request: Request) -> Runtime:
    """Return the runtime, or raise what stands in its way: the answer is then an error."""
    return state_of(request).runtime


TheState = Annotated[State, Depends(state_of)]
TheRuntime = Annotated[Runtime, Depends(runtime_of)]
