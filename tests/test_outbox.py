import base64
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.answer import Answer, Refusal, Turn
from bot.channels.endpoints import EVENTS, Endpoint
from bot.channels.outbox import PAUSES, Delivery, Outbox, delivery_json
from bot.errors import DeliveryNotFoundError
from bot.runtime import Runtime
from bot.sessions import SessionStore
from bot.settings import Settings
from bot.testing import cat_document
from corpus.words import Segmenter
from index.database import Database
from index.testing import CharEmbedder

SECRET = f"whsec_{base64.b64encode(bytes(32)).decode()}"
HOUR = 3600
STANDARD: tuple[float, ...] = (
    5,
    300,
    0.5 * HOUR,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
)


class Clock:
    """Unix time, moved by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 10, tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.now


def endpoint(*events: str, url: str = "https://crm.example/in") -> Endpoint:
    return Endpoint.model_validate({"secret": SECRET, "url": url, "events": events})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outbox(database: Database, clock: Clock) -> Outbox:
    return Outbox(database, {"crm": endpoint(*EVENTS), "hr": endpoint("answer.refused")}, clock)


def tell(database: Database, outbox: Outbox, count: int = 1) -> None:
    with database.write() as session:
        for number in range(count):
            outbox.tell(session, "answer.created", {"session_id": "s", "turn_id": str(number)})


def taken(outbox: Outbox, name: str = "crm") -> Delivery:
    delivery = outbox.take(name)
    assert delivery is not None
    return delivery


def failed(outbox: Outbox, delivery: Delivery, seconds: float = 0) -> str:
    return outbox.failed(delivery, "HTTP 500", status=500, retry_seconds=seconds)


def newest(outbox: Outbox) -> Delivery:
    return outbox.log()[0]


def chat(kind: str) -> Turn:
    refusal = Refusal("not_found", ("谁",), ()) if kind == "refusal" else None
    return Turn("谁？", Answer("你好", kind, refusal=refusal, confidence=1.0))  # type: ignore[arg-type]


def test_each_endpoint_is_told_of_what_it_wants_to_know(database: Database, outbox: Outbox) -> None:
    store = SessionStore(database, outbox.tell)
    session_id = store.start("default")
    store.add(session_id, chat("chat"), turn_id="t1")
    store.add(session_id, chat("refusal"), turn_id="t2")
    store.feedback("t2", "down", "不对", voter="slack:U1")
    turn = {"session_id": session_id, "turn_id": "t2"}
    told = [(each.endpoint, each.event, each.subject) for each in reversed(outbox.log())]
    assert told == [
        ("crm", "answer.created", {"session_id": session_id, "turn_id": "t1"}),
        ("crm", "answer.refused", turn),
        ("hr", "answer.refused", turn),
        ("crm", "feedback.created", {**turn, "voter": "slack:U1", "vote": "down"}),
    ]
    ids = [each.event_id for each in reversed(outbox.log())]
    assert ids[1] == ids[2]
    assert len({*ids}) == 3


def test_nothing_is_told_of_what_did_not_happen(database: Database, outbox: Outbox) -> None:
    def fail() -> None:
        with database.write() as session:
            outbox.tell(session, "answer.created", {})
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert outbox.log() == []


def test_no_words_of_a_question_or_answer_are_in_the_outbox(
    database: Database, outbox: Outbox
) -> None:
    store = SessionStore(database, outbox.tell)
    session_id = store.start("default")
    store.add(session_id, chat("chat"), turn_id="t1")
    store.feedback("t1", "down", "不对")
    for delivery in outbox.log():
        assert not {"谁", "你好", "不对"} & {*map(str, delivery.subject.values())}


def test_a_change_of_documents_is_told_with_it(tmp_path: Path, segmenter: Segmenter) -> None:
    settings = Settings(data=tmp_path / "var", webhooks={"crm": endpoint(*EVENTS)})
    runtime = Runtime(settings, Database(settings.database), CharEmbedder(""), segmenter)
    library = runtime.library()
    library.ingest([cat_document("a"), cat_document("b")])
    library.ingest([cat_document("a")])  # nothing new
    library.ingest(
        [cat_document("a", "阿花搬走了。"), *(cat_document(f"c{n}") for n in range(150))]
    )
    library.delete(["b"])
    told = {each.position: (each.event, each.subject) for each in runtime.outbox.log()}
    runtime.close()
    assert [event for event, _ in told.values()] == [
        "document.deleted",
        "document.indexed",
        "document.indexed",
    ]
    assert told[1][1] | {"passages": 0} == {
        "collection": "default",
        "passages": 0,
        "added": ["a", "b"],
        "added_count": 2,
        "replaced": [],
        "replaced_count": 0,
    }
    assert told[2][1]["replaced"] == ["a"]
    assert (len(told[2][1]["added"]), told[2][1]["added_count"]) == (100, 150)
    assert (told[3][1]["deleted"], told[3][1]["deleted_count"]) == (["b"], 1)


def test_a_delivery_is_given_to_one_taker(database: Database, outbox: Outbox) -> None:
    tell(database, outbox, 20)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _number: outbox.take("crm"), range(40)))
    positions = [delivery.position for delivery in found if delivery]
    assert len(positions) == len({*positions})
    while (late := outbox.take("crm")) is not None:  # lost a race against another taker
        positions.append(late.position)
    assert sorted(positions) == list(range(1, 21))
    assert outbox.take("hr") is None


def test_the_pauses_are_those_of_the_standard_with_a_little_chance(
    database: Database, outbox: Outbox, clock: Clock
) -> None:
    assert PAUSES == STANDARD
    assert sum(PAUSES) == (75 * 60 + 35) * 60 + 5
    tell(database, outbox)
    shares = []
    for pause in STANDARD:
        assert failed(outbox, taken(outbox)) == "waiting"
        wait = newest(outbox).due_at - clock.now
        shares.append(wait / pause)
        clock.now += wait - 1
        assert outbox.take("crm") is None
        clock.now += 1
    assert all(1 <= share <= 1.2 for share in shares)
    assert len({*shares}) > 1
    last = taken(outbox)
    assert (last.tries, failed(outbox, last)) == (10, "dead")
    clock.now += 100 * HOUR
    assert outbox.take("crm") is None
    assert (newest(outbox).fate, newest(outbox).status) == ("dead", 500)


@pytest.mark.parametrize(("asked", "waits"), [(120, 120), (1, 5), (99 * HOUR, 24 * HOUR)])
def test_a_longer_pause_is_granted_up_to_a_day(
    database: Database, outbox: Outbox, clock: Clock, asked: float, waits: float
) -> None:
    tell(database, outbox)
    failed(outbox, taken(outbox), asked)
    wait = newest(outbox).due_at - clock.now
    assert waits <= wait <= waits * 1.2


def test_who_vanishes_with_a_delivery_is_not_waited_for_long(
    database: Database, outbox: Outbox, clock: Clock
) -> None:
    tell(database, outbox)
    vanished = taken(outbox)
    clock.now += 29
    assert outbox.take("crm") is None
    clock.now += 1
    again = taken(outbox)
    assert (again.event_id, again.tries) == (vanished.event_id, 2)
    outbox.give_up(vanished, "so late")  # it was given to somebody else
    assert newest(outbox).fate == "waiting"
    outbox.delivered(again, 204)
    assert (newest(outbox).fate, newest(outbox).status) == ("delivered", 204)


def test_an_endpoint_that_is_gone_is_gone_until_somebody_says_otherwise(
    database: Database, outbox: Outbox
) -> None:
    tell(database, outbox, 2)
    first = taken(outbox)
    outbox.gone(first, "https://crm.example/in")
    assert (newest(outbox).position, outbox.log()[1].status) == (2, 410)
    assert outbox.is_gone("crm")
    assert not outbox.is_gone("hr")
    moved = Outbox(database, {"crm": endpoint(url="https://new.example/")})
    assert not moved.is_gone("crm")
    replayed = outbox.replay(first.position)
    assert (replayed.fate, replayed.tries, replayed.status) == ("waiting", 0, None)
    assert not outbox.is_gone("crm")
    assert taken(outbox).position == first.position


def test_only_what_there_is_can_be_replayed(outbox: Outbox) -> None:
    with pytest.raises(DeliveryNotFoundError, match="there is no delivery 7"):
        outbox.replay(7)


def test_the_log_is_read_in_pages_and_by_fate_and_endpoint(
    database: Database, outbox: Outbox
) -> None:
    tell(database, outbox, 3)
    with database.write() as session:
        outbox.tell(session, "answer.refused", {})
    outbox.delivered(taken(outbox), 200)

    def positions(**only: object) -> list[int]:
        return [each.position for each in outbox.log(**only)]  # type: ignore[arg-type]

    assert positions() == [5, 4, 3, 2, 1]
    assert positions(most=2) == [5, 4]
    assert positions(most=2, before=4) == [3, 2]
    assert positions(fate="delivered") == [1]
    assert positions(endpoint="hr") == [5]
    assert positions(endpoint="hr", fate="dead") == []


def test_the_log_says_when_and_why(database: Database, outbox: Outbox) -> None:
    tell(database, outbox)
    failed(outbox, taken(outbox))
    shown = delivery_json(newest(outbox))
    assert shown.pop("event_id").startswith("msg_")
    assert shown.pop("next_try_at") in {"2026-03-10T00:00:05Z", "2026-03-10T00:00:06Z"}
    assert shown == {
        "id": 1,
        "endpoint": "crm",
        "event": "answer.created",
        "created_at": "2026-03-10T00:00:00Z",
        "state": "waiting",
        "tries": 1,
        "status": 500,
        "reason": "HTTP 500",
    }


def test_what_is_old_is_forgotten(database: Database, outbox: Outbox, clock: Clock) -> None:
    tell(database, outbox)
    clock.now += HOUR
    tell(database, outbox)
    outbox.purge(datetime.fromtimestamp(clock.now, UTC))
    assert [each.position for each in outbox.log()] == [2]


SHORT = f"whsec_{base64.b64encode(bytes(23)).decode()}"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"secret": "whsec_"}, "24 to 64 bytes"),
        ({"secret": SHORT}, "24 to 64 bytes"),
        ({"secret": SECRET.removeprefix("whsec_")}, "24 to 64 bytes"),
        ({"secret": "whsec_!!!!"}, "24 to 64 bytes"),
        ({"secret": ""}, "at least 1"),
        ({}, "Field required"),
        ({"secret": SECRET, "url": "http://crm.example/"}, "begin with https://, or private"),
        ({"secret": SECRET, "url": "ftp://crm.example/", "private": True}, "pattern"),
        ({"secret": SECRET, "url": "https://me:pass@crm.example/"}, "pattern"),
        ({"secret": SECRET, "url": "https://crm.example:99999/"}, "1 to 65535"),
        ({"secret": SECRET, "url": "https://crm.example:0/"}, "1 to 65535"),
        ({"secret": SECRET, "events": ["answer.created"]}, "events need a url"),
        ({"secret": SECRET, "url": "https://a.example/", "events": ["answer"]}, "Input should be"),
        ({"secret": SECRET, "uri": "https://a.example/"}, "not permitted"),
    ],
)
def test_an_endpoint_that_cannot_work_is_refused(given: Mapping[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Endpoint.model_validate(given)


def test_an_endpoint_is_set_up_in_few_words() -> None:
    given = {
        "secret": f"{SECRET}, {SECRET}",
        "url": "http://n8n:5678/webhook/1?a=b",
        "private": True,
    }
    made = Endpoint.model_validate({**given, "events": "answer.refused feedback.created"})
    assert made.secrets == (SECRET, SECRET)
    assert made.events == ("answer.refused", "feedback.created")
    assert SECRET not in repr(made)
