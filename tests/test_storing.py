"""Answers when a conversation cannot be stored, and of documents that are gone."""

import itertools
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from bot.answer import Answer, Citation
from bot.problems import problem_of
from bot.runtime import Runtime
from bot.storing import is_full, is_unwritable
from bot.testing import CAT_QUESTION, ask, cat_document
from bot.wire import answer_json
from index.hit import Hit


class Broken:
    """Conversations of which none can be written; a `Conversations` as far as it is used."""

    def __init__(self, real: object, code: str) -> None:
        self._real = real
        self._code = code

    def owned_by(self, owner: str | None) -> "Broken":
        del owner
        return self

    def start(self, collection: str) -> str:
        raise error_of(self._code, collection)

    def add(self, session_id: str, turn: object, *, turn_id: str) -> None:
        raise error_of(self._code, f"{session_id}{turn}{turn_id}")

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


def error_of(code: str, statement: str = "") -> OperationalError:
    cause = sqlite3.OperationalError(f"said {code}")
    cause.sqlite_errorname = code
    return OperationalError(statement, {}, cause)


FULL = ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_READONLY")


@pytest.mark.parametrize("code", FULL)
def test_an_answer_is_given_though_its_conversation_cannot_be_stored(
    runtime: Runtime, client: TestClient, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    kept = ask(client, CAT_QUESTION)
    runtime.conversations = Broken(runtime.conversations, code)  # type: ignore[assignment]
    new = ask(client, CAT_QUESTION)
    going_on = ask(client, CAT_QUESTION, session_id=kept["session_id"])
    assert new["answer"] == going_on["answer"] == kept["answer"]
    assert (new["session_id"], new["turn_id"]) == (None, None)
    assert (going_on["session_id"], going_on["turn_id"]) == (kept["session_id"], None)
    assert f"a conversation is not stored: said {code}" in caplog.text
    assert CAT_QUESTION not in caplog.text


def test_any_other_trouble_of_the_database_is_told(runtime: Runtime, client: TestClient) -> None:
    runtime.conversations = Broken(runtime.conversations, "SQLITE_BUSY")  # type: ignore[assignment]
    response = client.post("/api/chat", json={"question": CAT_QUESTION})
    assert (response.status_code, response.json()["code"]) == (503, "database")


def test_a_database_without_room_is_told_as_a_full_disk() -> None:
    assert is_full(error_of("SQLITE_FULL"))
    assert not is_full(error_of("SQLITE_READONLY"))
    assert is_unwritable(error_of("SQLITE_READONLY"))
    assert not is_unwritable(OperationalError("", {}, Exception()))
    problem = problem_of(error_of("SQLITE_FULL"))
    assert (problem.code, problem.status, problem.exit_status) == ("disk_full", 507, 1)


def test_a_real_full_database_has_the_code_that_is_looked_for(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute("PRAGMA max_page_count = 2")
        with pytest.raises(sqlite3.OperationalError) as told:
            connection.execute("CREATE TABLE t AS SELECT randomblob(100000)")
    assert is_full(OperationalError("", {}, told.value))


@pytest.fixture
def two(runtime: Runtime, client: TestClient) -> TestClient:
    """Two documents that both speak of the same cat."""
    text = "狗的手册\n\n阿花也睡在狗窝里。狗窝是木头做的。"
    runtime.library().ingest([cat_document("手册/狗", text)])
    return client


def test_what_stands_on_a_deleted_document_is_in_no_history(
    runtime: Runtime, two: TestClient
) -> None:
    reply = ask(two, CAT_QUESTION)
    (gone,) = {citation["document_id"] for citation in reply["citations"]}
    runtime.library().delete([gone])
    (turn,) = two.get(f"/api/sessions/{reply['session_id']}").json()["turns"]
    assert "屋顶" in reply["answer"]
    assert turn["answer"] == "（文档已删除）[1]"
    assert "屋顶" not in str({**turn, "question": ""})
    assert ask(two, "那它呢？", session_id=reply["session_id"])["session_id"]


def test_what_stands_on_other_documents_stays(runtime: Runtime) -> None:
    documents = [cat_document("甲", "猫在屋顶上睡觉。"), cat_document("乙", "狗在院子里叫。")]
    runtime.library().ingest(documents)
    passages = [runtime.bot().search(document.text, 1)[0].passage for document in documents]
    cited = tuple(
        Citation.locate(number, passage, passage.text[:3])
        for number, passage in enumerate(passages, start=1)
    )
    text = "一共两处：\n\n- 猫在屋顶[1]。\n- 狗在院子里[2]。\n- 都有[1][2]。"
    answer = Answer(text, "grounded", cited)
    runtime.library().delete(["甲"])
    sources = runtime.sources("default", {"甲", "乙"})
    shown = answer_json(answer, sources, session_id=None, turn_id=None)["answer"]
    assert "屋顶" not in shown
    assert "狗在院子里[2]。" in shown
    assert shown.startswith("一共两处：")
    runtime.library().delete(["乙"])
    shown = answer_json(answer, runtime.sources("default", set()), session_id=None, turn_id=None)
    assert "一共两处" not in shown["answer"]  # with nothing left to stand on
    assert "猫" not in shown["answer"]
    assert "狗" not in shown["answer"]
    assert {marker for marker in ("[1]", "[2]") if marker in shown["answer"]} == {"[1]", "[2]"}


def test_a_search_and_its_sources_are_of_one_state(runtime: Runtime) -> None:
    library, changes = runtime.library(), iter("甲乙")

    def search() -> list[Hit]:
        found = runtime.bot().search("阿花", 1)
        for name in itertools.islice(changes, 1):  # somebody replaces it in between
            library.ingest([cat_document("手册/猫", f"序。阿花搬家了，搬到{name}地。")])
        return found

    found, sources = runtime.found("default", search, list)
    found[0].passage.check(library.document("手册/猫"))
    assert "乙地" in found[0].passage.text
    assert sources.infos["手册/猫"].digest == library.documents()[0].digest
