import base64
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from standardwebhooks import Webhook

from bot import service
from bot.answer import Answer, Citation, Turn
from bot.channels.courier import Courier
from bot.channels.endpoints import EVENTS, Event
from bot.channels.events import BYTES, encoded, message_of
from bot.channels.outbox import Delivery, Outbox
from bot.channels.webhook_testing import Came, Receiver, Said
from bot.outward import Outward
from bot.runtime import Runtime
from bot.sessions import SessionStore
from bot.settings import Settings
from bot.testing import CAT_QUESTION, cat_document
from bot.wire import Json
from corpus.document import Passage
from corpus.words import Segmenter
from index.database import Database
from index.testing import CharEmbedder

pytestmark = pytest.mark.anyio

SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
OLD_SECRET = f"whsec_{base64.b64encode(bytes(32)).decode()}"

Open = Callable[..., Runtime]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Clock:
    """Unix time, moved by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 10, tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(tmp_path: Path, segmenter: Segmenter, clock: Clock) -> Iterator[Open]:
    """Makes a runtime with endpoints; they are told what `asked` has them told, by `clock`."""
    made: list[Runtime] = []

    def open_with(endpoints: Mapping[str, object]) -> Runtime:
        settings = Settings(data=tmp_path / "var")
        runtime = Runtime(settings, Database(settings.database), CharEmbedder(""), segmenter)
        runtime.library().ingest([cat_document("手册/猫")])
        webhooks = Settings.model_validate({"webhooks": endpoints}).webhooks
        runtime.outbox = Outbox(runtime.database, webhooks, clock)
        made.append(runtime)
        return runtime

    yield open_with
    for runtime in made:
        runtime.close()


def endpoint(there: Receiver | None, *events: str) -> Json:
    url = there.url if there else "https://nobody.example/"
    return {"secret": f"{SECRET} {OLD_SECRET}", "url": url, "events": events, "private": True}


def asked(runtime: Runtime, question: str = CAT_QUESTION) -> tuple[str, str]:
    exchange = service.begin(runtime, question)
    said = service.finish(runtime, exchange)
    event: Event = "answer.refused" if said.refused else "answer.created"
    subject = {"session_id": exchange.session_id, "turn_id": exchange.turn_id}
    with runtime.database.write() as session:
        runtime.outbox.tell(session, event, subject)
    return exchange.session_id, exchange.turn_id


def taken(runtime: Runtime, name: str = "crm") -> Delivery:
    delivery = runtime.outbox.take(name)
    assert delivery is not None
    return delivery


@asynccontextmanager
async def delivering(
    runtime: Runtime, clock: Clock, counted: list[str] | None = None
) -> AsyncIterator[Courier]:
    tries: list[str] = [] if counted is None else counted
    async with Outward() as outward:
        yield Courier(runtime, outward, tries.append, clock=clock, idle_seconds=0.02)


def check_signature(came: Came, now: float, secret: str = SECRET) -> None:
    assert came.headers["webhook-timestamp"] == str(int(now))
    at = datetime.fromtimestamp(int(now), UTC)
    expected = Webhook(secret).sign(came.id, at, came.body.decode())
    assert came.headers["webhook-signature"] == expected


async def test_an_answer_is_told_whole_and_signed(opened: Open, clock: Clock) -> None:
    with Receiver(204) as there:
        runtime = opened({"crm": endpoint(there, *EVENTS)})
        _, turn_id = asked(runtime)
        async with delivering(runtime, clock) as courier:
            await courier.deliver(taken(runtime))
        (came,) = there.came
        check_signature(came, clock.now)
        (logged,) = runtime.outbox.log()
        assert (logged.fate, logged.status, logged.event_id) == ("delivered", 204, came.id)
    message = came.message
    assert (message["type"], message["timestamp"]) == ("answer.created", "2026-03-10T00:00:00Z")
    data = message["data"]
    assert (data["question"], data["turn_id"], data["collection"]) == (
        CAT_QUESTION,
        turn_id,
        "default",
    )
    (citation, *_) = data["citations"]
    text = runtime.library().document(citation["document_id"]).text
    assert text[citation["start"] : citation["end"]] == citation["quote"]
    assert data["text"].startswith(data["answer"])
    assert f"[1] 题 手册/猫：“{citation['quote']}”" in data["text"]


async def test_every_try_has_the_same_id_and_body_and_a_signature_of_its_own(
    opened: Open, clock: Clock
) -> None:
    with Receiver(500, 301, 404, 200) as there:
        runtime = opened({"crm": endpoint(there, *EVENTS)})
        asked(runtime)
        counted: list[str] = []
        async with delivering(runtime, clock, counted) as courier:
            for _ in range(4):
                await courier.deliver(taken(runtime))
                check_signature(there.came[-1], clock.now)
                clock.now = runtime.outbox.log()[0].due_at
        assert len({came.id for came in there.came}) == 1
        assert len({came.body for came in there.came}) == 1
        assert len({came.headers["webhook-signature"] for came in there.came}) == 4
        (logged,) = runtime.outbox.log()
    assert (logged.fate, logged.tries, logged.status) == ("delivered", 4, 200)
    assert counted == ["failed", "failed", "failed", "delivered"]


async def test_ten_tries_and_no_more(
    opened: Open, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with Receiver(500) as there:
        runtime = opened({"crm": endpoint(there, *EVENTS)})
        asked(runtime)
        counted: list[str] = []
        async with delivering(runtime, clock, counted) as courier:
            for _ in range(10):
                await courier.deliver(taken(runtime))
                clock.now = runtime.outbox.log()[0].due_at
        assert runtime.outbox.take("crm") is None
        assert len(there.came) == 10
    assert counted == ["failed"] * 9 + ["dead"]
    assert "given up after 10 tries: HTTP 500" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(("status", "waits"), [(429, 600), (503, 600), (400, 6)])
async def test_who_is_busy_is_given_the_time_it_asks_for(
    opened: Open, clock: Clock, status: int, waits: float
) -> None:
    with Receiver(Said(status, {"retry-after": "600"})) as there:
        runtime = opened({"crm": endpoint(there, *EVENTS)})
        asked(runtime)
        async with delivering(runtime, clock) as courier:
            await courier.deliver(taken(runtime))
    wait = runtime.outbox.log()[0].due_at - clock.now
    assert wait == 600 if waits == 600 else 5 <= wait <= waits


async def test_who_is_gone_is_told_of_nothing_more(opened: Open, clock: Clock) -> None:
    with Receiver(410, 200) as there:
        runtime = opened({"crm": endpoint(there, *EVENTS)})
        asked(runtime)
        asked(runtime)
        async with delivering(runtime, clock) as courier:
            await courier.deliver(taken(runtime))
            await courier.deliver(taken(runtime))
            assert len(there.came) == 1
            last, first = runtime.outbox.log()
            assert (first.fate, first.status) == ("dead", 410)
            assert (last.fate, last.status, last.reason) == ("dead", None, "the endpoint is gone")
            runtime.outbox.replay(last.position)
            await courier.deliver(taken(runtime))
        assert there.came[1].id == last.event_id


async def test_what_was_deleted_meanwhile_is_not_told(opened: Open, clock: Clock) -> None:
    with Receiver() as there:
        runtime = opened({"crm": endpoint(there, *EVENTS)})
        session_id, turn_id = asked(runtime)
        subject = {"session_id": session_id, "turn_id": turn_id, "voter": "", "vote": "down"}
        with runtime.database.write() as session:
            runtime.outbox.tell(session, "feedback.created", subject)
            runtime.outbox.reply(session, "crm", {"endpoint": "crm", "id": "msg_unknown"})
        runtime.conversations.delete(session_id)
        async with delivering(runtime, clock) as courier:
            while (delivery := runtime.outbox.take("crm")) is not None:
                await courier.deliver(delivery)
    assert there.came == []
    fates = [(each.fate, each.reason) for each in runtime.outbox.log()]
    assert fates == [("dead", "what it tells of was deleted")] * 3


async def test_an_answer_that_is_not_in_its_conversation_is_not_told(
    opened: Open, clock: Clock
) -> None:
    with Receiver() as there:
        runtime = opened({"crm": endpoint(there, *EVENTS)})
        subject = {"session_id": runtime.conversations.start("default"), "turn_id": "lost"}
        with runtime.database.write() as session:
            runtime.outbox.tell(session, "answer.created", subject)
        async with delivering(runtime, clock) as courier:
            await courier.deliver(taken(runtime))
    assert there.came == []
    assert runtime.outbox.log()[0].reason == "what it tells of was deleted"


async def test_a_quote_from_a_deleted_document_is_not_told(opened: Open, clock: Clock) -> None:
    with Receiver() as there:
        runtime = opened({"crm": endpoint(there, *EVENTS)})
        asked(runtime)
        runtime.library().delete(["手册/猫"])
        async with delivering(runtime, clock) as courier:
            await courier.deliver(taken(runtime))
        (came,) = there.came
    assert {citation["quote"] for citation in came.message["data"]["citations"]} == {""}


async def test_what_somebody_thinks_of_an_answer_is_told_with_it(opened: Open) -> None:
    runtime = opened({"crm": endpoint(None, *EVENTS)})
    _, turn_id = asked(runtime)
    told = SessionStore(runtime.database, runtime.outbox.tell)
    told.feedback(turn_id, "down", "答非所问")
    message = message_of(runtime, runtime.outbox.log()[0])
    assert message["type"] == "feedback.created"
    assert (message["data"]["vote"], message["data"]["comment"]) == ("down", "答非所问")
    assert message["data"]["turn"]["question"] == CAT_QUESTION
    assert message["data"]["turn"]["turn_id"] == turn_id


async def test_what_is_too_long_leaves_out_what_surrounds_the_quotes(opened: Open) -> None:
    runtime = opened({"crm": endpoint(None, *EVENTS)})
    length = 1000
    text = "".join(f"第{number}句" + "长" * (length - 3) for number in range(8))
    document = cat_document("长", text)
    runtime.library().ingest([document])
    citations = tuple(
        Citation.locate(n + 1, Passage.cut(document, n * length, (n + 1) * length), f"第{n}句")
        for n in range(8)
    )
    said = "".join(f"第{n}句[{n + 1}]。" for n in range(8))
    session_id = runtime.conversations.start("default")
    turn = Turn("哪几句？", Answer(said, "grounded", citations, confidence=1.0))
    runtime.conversations.add(session_id, turn, turn_id="t1")
    with runtime.database.write() as session:
        subject = {"session_id": session_id, "turn_id": "t1"}
        runtime.outbox.tell(session, "answer.created", subject)
    data = message_of(runtime, runtime.outbox.log()[0])["data"]
    assert [citation["quote"] for citation in data["citations"]] == [f"第{n}句" for n in range(8)]
    assert {citation["passage"] for citation in data["citations"]} == {""}
    assert len(encoded(data).encode()) < BYTES


async def test_one_that_hangs_holds_up_no_other(opened: Open, clock: Clock) -> None:
    with Receiver(Said(seconds=3)) as slow, Receiver() as quick:
        runtime = opened({"slow": endpoint(slow, *EVENTS), "quick": endpoint(quick, *EVENTS)})
        for _ in range(8):
            asked(runtime)
        async with delivering(runtime, clock) as courier, anyio.create_task_group() as tasks:
            tasks.start_soon(courier.run)
            await anyio.to_thread.run_sync(lambda: quick.wait(8, seconds=30))
            assert len(slow.came) <= 4
            tasks.cancel_scope.cancel()


async def test_nobody_there_is_tried_again(opened: Open, clock: Clock) -> None:
    with Receiver() as there:
        runtime = opened({"crm": endpoint(there, *EVENTS)})
        asked(runtime)
    async with delivering(runtime, clock) as courier:
        await courier.deliver(taken(runtime))
    (logged,) = runtime.outbox.log()
    assert (logged.fate, logged.status) == ("waiting", None)
    assert logged.reason == "no answer: ConnectError"
