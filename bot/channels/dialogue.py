"""The conversation behind a chat tool: messages are accepted, answered in turn, and sent."""

import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import anyio
from anyio import to_thread
from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError

from bot import service
from bot.api.envelope import REQUEST_ID
from bot.api.state import State
from bot.caller import Caller
from bot.channels.gate import storable
from bot.channels.inbox import Threads
from bot.channels.jobs import LEASE_SECONDS, Job, Jobs, Message
from bot.errors import OverloadedError, PlatformError, SessionNotFoundError
from bot.problems import INTERNAL, problem_of
from bot.service import Exchange
from bot.wire import Json

TEXT_ONLY = "目前只能回答文字写的问题，请把问题打成文字再发一次。"
_AT_ONCE = 8
"""Messages of a channel that are worked on; the others wait their turn."""
_TRIES = 5
_IDLE_SECONDS = 1.0
"""Between looks for jobs that another process has left; our own are taken up at once."""
_PURGE_SECONDS = 60.0
_PATIENCE_SECONDS = 60.0
_log = logging.getLogger("wenqu")


class Dialogue:
    """The messages of one channel, from their acceptance to the answer.

    An answer is sent at least once whatever happens to this process, and once but for the moment
    between a platform's taking it and our writing that down.
    """

    def __init__(
        self,
        channel: str,
        send: Callable[[Message, Json], Awaitable[None]],
        *,
        announce: Callable[[Message], Awaitable[None]] | None = None,
        answer: Callable[[State, Message], Awaitable[Json]] | None = None,
        collection: str | None = None,
    ) -> None:
        """Answer the messages of a channel.

        Args:
            channel: Its name.
            send: Gets the answer object.
            announce: Is called before there is an answer, to say that one is coming.
            answer: Makes what `send` gets, with a `turn_id` in it, in place of the answer object.
            collection: To search; the default one if None.
        """
        self._channel = channel
        self._send = send
        self._announce = announce
        self._make = answer or self._answered
        self._collection = collection
        self._came = anyio.Event()
        self._went = anyio.Event()
        self._busy: set[str] = set()
        self._jobs: Jobs | None = None

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Work for as long as the application runs."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._work, app.state.wenqu)
            yield
            tasks.cancel_scope.cancel()

    async def accept(self, state: State, message: Message) -> None:
        """Keep a message that is new; it is answered soon.

        Raises:
            NotReadyError: Nothing can be answered yet, and nothing was kept.
            OverloadedError: Too many wait, and nothing was kept.
        """
        jobs = await to_thread.run_sync(self._opened, state)
        if message.text is not None:
            message = replace(message, text=storable(message.text))
        if await to_thread.run_sync(jobs.accept, message):
            fields = {"job": _name(message)}  # under which its answer is logged
            _log.info("%s: a message is accepted", self._channel, extra={"fields": fields})
            self._came.set()

    async def find(self, state: State, message_id: str) -> Job | None:
        """Return what has become of a message.

        Raises:
            NotReadyError: It is still loading.
        """
        jobs = await to_thread.run_sync(self._opened, state)
        return await to_thread.run_sync(jobs.find, self._channel, message_id)

    async def find_answered(self, state: State, message_id: str, seconds: float) -> Job | None:
        """Return what has become of a message, once it is answered or the time is up."""
        job = None
        with anyio.move_on_after(seconds):
            while True:
                went = self._went  # before looking: nothing that happens meanwhile is missed
                job = await self.find(state, message_id)
                if job is None or job.reply or job.state != "waiting":
                    return job
                await went.wait()
        return job

    def _opened(self, state: State) -> Jobs:
        if self._jobs is None:
            self._jobs = Jobs(state.runtime.database)
        return self._jobs

    async def _work(self, state: State) -> None:
        jobs = await self._ready(state)
        room = anyio.Semaphore(_AT_ONCE)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._renew, jobs)
            while True:
                await room.acquire()
                job = await self._next(jobs)
                tasks.start_soon(self._serve, state, jobs, job, room)

    async def _ready(self, state: State) -> Jobs:
        while True:
            try:
                return await to_thread.run_sync(self._opened, state)
            except Exception:  # noqa: BLE001  # it is still loading, or tried again: /readyz tells
                await anyio.sleep(_IDLE_SECONDS / 4)

    async def _next(self, jobs: Jobs) -> Job:
        while True:
            self._came = anyio.Event()
            try:
                job = await to_thread.run_sync(jobs.take, self._channel)
            except SQLAlchemyError:  # the database may come back
                _log.exception("the jobs of %s cannot be read", self._channel)
                job = None
            if job is not None:
                return job
            with anyio.move_on_after(_IDLE_SECONDS):
                await self._came.wait()

    async def _serve(self, state: State, jobs: Jobs, job: Job, room: anyio.Semaphore) -> None:
        REQUEST_ID.set(_name(job.message))
        self._busy.add(job.message.id)
        try:
            await self._answer(state, jobs, job)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True), suppress(SQLAlchemyError):
                await to_thread.run_sync(jobs.release, job.message)  # nobody need wait for it
            raise
        except SQLAlchemyError:  # it is taken up again when nobody renews the claim
            _log.exception("%s: what became of a message cannot be kept", self._channel)
        except Exception as error:  # noqa: BLE001  # one message must not end the others
            told = error if isinstance(error, PlatformError) else None
            _log.error("%s: no answer sent: %s", self._channel, told, exc_info=told is None)
            with suppress(SQLAlchemyError):  # then it is tried again, a few times
                await to_thread.run_sync(jobs.close, job.message, "dead")
        finally:
            self._busy.discard(job.message.id)
            room.release()
            self._came.set()  # the next of this chat may be due

    async def _answer(self, state: State, jobs: Jobs, job: Job) -> None:
        if job.tries > _TRIES:
            message = f"given up after {_TRIES} tries"
            raise PlatformError(message, arrived=False)
        reply = job.reply
        if reply is None:
            if self._announce is not None:
                await self._announce(job.message)
            reply = await self._make(state, job.message)
            await to_thread.run_sync(jobs.keep, job.message, reply)
            self._went.set()
            self._went = anyio.Event()
        await self._send(job.message, reply)
        await to_thread.run_sync(jobs.close, job.message, "done")

    async def _answered(self, state: State, message: Message) -> Json:
        """Return the answer object; of what cannot be answered, an object that says so."""
        if message.text is None:
            return said(TEXT_ONLY)
        try:
            exchange = await begun(state, message, message.text, self._collection)
            return service.reply_json(exchange, await service.answer(state, exchange))
        except Exception as error:  # noqa: BLE001  # somebody waits for words, whatever it is
            return failed(error)

    async def _renew(self, jobs: Jobs) -> None:
        purged = -_PURGE_SECONDS
        while True:
            try:
                await to_thread.run_sync(jobs.renew, self._channel, tuple(self._busy))
                if anyio.current_time() - purged > _PURGE_SECONDS:
                    await to_thread.run_sync(jobs.purge)
                    purged = anyio.current_time()
            except SQLAlchemyError:
                _log.exception("the jobs of %s cannot be kept", self._channel)
            await anyio.sleep(LEASE_SECONDS / 3)


def _name(message: Message) -> str:
    """Return what a message is called in the log: the same each time it is tried."""
    named = f"{message.channel}:{message.id}".encode()
    return f"{message.channel}-{hashlib.sha256(named).hexdigest()[:16]}"


def failed(error: Exception) -> Json:
    """Return an object that says what went wrong; what nobody expected is logged."""
    problem = problem_of(error)
    if problem is INTERNAL:
        _log.error("a message could not be answered", exc_info=error)
    return said(problem.detail)


def said(text: str) -> Json:
    """Return words of our own in the form of an answer object."""
    return {"answer": text, "citations": [], "turn_id": None}


async def begun(state: State, message: Message, question: str, collection: str | None) -> Exchange:
    """Accept a question in the conversation of its chat; in a new one if that is gone.

    Raises:
        QuestionError: It is empty, too long or broken.
        CollectionNotFoundError: There is no such collection.
        OverloadedError: Others have been waiting for a minute.
    """
    state = state.seen_by(Caller.of_channel(message.channel))
    threads = Threads(state.runtime.database)
    known = await to_thread.run_sync(threads.session, message.channel, message.chat)
    try:
        exchange = await _accepted(state, question, known, collection)
    except SessionNotFoundError:
        exchange = await _accepted(state, question, None, collection)
    if exchange.session_id != known:
        await to_thread.run_sync(threads.keep, message.channel, message.chat, exchange.session_id)
    return exchange


async def _accepted(
    state: State, question: str, session_id: str | None, collection: str | None
) -> Exchange:
    """Accept a question; its platform believes it taken, so it waits where others are sent away."""
    until = anyio.current_time() + _PATIENCE_SECONDS
    while True:
        try:
            return await service.accept(
                state, question, session_id=session_id, collection=collection
            )
        except OverloadedError as error:
            if anyio.current_time() > until:
                raise
            await anyio.sleep(error.retry_seconds)
