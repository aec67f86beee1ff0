import ast
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoTurnError

from bot.problems import problem_of
from bot.runtime import Runtime
from bot.sessions import SessionStore
from bot.settings import Settings
from bot.testing import CAT_QUESTION, cat_document, client_of, problem_in
from corpus.words import Segmenter
from eval.bench.database import figures, locked
from index.database import Database
from index.fifo import FifoLock
from index.testing import CharEmbedder

ROOT = Path(__file__).parents[1]
OPENS = {"create_engine", "sqlite3.connect", "sessionmaker", "Session"}
BY_ITSELF = {
    "index/engines.py": "makes the connections",
    "index/database.py": "is the way",
    "bot/testing_postgres.py": "makes databases",
    "index/backup.py": "reads and makes files that are not in use",
    "index/probe.py": "tries whether the file can be written, and changes nothing",
    "eval/bench/database.py": "plays the process that holds a lock",
}
WRITE = {"add", "add_all", "merge", "delete", "flush", "commit"}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/wenqu.db"


@pytest.mark.slow
def test_the_short_form_of_every_run_holds() -> None:
    found = list(figures(full=False, seed=7))
    assert [figure for figure in found if not figure.held] == []
    assert [figure.case for figure in found] == ["R14", "R69", "R14", "R14", "R14"]


def test_a_lock_held_for_too_long_is_a_503_that_says_when_to_come_back(
    tmp_path: Path, segmenter: Segmenter
) -> None:
    settings = Settings(data=tmp_path)
    runtime = Runtime(
        settings, Database(settings.database, busy_seconds=1), CharEmbedder(""), segmenter
    )
    runtime.library().ingest([cat_document("手册/猫")])
    asked = {"question": CAT_QUESTION}
    with closing(runtime), client_of(runtime) as client:
        with locked(settings.database, 3):
            response = client.post("/api/chat", json=asked)
            problem_in(response, 503, "database")
            assert int(response.headers["retry-after"]) > 0
            assert "locked" not in response.text
            assert client.get("/api/documents").status_code == 200  # readers are not held up
        assert client.post("/api/chat", json=asked).status_code == 200


def test_threads_that_wait_for_one_of_ours_give_up_as_well(url: str) -> None:
    with closing(Database(url, busy_seconds=0.2)) as database, database.write():
        failed: list[SQLAlchemyError] = []

        def write() -> None:
            try:
                with database.write():
                    pass
            except SQLAlchemyError as error:
                failed.append(error)

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert [type(error) for error in failed] == [NoTurnError]
    assert problem_of(failed[0]).retry_seconds == 5


def test_a_reader_cannot_become_a_writer(url: str) -> None:
    with closing(Database(url)) as database:
        readonly = pytest.raises(OperationalError, match="attempt to write a readonly database")
        with database.read() as session, readonly:
            session.execute(text("DELETE FROM sessions"))
        SessionStore(database).start("a")  # on the same connection
        with database.read() as session:
            assert session.scalar(text("SELECT count(*) FROM sessions")) == 1


def modules() -> Iterator[tuple[str, ast.Module]]:
    for package in ("corpus", "index", "bot", "eval"):
        for path in (ROOT / package).rglob("*.py"):
            if "migrations" not in path.parts:
                name = path.relative_to(ROOT).as_posix()
                yield name, ast.parse(path.read_text(encoding="utf-8"))


def test_nobody_opens_a_database_but_by_its_module() -> None:
    found = {
        name
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in OPENS
    }
    assert found == {*BY_ITSELF}


def test_nobody_writes_in_a_session_that_reads() -> None:
    found = [
        f"{name}:{call.lineno}"
        for name, tree in modules()
        for block in ast.walk(tree)
        if isinstance(block, ast.With)
        for item in block.items
        if ast.unparse(item.context_expr).endswith(".read()") and item.optional_vars
        for call in ast.walk(block)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and ast.unparse(call.func.value) == ast.unparse(item.optional_vars)
        and call.func.attr in WRITE
    ]
    assert found == []


def test_the_lock_goes_to_who_has_waited_longest() -> None:
    lock, got, threads = FifoLock(), [], []
    assert lock.acquire(1)

    def wait(number: int) -> None:
        assert lock.acquire(10)
        got.append(number)
        lock.release()

    for number in range(8):
        threads.append(threading.Thread(target=wait, args=(number,)))
        threads[-1].start()
        while len(lock._waiting) <= number:
            time.sleep(0.001)
    lock.release()
    for thread in threads:
        thread.join()
    assert got == list(range(8))


def test_who_gives_up_is_passed_over() -> None:
    lock = FifoLock()
    assert lock.acquire(1)
    assert not lock.acquire(0.05)
    lock.release()
    assert lock.acquire(0)
    lock.release()


@pytest.mark.slow
def test_the_lock_is_never_lost_between_giving_up_and_getting_it() -> None:
    lock, inside, most = FifoLock(), [0], [0]

    def work(number: int) -> None:
        for step in range(300):
            if lock.acquire(0.0001 * ((number + step) % 4)):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1
                lock.release()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert lock.acquire(0)
