"""One call to a language model: streamed, within its time, tried again only while it is silent.

Any server that speaks `POST /chat/completions` as OpenAI defines it will do.
"""

import logging
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

import anyio

from bot.errors import ExtraNotInstalledError, Fallback, GenerationError
from bot.llm.breaker import Breaker
from bot.llm.failures import Failure, failure_of
from bot.llm.prompt import Prompt

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream
    from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

RETRIES = 2
_CONNECT_SECONDS = 3
_WRITE_SECONDS = 10
_POOL_SECONDS = 2
_NO_KEY = "none"
_GOODBYE_SECONDS = 1
_UNFINISHED: Mapping[str, Fallback] = {"length": "length", "content_filter": "filtered"}

_T = TypeVar("_T")
_log = logging.getLogger("wenqu")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call may take, in seconds.

    Attributes:
        first: Until the first word, further tries included.
        gap: Between two chunks.
        total: Until the last word.
    """

    first: float
    gap: float
    total: float


class Generator(Protocol):
    """Writes what a prompt asks for; see `Model`."""

    def write(self, prompt: Prompt, *, patience: Patience, max_tokens: int) -> AsyncGenerator[str]:
        """Yield what is written, in parts as they come."""

    @property
    def is_resting(self) -> bool:
        """Whether it failed too often to be called now, or has not worked since."""

    async def close(self) -> None:
        """Close what is open."""


@dataclass(slots=True)
class _Call:
    """One call under way: when it has to be where, and whether a word has come."""

    patience: Patience
    began: float = field(default_factory=time.monotonic)
    started: bool = False

    def left(self) -> float:
        """Return the seconds until the next word has to be there."""
        spent = time.monotonic() - self.began
        total = self.patience.total - spent
        return min(total, self.patience.gap if self.started else self.patience.first - spent)


class Model:
    """A language model behind an address. For one event loop; close it there."""

    def __init__(
        self,
        base_url: str,
        name: str,
        *,
        api_key: str = "",
        concurrency: int = 4,
        breaker: Breaker | None = None,
        backoff_seconds: float = 0.5,
    ) -> None:
        """Make ready; nothing is sent yet.

        Args:
            base_url: Such as `http://127.0.0.1:11434/v1`.
            name: Of the model there.
            api_key: Is sent along; "" where none is needed.
            concurrency: Calls at the same time; a further one fails at once.
            breaker: Keeps from calling what has failed.
            backoff_seconds: Before a second try at most; twice that before the third.
        """
        self._client = _open(base_url, api_key or _NO_KEY)
        self._completions = self._client.chat.completions  # imports more: not in the event loop
        self._name = name
        self._free = concurrency
        self._breaker = breaker or Breaker()
        self._backoff_seconds = backoff_seconds

    async def write(
        self, prompt: Prompt, *, patience: Patience, max_tokens: int
    ) -> AsyncGenerator[str]:
        """Yield what the model writes, in parts as they come.

        Close it when no more is wanted: the connection is then closed and the model stops.

        Args:
            prompt: What it is told.
            patience: How long it may take.
            max_tokens: After which the model is to stop.

        Raises:
            GenerationError: It did not come to its end. What was yielded before is its beginning.
        """
        if self._free <= 0:
            raise GenerationError(reason="busy")
        if not self._breaker.admits():
            raise GenerationError(reason="paused")
        self._free -= 1
        told = False
        try:
            async with aclosing(self._tries(_Call(patience), prompt, max_tokens)) as parts:
                async for part in parts:
                    yield part
            self._breaker.succeeded()
            told = True
        except GenerationError as error:
            self._report(error)
            told = True
            raise
        finally:
            self._free += 1
            if not told:
                self._breaker.left()

    @property
    def is_resting(self) -> bool:
        """Whether it failed too often to be called now, or has not worked since."""
        return self._breaker.is_open

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _report(self, error: GenerationError) -> None:
        if error.reason in {"length", "filtered"}:
            self._breaker.succeeded()  # it works, it only said too much
        else:
            self._breaker.failed(lasting=error.reason == "refused")
        _log.warning("language model: %s %s", error.reason, error.detail)

    async def _tries(self, call: _Call, prompt: Prompt, max_tokens: int) -> AsyncGenerator[str]:
        for attempt in range(RETRIES + 1):
            try:
                async with aclosing(self._once(call, prompt, max_tokens)) as parts:
                    async for part in parts:
                        yield part
            except Failure as failure:
                wait = failure.wait_seconds
                if wait is None:  # full jitter: Brooker, "Exponential Backoff And Jitter", 2015
                    wait = random.uniform(0, self._backoff_seconds * 2**attempt)  # noqa: S311
                last = attempt == RETRIES or call.started or not failure.passing
                if last or wait >= call.left():
                    raise GenerationError(reason=failure.reason, detail=failure.detail) from None
                await anyio.sleep(wait)
            else:
                return

    async def _once(self, call: _Call, prompt: Prompt, max_tokens: int) -> AsyncGenerator[str]:
        messages: list[ChatCompletionMessageParam] = [
            {"role": "system", "content": prompt.system},
            {"role": "user", "content": prompt.user},
        ]
        created = self._completions.create(
            model=self._name, messages=messages, max_tokens=max_tokens, temperature=0, stream=True
        )
        stream = await _within(call, created)
        async with stream:
            try:
                while True:
                    chunk = await _within(call, anext(stream, None))
                    if chunk is None:  # the library takes a stream that just ends for complete
                        raise Failure(reason="cut", detail="no finish_reason", passing=True)
                    text, finish = _read(chunk)
                    if text:
                        call.started = True
                        yield text
                    if finish:
                        break
                await _unwind(stream, _GOODBYE_SECONDS)
            finally:
                await _unwind(stream, 0)
        if finish in _UNFINISHED:
            raise Failure(reason=_UNFINISHED[finish], passing=False)


def _open(base_url: str, api_key: str) -> "AsyncOpenAI":
    try:
        import httpx2  # noqa: PLC0415  # half a second that only those who have a model spend
        from openai import AsyncOpenAI  # noqa: PLC0415  # likewise
    except ImportError as error:
        raise ExtraNotInstalledError(library="openai", extra="llm") from error

    from bot.llm.transport import BoundedTransport  # noqa: PLC0415  # likewise

    timeout = httpx2.Timeout(
        None, connect=_CONNECT_SECONDS, write=_WRITE_SECONDS, pool=_POOL_SECONDS
    )
    return AsyncOpenAI(
        base_url=base_url,
        api_key=api_key,
        max_retries=0,  # ours stop at the first word and know the deadline
        timeout=timeout,
        default_headers={"accept-encoding": "identity"},
        http_client=httpx2.AsyncClient(
            transport=BoundedTransport(), timeout=timeout, trust_env=False
        ),
    )


async def _within(call: _Call, awaitable: Awaitable[_T]) -> _T:
    """Await what the server is to do, in the time that it has.

    Raises:
        Failure: It did something else, or nothing.
    """
    try:
        with anyio.fail_after(max(call.left(), 0)):
            return await awaitable
    except Exception as error:  # noqa: BLE001  # the library lets through what it did not expect
        raise failure_of(error, started=call.started) from None


async def _unwind(stream: "AsyncStream[ChatCompletionChunk]", seconds: float) -> None:
    """Read to the end of the stream if it comes in time, so that the connection can serve again.

    If not, the reading is cancelled from within: closed from without, the generators that the
    library nests would be left to the garbage collector, which closes them in no order.
    """
    with suppress(Exception), anyio.move_on_after(seconds, shield=True):
        while await anext(stream, None):
            pass


def _read(chunk: object) -> tuple[str, str]:
    """Return text and reason of the end of a chunk; the library does not check their types."""
    choices = getattr(chunk, "choices", None)
    choice = choices[0] if isinstance(choices, list) and choices else None
    text = getattr(getattr(choice, "delta", None), "content", None)
    finish = getattr(choice, "finish_reason", None)
    return (text if isinstance(text, str) else "", finish if isinstance(finish, str) else "")
