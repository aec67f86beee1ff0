"""A question from a terminal, answered by the same path as those of every other channel."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from bot.answer import Answer, Turn
    from bot.counters import Outcome, Verdict
    from bot.runtime import Runtime

_P = ParamSpec("_P")
_T = TypeVar("_T")


@contextmanager
def asking(
    runtime: "Runtime", collection: str
) -> Iterator[Callable[[str, Sequence["Turn"]], "Answer"]]:
    """Yield what answers a question that follows some turns, oldest first.

    Args:
        runtime: Answers, with its language model if it has one.
        collection: To search.
    """
    writer, top_k = runtime.writer, runtime.settings.top_k
    if writer is None:
        bot = runtime.bot(collection)
        yield lambda question, turns: bot.ask(question, turns, top_k=top_k)
        return
    from anyio.from_thread import start_blocking_portal  # noqa: PLC0415  # only for a model

    from bot import service  # noqa: PLC0415  # likewise

    desk = _Desk(runtime)

    async def answer(question: str, turns: Sequence["Turn"]) -> "Answer":
        exchange = await service.accept(desk, question, turns=turns, collection=collection)
        return await service.answer(desk, exchange)

    with start_blocking_portal() as portal:
        try:
            yield lambda question, turns: portal.call(answer, question, turns)
        finally:
            portal.call(writer.close)


class _Workers:
    """One user: nobody waits."""

    async def go_on(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        from functools import partial  # noqa: PLC0415  # only for a model

        from anyio import to_thread  # noqa: PLC0415  # likewise

        return await to_thread.run_sync(partial(work, *args, **kwargs))

    admit = go_on


class _Uncounted:
    def count_answer(self, answer: "Answer") -> None:
        """Count nothing."""

    def count_llm_call(self, outcome: "Outcome") -> None:
        """Count nothing."""

    def count_sentence(self, verdict: "Verdict") -> None:
        """Count nothing."""


class _Desk:
    """Where the one user of a terminal asks; a `bot.service.Desk`."""

    def __init__(self, runtime: "Runtime") -> None:
        self.runtime = runtime
        self.workers = _Workers()
        self.metrics = _Uncounted()
