import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from bot.answer import Answer, Citation, Refusal, Turn
from bot.conversations import Conversations, new_id
from bot.errors import SessionNotFoundError, TurnNotFoundError
from bot.sessions import SessionStore
from bot.unstored import UnstoredConversations
from corpus.document import Document, Passage
from index.database import Database


@pytest.fixture(params=["sqlite", "postgresql", "memory"])
def conversations(
    request: pytest.FixtureRequest, new_database: Callable[[str], str]
) -> Iterator[Conversations]:
    if request.param == "memory":
        yield UnstoredConversations()
        return
    with closing(Database(new_database(request.param))) as database:
        yield SessionStore(database)


def chat(question: str) -> Turn:
    return Turn(question, Answer("你好", "chat", confidence=1.0))


def grounded(document: Document) -> Turn:
    passage = Passage.cut(document, 5, 12)
    citation = Citation.locate(1, passage, "隔离进程")
    answer = Answer(
        "隔离进程[1]。", "grounded", (citation,), None, 0.75, "容器做什么？", {"total": 3.5}
    )
    return Turn("它做什么？", answer)


def test_a_turn_comes_back_as_it_was(conversations: Conversations, document: Document) -> None:
    refused = Turn("谁？", Answer("没有", "refusal", refusal=Refusal("no", ("谁",), ("近",))))
    session_id = conversations.start("default")
    for turn in (grounded(document), refused, chat("嗯")):
        conversations.add(session_id, turn, turn_id=new_id())
    assert conversations.turns(session_id, "default") == (grounded(document), refused, chat("嗯"))
    (kept, *_) = conversations.get(session_id).turns
    assert kept.turn.answer.citations[0].passage.headings == ("容器简史",)
    assert kept.vote is None


def test_only_the_last_twenty_turns_are_leant_on(conversations: Conversations) -> None:
    session_id = conversations.start("default")
    for number in range(25):
        conversations.add(session_id, chat(f"问{number}"), turn_id=new_id())
    asked = [turn.question for turn in conversations.turns(session_id, "default")]
    assert asked == [f"问{number}" for number in range(5, 25)]


def test_an_unknown_session_is_never_replaced_by_another(conversations: Conversations) -> None:
    with pytest.raises(SessionNotFoundError, match="there is no session 'nobody'"):
        conversations.turns("nobody", "default")
    with pytest.raises(SessionNotFoundError):
        conversations.get("nobody")
    with pytest.raises(SessionNotFoundError):
        conversations.add("nobody", chat("问"), turn_id=new_id())
    with pytest.raises(SessionNotFoundError):
        conversations.delete("nobody")


def test_a_session_belongs_to_one_collection(conversations: Conversations) -> None:
    session_id = conversations.start("a")
    assert conversations.turns(session_id, "a") == ()
    with pytest.raises(SessionNotFoundError):
        conversations.turns(session_id, "b")


def test_a_deleted_session_is_gone_with_its_turns(conversations: Conversations) -> None:
    session_id, turn_id = conversations.start("a"), new_id()
    conversations.add(session_id, chat("问"), turn_id=turn_id)
    conversations.delete(session_id)
    with pytest.raises(SessionNotFoundError):
        conversations.get(session_id)
    with pytest.raises(TurnNotFoundError, match=f"there is no turn '{turn_id}'"):
        conversations.feedback(turn_id, "up")


def test_a_later_vote_replaces_the_earlier_one(conversations: Conversations) -> None:
    session_id, turn_id = conversations.start("a"), new_id()
    conversations.add(session_id, chat("问"), turn_id=turn_id)
    conversations.feedback(turn_id, "up")
    conversations.feedback(turn_id, "down", "不对")
    conversations.feedback(turn_id, "up", voter="somebody else")
    assert [kept.vote for kept in conversations.get(session_id).turns] == ["down"]


def test_refused_and_disliked_turns_are_complaints_the_newest_first(
    conversations: Conversations,
) -> None:
    refused = Turn("谁？", Answer("没有", "refusal", refusal=Refusal("no", ("谁",), ("近",))))
    tricky = Turn("好？", Answer('"kind":"refusal"', "chat"))  # says it, and is none
    a, b = conversations.start("a"), conversations.start("b")
    ids = [new_id() for _ in range(5)]
    turns = [refused, chat("好"), chat("差"), tricky, refused]
    for turn_id, turn in zip(ids, turns, strict=True):
        conversations.add(a, turn, turn_id=turn_id)
    conversations.add(b, refused, turn_id=new_id())
    conversations.feedback(ids[1], "up")
    conversations.feedback(ids[2], "down", "不对")
    found = conversations.complaints("a", 10)
    assert [each.kept.id for each in found] == [ids[4], ids[2], ids[0]]
    assert [each.dislikes for each in found] == [0, 1, 0]
    assert [each.kept.vote for each in found] == [None, "down", None]
    assert found[0].kept.turn == refused
    assert [each.kept.id for each in conversations.complaints("a", 2)] == [ids[4], ids[2]]
    assert conversations.complaints("c", 10) == ()


def test_every_dislike_of_a_turn_counts_and_what_was_said_is_kept(database: Database) -> None:
    store = SessionStore(database)
    session_id, turn_id = store.start("a"), new_id()
    store.add(session_id, chat("差"), turn_id=turn_id)
    store.feedback(turn_id, "down", "不对", voter="一")
    store.feedback(turn_id, "down", voter="二")
    store.feedback(turn_id, "up", "很好", voter="三")
    (found,) = store.complaints("a", 10)
    assert (found.dislikes, found.comments) == (2, ("不对",))


def test_sessions_not_used_for_long_are_purged(conversations: Conversations) -> None:
    session_id = conversations.start("a")
    assert conversations.purge(datetime.now(UTC) - timedelta(days=1)) == 0
    assert conversations.get(session_id).id == session_id
    assert conversations.purge(datetime.now(UTC) + timedelta(days=1)) == 1
    with pytest.raises(SessionNotFoundError):
        conversations.get(session_id)


def test_ids_are_long_enough_that_nobody_guesses_one(conversations: Conversations) -> None:
    ids = {conversations.start("a") for _ in range(100)}
    assert len(ids) == 100
    assert min(len(name) for name in ids) >= 22  # characters of 6 bits: 132 bits


def test_in_memory_the_session_not_used_for_longest_makes_room() -> None:
    conversations = UnstoredConversations(sessions=2)
    first, second = conversations.start("a"), conversations.start("a")
    conversations.add(first, chat("问"), turn_id=new_id())
    third = conversations.start("a")
    with pytest.raises(SessionNotFoundError):
        conversations.get(second)
    assert [conversations.get(name).id for name in (first, third)] == [first, third]


def test_another_process_goes_on_with_a_conversation(database: Database, database_url: str) -> None:
    session_id = SessionStore(database).start("a")
    SessionStore(database).add(session_id, chat("问"), turn_id=new_id())
    with closing(Database(database_url)) as other:
        assert SessionStore(other).turns(session_id, "a") == (chat("问"),)


def test_a_damaged_turn_is_left_out_and_the_conversation_goes_on(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    store = SessionStore(database)
    session_id, damaged = store.start("a"), new_id()
    store.add(session_id, chat("坏"), turn_id=damaged)
    store.add(session_id, chat("好"), turn_id=new_id())
    with database.write() as session:
        broken = text("UPDATE turns SET answer = '{\"text\": 1}' WHERE id = :id")
        session.execute(broken, {"id": damaged})
    assert store.turns(session_id, "a") == (chat("好"),)
    assert f"turn {damaged} cannot be read" in caplog.text


def test_a_quote_that_no_longer_fits_its_passage_is_not_believed(
    database: Database, document: Document
) -> None:
    store = SessionStore(database)
    session_id = store.start("a")
    store.add(session_id, grounded(document), turn_id=new_id())
    with database.write() as session:
        forged = text("""UPDATE turns SET answer = replace(answer, '"quote":"隔', '"quote":"不')""")
        session.execute(forged)
    assert store.turns(session_id, "a") == ()


def test_a_conversation_that_goes_on_does_not_grow_old(database: Database) -> None:
    store = SessionStore(database)
    used, forgotten = store.start("a"), store.start("a")
    with database.write() as session:
        session.execute(text("UPDATE sessions SET used_at = '2020-01-01T00:00:00Z'"))
    store.add(used, chat("问"), turn_id=new_id())
    assert store.purge(datetime.now(UTC) - timedelta(days=30)) == 1
    assert len(store.get(used).turns) == 1
    with pytest.raises(SessionNotFoundError):
        store.get(forgotten)


def test_many_threads_write_and_nothing_is_lost(database: Database) -> None:
    store = SessionStore(database)
    session_id = store.start("a")

    def write(name: int) -> None:
        for number in range(10):
            store.add(session_id, chat(f"{name}-{number}"), turn_id=new_id())

    threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asked = {kept.turn.question for kept in store.get(session_id).turns}
    assert asked == {f"{name}-{number}" for name in range(8) for number in range(10)}
    with database.read() as session:
        positions = session.scalars(text("SELECT position FROM turns ORDER BY position")).all()
    assert positions == list(range(1, 81))
