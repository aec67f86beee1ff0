from datetime import UTC, datetime, timedelta

import pytest

from bot.channels.asked import Questions
from bot.channels.outbox import Outbox
from bot.errors import ReusedIdError
from index.database import Database

ANSWERED = {"session_id": "s", "turn_id": "t"}


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return Outbox(database, {})


@pytest.fixture
def questions(outbox: Outbox) -> Questions:
    return Questions(outbox._database, outbox)


def test_a_question_is_remembered_by_endpoint_and_id(questions: Questions) -> None:
    first = questions.take("crm", "msg_1", b"{}")
    assert first.outcome is None
    questions.settle(first, ANSWERED, "")
    assert questions.take("crm", "msg_1", b"{}").outcome == ANSWERED
    assert questions.take("hr", "msg_1", b"other").outcome is None
    with pytest.raises(ReusedIdError, match="another request had the id 'msg_1'"):
        questions.take("crm", "msg_1", b"{} ")
    assert questions.find("crm", "msg_2") is None


def test_the_first_answer_counts_and_is_told_once(questions: Questions, outbox: Outbox) -> None:
    asked = questions.take("crm", "msg_1", b"{}")
    questions.settle(asked, ANSWERED, "crm")
    questions.settle(asked, {"problem": {}}, "crm")
    assert questions.take("crm", "msg_1", b"{}").outcome == ANSWERED
    (told,) = outbox.log()
    assert (told.event, told.subject) == ("chat.reply", {"endpoint": "crm", "id": "msg_1"})


def test_questions_are_forgotten_after_four_days(questions: Questions) -> None:
    questions.settle(questions.take("crm", "msg_1", b"{}"), ANSWERED, "")
    at = datetime.now(UTC)
    questions.purge(at + timedelta(days=4, seconds=-10))
    assert questions.find("crm", "msg_1") is not None
    questions.purge(at + timedelta(days=4, seconds=10))
    assert questions.find("crm", "msg_1") is None
