import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.exc import InternalError

from bot.answer import Answer, Turn
from bot.catalogue import collections, describe
from bot.channels.jobs import Jobs, Message
from bot.channels.outbox import Outbox
from bot.conversations import new_id
from bot.runtime import Runtime
from bot.sessions import SessionStore
from bot.settings import Settings
from bot.testing import CAT_QUESTION, cat_document, problem_in, serving
from bot.testing_postgres import Cluster
from corpus.words import Segmenter
from index.database import CollectionRow, Database, now
from index.engines import engine_of
from index.errors import LibraryBusyError
from index.testing import CharEmbedder

ROOT = Path(__file__).parents[1]
HOLD = """
import sys, time
from index.database import Database
with Database(sys.argv[1]).hold("default", 1):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def postgres_url(new_database: Callable[[str], str]) -> str:
    return new_database("postgresql")


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Database]:
    with closing(Database(postgres_url)) as database:
        yield database


@pytest.fixture
def mortal(cluster: Cluster) -> Iterator[Cluster]:
    """A server that a test may kill; there is one, as there is `cluster`."""
    del cluster
    with Cluster() as made:
        yield made


@pytest.fixture
def replica(mortal: Cluster, tmp_path: Path, segmenter: Segmenter) -> Iterator[Runtime]:
    settings = Settings(data=tmp_path, database_url=mortal.create())
    made = Runtime(settings, Database(settings.database), CharEmbedder(""), segmenter)
    made.library().ingest([cat_document("手册/猫")])
    yield made
    made.close()


def hi(number: int = 0) -> Turn:
    return Turn(f"问{number}", Answer("你好", "chat", confidence=1.0))


@pytest.mark.slow
def test_a_killed_server_costs_no_more_than_the_requests_under_way(
    mortal: Cluster, replica: Runtime
) -> None:
    statuses: Counter[int] = Counter()
    stop = threading.Event()

    def ask_on(client: httpx2.Client) -> None:
        while not stop.is_set():
            response = client.post("/api/chat", json={"question": CAT_QUESTION})
            statuses[response.status_code] += 1
            if response.status_code == 503:
                problem_in(response, 503, "database")
                assert int(response.headers["retry-after"]) > 0
                time.sleep(0.05)

    with (
        serving(replica) as port,
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
        ThreadPoolExecutor(4) as pool,
    ):
        asking = [pool.submit(ask_on, client) for _ in range(4)]
        while statuses[200] < 8:
            time.sleep(0.02)
        mortal.kill()
        while statuses[503] < 4:
            time.sleep(0.02)
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert "database" in ready.json()["checks"].values()
        assert client.get("/healthz").status_code == 200
        mortal.start()
        before = statuses[200]
        while statuses[200] < before + 20:
            time.sleep(0.02)
        stop.set()
        for each in asking:
            each.result()
        assert set(statuses) == {200, 503}
        for _ in range(20):  # every connection of the pool is whole again
            assert client.post("/api/chat", json={"question": CAT_QUESTION}).status_code == 200
        assert client.get("/readyz").status_code == 200


def test_a_lost_connection_costs_one_request(postgres: Database) -> None:
    store = SessionStore(postgres)
    session_id = store.start("a")
    with postgres.write() as session:
        others = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        )
        session.execute(text(f"{others} AND datname = current_database()"))
    store.add(session_id, hi(), turn_id=new_id())
    assert store.turns(session_id, "a") == (hi(),)


def test_what_one_host_holds_another_does_not_get(postgres: Database, postgres_url: str) -> None:
    with closing(Database(postgres_url)) as other:
        refused = pytest.raises(LibraryBusyError, match="'default' is being changed by another")
        with postgres.hold("default", 1), other.hold("more", 1), refused:
            other.hold("default", 0.2).__enter__()
        with other.hold("default", 1):
            pass


@pytest.mark.slow
def test_a_killed_host_holds_nothing(postgres: Database, postgres_url: str) -> None:
    command = [sys.executable, "-c", HOLD, postgres_url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "held\n"
        with pytest.raises(LibraryBusyError):
            postgres.hold("default", 0).__enter__()
        os.kill(child.pid, signal.SIGKILL)
    with postgres.hold("default", 5):
        pass


def test_readers_see_one_state_and_cannot_write(postgres: Database) -> None:
    store = SessionStore(postgres)
    with postgres.read() as session:
        count = text("SELECT count(*) FROM sessions")
        before = session.scalar(count)
        store.start("a")
        assert session.scalar(count) == before == 0
        with pytest.raises(InternalError, match="read-only"):
            session.execute(text("DELETE FROM sessions"))


def test_writers_that_want_to_be_alone_go_one_by_one(postgres: Database) -> None:
    def count_up(_number: int) -> None:
        for _ in range(10):
            with postgres.write(alone="count") as session:
                row = session.get(CollectionRow, "a")
                seen = int(row.changed_at) if row else 0
                session.merge(CollectionRow(name="a", changed_at=str(seen + 1)))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(count_up, range(6)))
    with postgres.read() as session:
        assert session.get_one(CollectionRow, "a").changed_at == "60"


def test_of_many_that_look_for_work_each_gets_another_piece(database: Database) -> None:
    jobs, outbox = Jobs(database), Outbox(database, {})
    for number in range(40):
        jobs.accept(Message("x", str(number), f"chat {number}", "问", {}))
        with database.write() as session:
            outbox.reply(session, "crm", {"id": str(number)})
    start = threading.Barrier(8)

    def take(_number: int) -> list[str]:
        start.wait()
        found: list[str] = []
        while True:
            job, delivery = jobs.take("x"), outbox.take("crm")
            if job is None and delivery is None:
                return found
            found += [f"job {job.message.id}"] if job else []
            found += [f"delivery {delivery.subject['id']}"] if delivery else []

    with ThreadPoolExecutor(8) as pool:
        taken = [name for names in pool.map(take, range(8)) for name in names]
    assert sorted(taken) == sorted(f"{kind} {n}" for kind in ("job", "delivery") for n in range(40))


@pytest.mark.parametrize("given", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_way_to_write_the_url_leads_to_psycopg(given: str) -> None:
    engine = engine_of(f"{given}://a:b@127.0.0.1:1/c?application_name=mine", 1)
    assert engine.url.drivername == "postgresql+psycopg"
    assert engine.url.query["application_name"] == "mine"
    assert "lock_timeout=8000" in str(engine.url.query["options"])


def test_names_are_ordered_by_code_points_on_every_engine(database: Database) -> None:
    names = ["B", "a", "Z", "z", "中", "一", "-", "_", "é"]
    with database.write() as session:
        for name in names:
            session.add(CollectionRow(name=name, changed_at=now()))
    assert list(collections(database)) == sorted(names)
    assert describe(database, "a") == {}


def test_text_that_no_database_keeps_is_the_fault_of_who_sends_it(
    postgres_url: str, tmp_path: Path, segmenter: Segmenter
) -> None:
    settings = Settings(data=tmp_path, database_url=postgres_url)
    runtime = Runtime(settings, Database(settings.database), CharEmbedder(""), segmenter)
    runtime.library().ingest([cat_document("手册/猫")])
    address = "http://127.0.0.1:{}"
    with serving(runtime) as port, httpx2.Client(base_url=address.format(port)) as client:
        asked = client.post("/api/chat", json={"question": "阿花\0在哪里？"})
        assert asked.status_code == 422
        told = {"question": CAT_QUESTION, "session_id": "a\0b"}
        assert client.post("/api/chat", json=told).status_code == 422
        assert client.get("/api/sessions/a%00b").status_code in {404, 422}
        assert client.get("/api/documents/a%00b").status_code in {404, 422}
        said = client.post("/api/chat", json={"question": CAT_QUESTION}).json()
        comment = {"turn_id": said["turn_id"], "vote": "up", "comment": "好\0"}
        assert client.post("/api/feedback", json=comment).status_code == 422
    runtime.close()
