import importlib
import json
import logging
import re
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Table, func, select

from bot.answer import Answer, Turn
from bot.channels.asked import Questions
from bot.channels.inbox import Inbox, Threads
from bot.channels.jobs import ChannelJobRow, Jobs, Message
from bot.channels.outbox import DeliveryRow
from bot.channels.slack_sent import Sent
from bot.commands import sessions as command
from bot.conversations import Erased, new_id
from bot.erase import erase_sessions
from bot.errors import SessionNotFoundError
from bot.keys import Keys
from bot.retention import forget
from bot.runtime import Runtime
from bot.sessions import SessionStore
from bot.settings import Settings
from bot.testing import CAT_QUESTION, ask, cat_document, client_of, problem_in
from corpus.words import Segmenter
from index.database import Base, Database
from index.testing import CharEmbedder

ROOT = Path(__file__).parents[1]
CANARY = "金丝雀七二九"
MINE, YOURS = "slack:T1:U1", "slack:T1:U2"
ADMIN = {"authorization": "Bearer 0123456789abcdef"}
KEPT = {"alembic_version", "api_keys", "collections", "documents", "webhook_gone"}
"""Tables without a word or a name of somebody who asks."""


def places(folder: Path, canary: str = CANARY) -> list[str]:
    """Return the files in which there is the canary, in any form in which we write text."""
    forms = [canary.encode(), canary.encode("utf-16-le"), json.dumps(canary)[1:-1].encode()]
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if any(form in path.read_bytes() for form in forms)]


def made(folder: Path, segmenter: Segmenter, **settings: object) -> Runtime:
    given = Settings.model_validate({"data": folder, "admin_key": "0123456789abcdef", **settings})
    runtime = Runtime(given, Database(given.database), CharEmbedder(""), segmenter)
    runtime.library().ingest([cat_document("手册/猫")])
    return runtime


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "var"


@pytest.fixture
def runtime(folder: Path, segmenter: Segmenter) -> Iterator[Runtime]:
    with closing(made(folder, segmenter)) as runtime:
        yield runtime


@pytest.fixture
def stored(folder: Path) -> Iterator[SessionStore]:
    with closing(Database(f"sqlite:///{folder}/wenqu.db")) as database:
        yield SessionStore(database)


def said(store: SessionStore, *, asker: str = "", session_id: str = "") -> tuple[str, str]:
    """Keep a turn with the canary in question, answer and comment."""
    session_id, turn_id = session_id or store.start("default"), new_id()
    turn = Turn(f"{CANARY}？", Answer(f"{CANARY}。", "chat", confidence=1.0))
    store.add(session_id, turn, turn_id=turn_id)
    store.feedback(turn_id, "down", f"不好，{CANARY}", voter=asker)
    if asker:
        with store.database.write() as session:
            session.execute(Base.metadata.tables["turns"].update().values(asker=asker).where(
                Base.metadata.tables["turns"].c.id == turn_id
            ))  # fmt: skip
    return session_id, turn_id


def test_words_stay_in_the_file_if_sqlite_deletes_in_its_usual_way(
    stored: SessionStore, folder: Path
) -> None:
    said(stored)
    stored.database.close()
    with closing(sqlite3.connect(folder / "wenqu.db")) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("DELETE FROM feedback")
        connection.execute("DELETE FROM turns")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert places(folder) == ["wenqu.db"]


def test_words_stay_in_the_log_beside_the_file_until_it_is_scrubbed(
    stored: SessionStore, folder: Path
) -> None:
    session_id, _ = said(stored)
    with stored.database.write() as session:
        erase_sessions(session, [session_id])
    assert "wenqu.db-wal" in places(folder)
    assert stored.database.scrub()
    assert places(folder) == []


def test_a_reader_that_stays_puts_it_off_and_it_is_done_later(
    stored: SessionStore, folder: Path
) -> None:
    session_id, _ = said(stored)
    with stored.database.read() as reading:
        reading.execute(select(func.count()).select_from(ChannelJobRow))
        stored.delete(session_id)
        assert places(folder)
    assert stored.database.scrub()
    assert places(folder) == []


def test_a_conversation_deleted_over_http_is_in_no_file(runtime: Runtime, folder: Path) -> None:
    with client_of(runtime) as client:
        reply = ask(client, f"{CANARY}，{CAT_QUESTION}")
        more = {"turn_id": reply["turn_id"], "vote": "down", "comment": f"{CANARY}不对"}
        assert client.post("/api/feedback", json=more).status_code == 204
        assert places(folder)
        kept = client.get(f"/api/sessions/{reply['session_id']}").json()
        assert CANARY in json.dumps(kept, ensure_ascii=False)
        assert client.delete(f"/api/sessions/{reply['session_id']}").status_code == 204
        assert places(folder) == []


def test_a_document_deleted_or_replaced_over_http_is_in_no_file(
    runtime: Runtime, folder: Path
) -> None:
    with client_of(runtime) as client:
        runtime.library().ingest([cat_document("秘密", f"{CANARY}在屋顶上睡觉。")])
        assert len(places(folder)) > 1
        runtime.library().ingest([cat_document("秘密", "它在屋顶上睡觉。")])
        assert places(folder) == []
        runtime.library().ingest([cat_document("秘密", f"{CANARY}在屋顶上睡觉。")])
        assert client.delete("/api/documents/秘密", headers=ADMIN).status_code == 200
        assert places(folder) == []


def test_words_are_in_no_log(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with client_of(runtime) as client:
        reply = ask(client, f"{CANARY}，{CAT_QUESTION}")
        client.delete(f"/api/sessions/{reply['session_id']}")
        client.get("/api/search", params={"q": CANARY})
    ours = [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith(("wenqu", "bot", "index"))
    ]
    assert CANARY not in "\n".join(ours)


def test_without_storing_nothing_is_stored(folder: Path, segmenter: Segmenter) -> None:
    with (
        closing(made(folder, segmenter, store_conversations=False)) as runtime,
        client_of(runtime) as client,
    ):
        first = ask(client, f"{CANARY}，{CAT_QUESTION}")
        again = ask(client, f"{CANARY}呢？", session_id=first["session_id"])
        assert again["session_id"] == first["session_id"]
        streamed = {"question": f"{CANARY}，{CAT_QUESTION}", "stream": True}
        assert client.post("/api/chat", json=streamed).status_code == 200
        vote = {"turn_id": first["turn_id"], "vote": "down", "comment": CANARY}
        assert client.post("/api/feedback", json=vote).status_code == 204
        told = {"model": "wenqu", "messages": [{"role": "user", "content": CANARY + "？"}]}
        assert client.post("/v1/chat/completions", json=told).status_code == 200
        assert client.get("/api/search", params={"q": CANARY}).status_code == 200
        assert places(folder) == []
        assert first["session_id"].encode() not in (folder / "wenqu.db").read_bytes()


def fill(store: SessionStore) -> tuple[str, str]:
    """Have two people talk in one chat, and one of them in a chat of their own; return both."""
    together, _ = said(store, asker=MINE)
    said(store, asker=YOURS, session_id=together)
    own, turn_id = said(store, asker=MINE)
    Threads(store.database).keep("slack", "T1:D1", own)
    jobs = Jobs(store.database)
    for number, asker in enumerate((MINE, YOURS)):
        address = {"words": CANARY}
        jobs.accept(Message("slack", f"m{number}", "T1:D1", f"{CANARY}{number}", address, asker))
    answered = Message("slack", "m9", "T1:D1", CANARY, {}, MINE)
    jobs.accept(answered)
    jobs.keep(answered, {"answer": CANARY, "turn_id": turn_id})
    jobs.close(answered, "done")
    with store.database.write() as session:
        subject = {"session_id": together, "turn_id": "t", "voter": MINE}
        session.add(DeliveryRow(event_id="m", endpoint="crm", event="feedback.created",
                                subject=subject, created_at=1.0, due_at=1.0))  # fmt: skip
    return together, own


def test_somebody_gets_what_is_theirs_and_nothing_of_others(database: Database) -> None:
    store = SessionStore(database)
    together, own = fill(store)
    held = store.held(MINE)
    assert {each.id for each in held.conversations} == {together, own}
    assert [len(each.turns) for each in held.conversations] == [1, 1]
    assert [vote.comment for vote in held.votes] == [f"不好，{CANARY}"] * 2
    assert held.waiting == (f"{CANARY}0",)
    assert store.held("slack:T1:U3") == store.held("") == type(held)()


def test_somebody_is_deleted_and_others_stay(database: Database) -> None:
    store = SessionStore(database)
    together, own = fill(store)
    assert store.erase("") == Erased()
    assert store.erase(MINE) == Erased(sessions=1, turns=2, votes=0)
    assert store.held(MINE) == type(store.held(MINE))()
    assert len(store.held(YOURS).conversations[0].turns) == 1
    with pytest.raises(SessionNotFoundError):
        store.get(own)
    assert len(store.get(together).turns) == 1
    assert Threads(database).session("slack", "T1:D1") is None
    jobs = Jobs(database)
    assert jobs.find("slack", "m0") is None
    done = jobs.find("slack", "m9")
    assert done is not None
    assert (done.state, done.reply, done.message.text) == ("done", None, None)
    assert (done.message.chat, done.message.asker, done.message.address) == ("", "", {})
    left = jobs.find("slack", "m1")
    assert left is not None
    assert left.message.text == f"{CANARY}1"
    with database.read() as session:
        (subject,) = session.scalars(select(DeliveryRow.subject))
    assert subject == {"session_id": together, "turn_id": "t", "voter": ""}


def test_a_vote_on_the_answer_of_another_goes_too(database: Database) -> None:
    store = SessionStore(database)
    _, turn_id = said(store, asker=YOURS)
    store.feedback(turn_id, "up", voter=MINE)
    assert store.erase(MINE) == Erased(votes=1)
    assert len(store.held(YOURS).votes) == 1


def test_nothing_of_somebody_is_left_in_a_file(stored: SessionStore, folder: Path) -> None:
    fill(stored)
    stored.erase(MINE)
    stored.erase(YOURS)
    assert places(folder) == []
    assert places(folder, MINE) == places(folder, YOURS) == []


def test_an_owner_is_deleted_with_whole_conversations(runtime: Runtime, folder: Path) -> None:
    _, token = Keys(runtime.database).add("甲", ["ask"])
    key = {"authorization": f"Bearer {token}"}
    whose = f"key:{token.split('_')[1]}"
    with client_of(runtime) as client:
        asked = {"question": f"{CANARY}，{CAT_QUESTION}"}
        assert client.post("/api/chat", json=asked, headers=key).status_code == 200
        path = f"/api/admin/conversations?whose={whose}"
        problem_in(client.get(path, headers=key), 403, "key_scope")
        held = client.get(path, headers=ADMIN).json()
        assert [turn["question"] for turn in held["sessions"][0]["turns"]] == [asked["question"]]
        assert held["votes"] == held["waiting"] == []
        erased = client.delete(path, headers=ADMIN)
        assert erased.json() == {"sessions": 1, "turns": 1, "votes": 0}
        assert client.delete(path, headers=ADMIN).json()["sessions"] == 0
        assert client.get(path, headers=ADMIN).json()["sessions"] == []
        assert client.get("/api/admin/conversations?whose=", headers=ADMIN).status_code == 422
    assert places(folder) == []


def test_what_is_only_in_memory_is_handed_out_and_deleted_likewise(
    folder: Path, segmenter: Segmenter
) -> None:
    with closing(made(folder, segmenter, store_conversations=False)) as runtime:
        mine = runtime.conversations.owned_by("key:1")
        session_id = mine.start("default")
        mine.add(session_id, Turn("问", Answer("答", "chat")), turn_id=new_id())
        runtime.conversations.start("default")
        assert [each.id for each in runtime.conversations.held("key:1").conversations] == [
            session_id
        ]
        assert runtime.conversations.erase("") == Erased()
        assert runtime.conversations.erase("key:1") == Erased(sessions=1, turns=1)
        assert runtime.conversations.held("key:1").conversations == ()


def test_after_their_time_no_table_has_a_word_of_anybody(
    runtime: Runtime, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    database = runtime.database
    fill(SessionStore(database, runtime.outbox.tell))
    Inbox(database).first("slack", f"Ev{CANARY}")
    Sent(database).begin(f"T1:{CANARY}")
    Questions(database, runtime.outbox).take("crm", CANARY, b"{}")
    tables = {
        name: table for name, table in models().items() if name not in KEPT
    }  # a table that is new has to be thought of here, and in `forget`
    with database.read() as session:
        counts = {
            name: session.scalar(select(func.count()).select_from(table))
            for name, table in tables.items()
        }
    assert [name for name, count in counts.items() if not count] == []
    forget(runtime, datetime.now(UTC) + timedelta(days=29))
    assert places(folder)
    forget(runtime, datetime.now(UTC) + timedelta(days=31))
    with database.read() as session:
        counts = {
            name: session.scalar(select(func.count()).select_from(table))
            for name, table in tables.items()
        }
    assert [name for name, count in counts.items() if count] == []
    assert places(folder) == places(folder, MINE) == []
    assert "deleted 2 conversations past their time" in caplog.text
    assert CANARY not in caplog.text


def test_what_was_stored_before_it_was_switched_off_is_deleted_in_its_time(
    stored: SessionStore, folder: Path, segmenter: Segmenter
) -> None:
    said(stored)
    with closing(made(folder, segmenter, store_conversations=False)) as runtime:
        forget(runtime, datetime.now(UTC) + timedelta(days=31))
    assert places(folder) == []


def counted(database: Database, tables: dict[str, Table]) -> dict[str, int]:
    with database.read() as session:
        return {
            name: session.scalars(select(func.count()).select_from(table)).one()
            for name, table in tables.items()
        }


def models() -> dict[str, Table]:
    for path in ROOT.glob("bot/**/*.py"):
        if "(Base):" in path.read_text(encoding="utf-8"):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    return dict(Base.metadata.tables)


def test_conversations_are_listed_exported_and_deleted_by_command(
    stored: SessionStore, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    together, own = fill(stored)
    data = ["--data", str(folder)]
    assert command.run([*data, "list"]) == 0
    listed = capsys.readouterr().out
    assert together in listed
    assert "2 轮" in listed
    assert command.run([*data, "list", "--of", YOURS, "--json"]) == 0
    (info,) = json.loads(capsys.readouterr().out)
    assert (info["id"], info["turns"]) == (together, 1)
    assert command.run([*data, "export", own]) == 0
    assert json.loads(capsys.readouterr().out)["turns"][0]["question"] == f"{CANARY}？"
    assert command.run([*data, "export", "--of", MINE]) == 0
    assert json.loads(capsys.readouterr().out)["waiting"] == [f"{CANARY}0"]
    assert command.run([*data, "delete", own]) == 0
    assert "已删除 1 个会话。" in capsys.readouterr().out
    assert command.run([*data, "delete", "--of", MINE]) == 0
    assert "已删除 0 个会话，共 1 轮" in capsys.readouterr().out
    assert command.run([*data, "delete", "--unused", "1"]) == 0
    assert "已删除 0 个会话。" in capsys.readouterr().out
    assert command.run([*data, "delete", "--unused", "0"]) == 0
    assert "已删除 1 个会话。" in capsys.readouterr().out
    assert command.run([*data]) == 0
    assert "没有已存的会话。" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong", [["export"], ["delete"], ["export", "a", "--of", "b"], ["list", "--unused", "-1"]]
)
def test_what_is_meant_has_to_be_said_in_one_way(wrong: list[str], folder: Path) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.run(["--data", str(folder), *wrong])


def test_the_commands_of_the_page_on_privacy_work(
    stored: SessionStore,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    session_id, _ = said(stored)
    page = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
    lines = re.findall(r"^wenqu sessions (.+?)(?:\s+#.*)?$", page, re.MULTILINE)
    assert len(lines) >= 6
    for line in lines:
        arguments = [session_id if word == "编号" else word for word in shlex.split(line)]
        capsys.readouterr()
        assert command.run(["--data", str(folder), *arguments]) == 0, line
        assert capsys.readouterr().out
        if arguments[0] == "delete":
            session_id, _ = said(stored)
