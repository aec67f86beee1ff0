import pytest
from sqlalchemy import select

from bot.channels.jobs import ChannelJobRow, Jobs, Message
from bot.errors import OverloadedError
from index.database import Database

REPLY = {"answer": "答", "citations": [], "turn_id": "t1"}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def jobs(database: Database, clock: Clock) -> Jobs:
    return Jobs(database, clock)


def message(name: str, chat: str = "c", channel: str = "x") -> Message:
    return Message(channel, name, chat, f"问 {name}", {"to": name})


def taken(jobs: Jobs, channel: str = "x") -> str | None:
    job = jobs.take(channel)
    return job.message.id if job else None


def test_a_message_is_new_once_in_its_channel(jobs: Jobs) -> None:
    assert jobs.accept(message("1"))
    assert not jobs.accept(message("1", chat="other"))
    assert jobs.accept(message("1", channel="y"))
    jobs.close(message("1"), "done")
    assert not jobs.accept(message("1"))


def test_messages_of_a_chat_are_taken_one_after_the_other(jobs: Jobs, clock: Clock) -> None:
    for name, chat in (("1", "a"), ("2", "a"), ("3", "b")):
        jobs.accept(message(name, chat))
    assert [taken(jobs) for _ in range(3)] == ["1", "3", None]
    assert taken(jobs, "y") is None
    jobs.close(message("1"), "done")
    assert taken(jobs) == "2"
    clock.now += 1


def test_a_job_whose_process_died_is_taken_again_with_its_answer(jobs: Jobs, clock: Clock) -> None:
    jobs.accept(message("1"))
    first = jobs.take("x")
    assert first
    assert (first.tries, first.reply, first.message) == (1, None, message("1"))
    jobs.keep(first.message, REPLY)
    clock.now += 10
    jobs.renew("x", ["1"])
    clock.now += 14
    assert jobs.take("x") is None
    clock.now += 1
    again = jobs.take("x")
    assert again
    assert (again.tries, again.reply, again.turn_id) == (2, REPLY, "t1")
    jobs.release(again.message)
    assert taken(jobs) == "1"


def test_what_was_asked_goes_when_it_is_answered_and_the_answer_soon_after(
    jobs: Jobs, clock: Clock, database: Database
) -> None:
    jobs.accept(message("1"))
    jobs.accept(message("2", "d"))
    jobs.keep(message("1"), REPLY)
    jobs.close(message("1"), "done")
    clock.now += 599
    jobs.purge()
    found = jobs.find("x", "1")
    assert found
    assert (found.state, found.message.text, found.message.address) == ("done", None, {})
    assert found.reply == REPLY
    clock.now += 2
    jobs.purge()
    found = jobs.find("x", "1")
    assert found
    assert (found.reply, found.turn_id) == (None, "t1")
    clock.now += 7 * 86_400
    jobs.purge()
    with database.read() as session:
        assert [row.id for row in session.scalars(select(ChannelJobRow))] == ["2"]  # still waits
    assert jobs.find("x", "1") is None


def test_what_is_ended_does_not_change(jobs: Jobs) -> None:
    jobs.accept(message("1"))
    jobs.close(message("1"), "dead")
    jobs.keep(message("1"), REPLY)
    jobs.close(message("1"), "done")
    found = jobs.find("x", "1")
    assert found
    assert (found.state, found.reply) == ("dead", None)
    assert taken(jobs) is None


def test_too_many_are_turned_away_as_if_they_had_never_come(database: Database) -> None:
    jobs = Jobs(database, most_waiting=2)
    for channel in "yz":
        jobs.accept(message("0", channel=channel))
    with pytest.raises(OverloadedError, match="60 s"):
        jobs.accept(message("1"))
    assert jobs.find("x", "1") is None
    jobs.close(message("0", channel="y"), "done")
    assert jobs.accept(message("1"))
