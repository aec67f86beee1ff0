"""Questions within conversations: what every channel calls, and so answers the same.

A channel calls three functions: `accept`, then `answer` or `stream`, then `reply_json`. They do
the work in the threads of the service, use the language model where one is configured, and count.
`begin` and `finish` are what they are made of where no model is.
"""

import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

from anyio import CancelScope
from sqlalchemy.exc import SQLAlchemyError

from bot.answer import Answer, Turn
from bot.bot import Prepared, Weighed
from bot.conversations import new_id
from bot.counters import Counters
from bot.errors import Fallback, GenerationError, QuestionError
from bot.evidence import wanted
from bot.pieces import Piece, pieces
from bot.question import check
from bot.runtime import Runtime
from bot.smalltalk import small_talk
from bot.storing import is_unwritable
from bot.told import completed
from bot.verify import without_markers
from bot.wire import Json, Sources, answer_json

_log = logging.getLogger("wenqu")
_questions = logging.getLogger("wenqu.questions")

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Workers(Protocol):
    """Threads that do the work; `bot.api.state.Workers` is one."""

    async def admit(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do `work` for a caller that is new."""

    async def go_on(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do `work` for a caller that was admitted before."""


class Desk(Protocol):
    """Where questions are taken; `bot.api.state.State` is one."""

    @property
    def runtime(self) -> Runtime:
        """Answers."""

    @property
    def workers(self) -> Workers:
        """Do the work."""

    @property
    def metrics(self) -> Counters:
        """Count."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question that was accepted and searched, and is about to be answered.

    Attributes:
        session_id: Of the conversation it belongs to, new or continued; "" if it is not kept.
        turn_id: Under which it will be kept, if it is.
        collection: Which was searched.
        prepared: What was found.
        sources: Names and links of the documents found.
    """

    session_id: str
    turn_id: str
    collection: str
    prepared: Prepared
    sources: Sources


async def accept(
    desk: Desk,
    question: str,
    *,
    session_id: str | None = None,
    turns: Sequence[Turn] | None = None,
    collection: str | None = None,
    top_k: int | None = None,
) -> Exchange:
    """Accept a question and search for it; see `begin`.

    Raises:
        OverloadedError: Too many questions are waiting.
        TimeoutError: It took too long.
        QuestionError: It is empty, too long or broken.
        CollectionNotFoundError: There is no such collection.
        SessionNotFoundError: There is no such conversation in that collection.
    """
    runtime, workers = desk.runtime, desk.workers
    if runtime.settings.log_questions:
        _questions.info("a question", extra={"fields": {"question": question}})
    work = partial(
        begin,
        runtime,
        question,
        session_id=session_id,
        turns=turns,
        collection=collection,
        top_k=top_k,
    )
    if runtime.writer is None or not (session_id or turns):
        return await workers.admit(work)
    before = await workers.admit(_before, runtime, question, session_id, turns, collection)
    rewritten = None
    if before and not small_talk(question.strip()):
        rewritten = await runtime.writer.rewrite(question.strip(), before, desk.metrics)
    return await workers.go_on(work, rewritten=rewritten)


async def answer(desk: Desk, exchange: Exchange) -> Answer:
    """Answer an accepted question and keep the turn: what `stream` yields last.

    Raises:
        TimeoutError: It took too long.
        SessionNotFoundError: The conversation has been deleted meanwhile.
    """
    async with aclosing(stream(desk, exchange)) as parts:
        async for part in parts:
            if isinstance(part, Answer):
                return part
    message = "a stream ended without its answer"
    raise RuntimeError(message)


async def stream(desk: Desk, exchange: Exchange) -> AsyncGenerator[Piece | Answer]:
    """Answer an accepted question sentence by sentence, and keep the turn.

    Close it (`contextlib.aclosing`) when nobody listens any more: a model that is still writing
    is then told to stop, and what it had said is kept.

    Yields:
        The pieces, each once it is certain, and lastly the answer that they make up.

    Raises:
        TimeoutError: It took too long.
        SessionNotFoundError: The conversation has been deleted meanwhile.
    """
    written = _from_documents if desk.runtime.writer is None else _from_model
    async with aclosing(written(desk, exchange)) as parts:
        async for part in parts:
            if isinstance(part, Answer):
                desk.metrics.count_answer(part)
            yield part


async def _from_documents(desk: Desk, exchange: Exchange) -> AsyncGenerator[Piece | Answer]:
    said = await desk.workers.go_on(finish, desk.runtime, exchange)
    for piece in pieces(said):
        yield piece
    yield said


async def _from_model(desk: Desk, exchange: Exchange) -> AsyncGenerator[Piece | Answer]:
    """Yield what the model writes, or the documents' own sentences where it writes nothing.

    These decide first whether there is an answer: a refusal stays one, and costs no token.
    """
    said, weighed = await desk.workers.go_on(_read, desk.runtime, exchange)
    shown: list[Piece] = []
    fallback: Fallback | None = None
    try:
        if weighed and said.kind == "grounded":
            try:
                async with aclosing(_written(desk, exchange, said, weighed)) as parts:
                    async for piece in parts:
                        shown.append(piece)
                        yield piece
            except GenerationError as error:
                fallback = error.reason
    finally:  # also when nobody listens any more
        timings = exchange.prepared.watch.timings()
        said = replace(_joined(said, shown), fallback=fallback, timings=timings)
        with CancelScope(shield=True):
            said = await desk.workers.go_on(_kept, desk.runtime, exchange, said)
    if not shown:
        for piece in pieces(said):
            yield piece
    yield said


async def _written(
    desk: Desk, exchange: Exchange, said: Answer, weighed: Weighed
) -> AsyncGenerator[Piece]:
    runtime, question = desk.runtime, weighed.question
    if runtime.writer is None:
        return
    needed = wanted(question, without_markers(said.text))

    def answers(sentence: str) -> bool:
        """Whether it has the date or the like, if the documents' own answer has one."""
        return wanted(question, sentence) >= needed

    with exchange.prepared.watch.stage("llm"):
        parts = runtime.writer.write(
            question.text, weighed.hits, answers, runtime.segmenter, desk.metrics
        )
        async with aclosing(parts):
            async for piece in parts:
                yield piece


def _read(runtime: Runtime, exchange: Exchange) -> tuple[Answer, Weighed | None]:
    """Answer from the documents, and return what that was made from."""
    bot = runtime.bot(exchange.collection)
    weighed = bot.weigh(exchange.prepared)
    return bot.answer(exchange.prepared, weighed), weighed


def _joined(said: Answer, shown: Sequence[Piece]) -> Answer:
    """Return the answer that the pieces shown make up; `said` if there are none."""
    if not shown:
        return said
    citations = tuple(citation for piece in shown for citation in piece.citations)
    text = "".join(piece.text for piece in shown)
    return replace(said, text=text, citations=citations, mode="llm")


def _kept(runtime: Runtime, exchange: Exchange, said: Answer) -> Answer:
    """Keep the turn and return the answer, which says so if there was no room for it."""
    if exchange.session_id:
        turn = Turn(exchange.prepared.question, said)
        try:
            runtime.conversations.add(exchange.session_id, turn, turn_id=exchange.turn_id)
        except SQLAlchemyError as error:
            _pass_over(error)
            return replace(said, kept=False)
    return said


def _started(runtime: Runtime, collection: str) -> str:
    """Begin a conversation and return its id, "" if there is no room for it."""
    try:
        return runtime.conversations.start(collection)
    except SQLAlchemyError as error:
        _pass_over(error)
        return ""


def _pass_over(error: SQLAlchemyError) -> None:
    """Log that a conversation is not stored; an answer is worth more. Any other error goes on."""
    if not is_unwritable(error):
        raise error
    _log.warning("a conversation is not stored: %s", error.orig if hasattr(error, "orig") else "")


def begin(
    runtime: Runtime,
    question: str,
    *,
    session_id: str | None = None,
    turns: Sequence[Turn] | None = None,
    collection: str | None = None,
    top_k: int | None = None,
    rewritten: str | None = None,
) -> Exchange:
    """Accept a question and search for it.

    Args:
        runtime: Answers.
        question: As it was typed.
        session_id: Of a conversation to go on with; a new one begins if None.
        turns: What was said before, oldest first, as a caller tells it who keeps the conversation:
            then nothing is kept here, and there is no session.
        collection: To search; the default one if None.
        top_k: Passages to answer from.
        rewritten: The question standing alone, if that is known already.

    Raises:
        QuestionError: It is empty, too long or broken.
        CollectionNotFoundError: There is no such collection.
        SessionNotFoundError: There is no such conversation in that collection.
    """
    before = _before(runtime, question, session_id, turns, collection)
    name = runtime.known(collection)
    prepared, sources = runtime.found(
        name,
        partial(
            runtime.bot(name).prepare,
            question,
            before,
            top_k=top_k or runtime.settings.top_k,
            rewritten=rewritten,
        ),
        lambda prepared: prepared.hits,
    )
    return Exchange(
        (session_id or _started(runtime, name)) if turns is None else "",
        new_id(),
        name,
        prepared,
        sources,
    )


def finish(runtime: Runtime, exchange: Exchange) -> Answer:
    """Answer from the documents' own sentences, and keep the turn if the conversation is kept."""
    said = runtime.bot(exchange.collection).answer(exchange.prepared)
    return _kept(runtime, exchange, said)


def reply_json(exchange: Exchange, answer: Answer) -> Json:
    """Return the whole answer object of an exchange."""
    session_id = exchange.session_id or None
    turn_id = exchange.turn_id if session_id and answer.kept else None
    return answer_json(answer, exchange.sources, session_id=session_id, turn_id=turn_id)


def _before(
    runtime: Runtime,
    question: str,
    session_id: str | None,
    turns: Sequence[Turn] | None,
    collection: str | None,
) -> Sequence[Turn]:
    """Check a question and return what was said before it, oldest first; see `begin`."""
    check(question)
    _check_length(runtime, question)
    name = runtime.known(collection)
    if turns is not None:
        return completed(turns, runtime.bot(name).library)
    return runtime.conversations.turns(session_id, name) if session_id else ()


def _check_length(runtime: Runtime, question: str) -> None:
    longest = runtime.settings.max_question_characters
    if len(question.strip()) > longest:
        reason = f"{len(question)} characters, at most {longest}"
        raise QuestionError(code="too_long", reason=reason)
