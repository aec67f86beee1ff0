import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from bot.channels.inbox import EventRow, Inbox, ThreadRow, Threads
from bot.sessions import SessionStore
from index.database import Database

TAKE = """
import sys
from bot.channels.inbox import Inbox
from index.database import Database
inbox = Inbox(Database(sys.argv[1]))
print(sum(inbox.first("slack", f"event{number}") for number in range(50)))
"""


def test_an_event_is_new_once_in_its_channel(database: Database) -> None:
    inbox = Inbox(database)
    assert [inbox.first("slack", "Ev1") for _ in range(3)] == [True, False, False]
    assert inbox.first("slack", "Ev2")
    assert inbox.first("feishu", "Ev1")
    assert not Inbox(database).first("slack", "Ev1")


def test_of_many_threads_with_one_event_one_gets_it(database: Database) -> None:
    inbox, start = Inbox(database), threading.Barrier(8)

    def take(_number: int) -> int:
        start.wait()
        return sum(inbox.first("slack", f"Ev{number}") for number in range(10))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(8))) == 10


@pytest.mark.slow
def test_of_several_processes_with_one_event_one_gets_it(database_url: str) -> None:
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", TAKE, database_url], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    taken = [int(run.communicate(timeout=60)[0]) for run in runs]
    assert sum(taken) == 50, taken


def test_what_could_not_be_dealt_with_is_new_when_it_comes_again(database: Database) -> None:
    inbox = Inbox(database)
    for name in ("Ev1", "Ev2", "Ev3"):
        inbox.first("slack", name)
    inbox.first("feishu", "Ev1")
    inbox.forget("slack", ["Ev1", "Ev2", "never"])
    assert [inbox.first("slack", name) for name in ("Ev1", "Ev2", "Ev3")] == [True, True, False]
    assert not inbox.first("feishu", "Ev1")


def test_events_are_remembered_for_seven_days(database: Database) -> None:
    inbox, at = Inbox(database), datetime(2026, 3, 9, 12, tzinfo=UTC)
    for name, taken_at in (("old", "2026-03-02T11:59:59Z"), ("kept", "2026-03-02T12:00:00Z")):
        inbox.first("slack", name)
        with database.write() as session:
            session.execute(
                update(EventRow).where(EventRow.event_id == name).values(taken_at=taken_at)
            )
    inbox.purge(at)
    assert inbox.first("slack", "old")
    assert not inbox.first("slack", "kept")


def test_a_chat_goes_on_in_the_session_it_was_kept_with(database: Database) -> None:
    threads = Threads(database)
    assert threads.session("slack", "T:C:1") is None
    threads.keep("slack", "T:C:1", "first")
    threads.keep("slack", "T:C:2", "other")
    threads.keep("feishu", "T:C:1", "elsewhere")
    threads.keep("slack", "T:C:1", "second")
    assert threads.session("slack", "T:C:1") == "second"
    assert threads.session("slack", "T:C:2") == "other"
    assert threads.session("feishu", "T:C:1") == "elsewhere"


def test_a_chat_is_forgotten_when_it_is_old_and_its_session_gone(database: Database) -> None:
    threads, store = Threads(database), SessionStore(database)
    alive = store.start("default")
    for key, session_id in (("alive", alive), ("gone", "gone"), ("new", "gone too")):
        threads.keep("slack", key, session_id)
    with database.write() as session:
        old = update(ThreadRow).where(ThreadRow.key != "new")
        session.execute(old.values(kept_at="2026-01-01T00:00:00Z"))
    threads.purge(datetime.now(UTC) - timedelta(days=1))
    found = [threads.session("slack", key) for key in ("alive", "gone", "new")]
    assert found == [alive, None, "gone too"]
