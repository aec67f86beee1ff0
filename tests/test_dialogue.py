import logging
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import anyio
import pytest
from fastapi import FastAPI

from bot.api.metrics import Metrics
from bot.api.state import State
from bot.api.workers import Workers
from bot.channels.dialogue import TEXT_ONLY, Dialogue
from bot.channels.jobs import LEASE_SECONDS, Job, Jobs, Message
from bot.errors import NotReadyError, OverloadedError, PlatformError
from bot.runtime import Runtime
from bot.testing import CAT_QUESTION
from bot.wire import Json

_P = ParamSpec("_P")
_T = TypeVar("_T")

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Chat:
    """A chat tool that remembers what it was sent, and fails as often as it is told to."""

    def __init__(self, runtime: Runtime, *, failures: int = 0, stuck: bool = False) -> None:
        self.sent: list[tuple[str, Json]] = []
        self.failures = failures
        self.stuck = stuck
        self.dialogue = Dialogue("chat", self.send)
        self.state = State(runtime.settings, lambda _: runtime, Metrics(), Workers(2, 64))
        self.app = FastAPI()
        self.app.state.wenqu = self.state

    async def send(self, message: Message, reply: Json) -> None:
        if self.stuck:
            await anyio.sleep(60)
        if self.failures:
            self.failures -= 1
            reason = "refused"
            raise PlatformError(reason, arrived=False)
        self.sent.append((message.id, reply))

    async def say(self, name: str, text: str | None = CAT_QUESTION, chat: str = "c") -> None:
        await self.dialogue.accept(self.state, Message("chat", name, chat, text, {}))

    async def wait(self, count: int) -> list[str]:
        await until(lambda: len(self.sent) >= count)
        return [name for name, _ in self.sent]

    async def until(self, name: str, is_so: Callable[[Job], bool]) -> Job:
        with anyio.fail_after(20):
            while not (job := await self.dialogue.find(self.state, name)) or not is_so(job):  # noqa: ASYNC110
                await anyio.sleep(0.01)
            return job


async def until(is_so: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not is_so():  # noqa: ASYNC110  # nothing of what is watched has an event
            await anyio.sleep(0.01)


async def test_messages_are_answered_in_the_order_of_their_chat(runtime: Runtime) -> None:
    chat = Chat(runtime)
    chat.state.load()
    async with chat.dialogue.lifespan(chat.app):
        for number in range(12):
            await chat.say(f"{number % 2}-{number // 2}", chat=str(number % 2))
            await chat.say(f"{number % 2}-{number // 2}", chat=str(number % 2))  # again
        names = await chat.wait(12)
    assert sorted(names) == sorted({*names})
    for each in "01":
        assert [name for name in names if name[0] == each] == [f"{each}-{n}" for n in range(6)]
    sessions = {reply["session_id"] for _, reply in chat.sent}
    assert len(sessions) == 2


async def test_nothing_is_kept_before_it_can_be_answered(runtime: Runtime) -> None:
    chat = Chat(runtime)
    async with chat.dialogue.lifespan(chat.app):
        with pytest.raises(NotReadyError):
            await chat.say("1")
        chat.state.load()
        await chat.say("1")
        assert await chat.wait(1) == ["1"]


async def test_what_is_no_text_and_what_is_broken_is_answered_in_words(runtime: Runtime) -> None:
    chat = Chat(runtime)
    chat.state.load()
    async with chat.dialogue.lifespan(chat.app):
        await chat.say("1", None)
        await chat.say("2", "\ud800\0")
        await chat.wait(2)
    assert chat.sent[0][1] == {"answer": TEXT_ONLY, "citations": [], "turn_id": None}
    assert "问题是空的" in chat.sent[1][1]["answer"]


async def test_a_refused_answer_ends_its_message_and_no_other(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    chat = Chat(runtime, failures=1)
    chat.state.load()
    async with chat.dialogue.lifespan(chat.app):
        await chat.say("1")
        await chat.say("2")
        assert await chat.wait(1) == ["2"]
        ended = await chat.dialogue.find(chat.state, "1")
    assert ended
    assert ended.state == "dead"
    assert "chat: no answer sent: refused" in caplog.text
    assert "阿花" not in caplog.text


async def test_who_stops_leaves_its_work_to_the_next_with_the_answer_worked_out(
    runtime: Runtime,
) -> None:
    stuck, next_one = Chat(runtime, stuck=True), Chat(runtime)
    stuck.state.load()
    next_one.state.load()
    async with stuck.dialogue.lifespan(stuck.app):
        await stuck.say("1")
        job = await stuck.until("1", lambda job: job.reply is not None)
    async with next_one.dialogue.lifespan(next_one.app):
        assert await next_one.wait(1) == ["1"]
    assert next_one.sent[0][1] == job.reply
    assert job.reply
    turns = runtime.conversations.get(job.reply["session_id"]).turns
    assert [turn.id for turn in turns] == [job.turn_id]  # answered once


async def test_a_message_that_kills_whoever_answers_it_is_given_up(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    chat = Chat(runtime)
    chat.state.load()
    now = time.time() - 1000
    jobs = Jobs(runtime.database, lambda: now)
    jobs.accept(Message("chat", "1", "c", CAT_QUESTION, {}))
    for _ in range(5):
        assert jobs.take("chat")
        now += LEASE_SECONDS
    async with chat.dialogue.lifespan(chat.app):
        await chat.say("2")
        assert await chat.wait(1) == ["2"]
    assert "given up after 5 tries" in caplog.text


async def test_a_database_that_is_away_for_a_while_stops_nothing(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    chat = Chat(runtime)
    chat.state.load()
    async with chat.dialogue.lifespan(chat.app):
        await chat.say("1")
        await chat.until("1", lambda job: job.state == "done")
        with runtime.database.write() as session:
            connection = session.connection()
            connection.exec_driver_sql("ALTER TABLE channel_jobs RENAME TO away")
        await until(lambda: "cannot be read" in caplog.text)
        with runtime.database.write() as session:
            session.connection().exec_driver_sql("ALTER TABLE away RENAME TO channel_jobs")
        await chat.say("2")
        assert await chat.wait(2) == ["1", "2"]


async def test_who_waits_for_an_answer_gets_it_at_once_or_not_at_all(runtime: Runtime) -> None:
    chat = Chat(runtime, stuck=True)
    chat.state.load()
    async with chat.dialogue.lifespan(chat.app):
        assert await chat.dialogue.find_answered(chat.state, "nobody's", 5) is None
        await chat.say("1")
        found = await chat.dialogue.find_answered(chat.state, "1", 20)
        assert found
        assert found.reply
    await chat.say("2")  # nobody works any more
    late = await chat.dialogue.find_answered(chat.state, "2", 0.1)
    assert late
    assert late.reply is None


class Crowded(Workers):
    """Turns the first caller away."""

    turned_away = False

    async def admit(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        if not self.turned_away:
            self.turned_away = True
            raise OverloadedError(0)
        return await self.go_on(work, *args, **kwargs)


async def test_who_was_told_that_it_is_taken_waits_where_others_are_turned_away(
    runtime: Runtime,
) -> None:
    chat = Chat(runtime)
    chat.state.workers = Crowded(1, 0)
    chat.state.load()
    async with chat.dialogue.lifespan(chat.app):
        await chat.say("1")
        await chat.wait(1)
    assert "屋顶" in chat.sent[0][1]["answer"]
