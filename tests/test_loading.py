import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from bot.api.state import State
from bot.api.workers import Workers
from bot.app import create_app
from bot.commands.announce import announce
from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import CAT_QUESTION, ask, client_of, problem_in
from bot.unstored import UnstoredConversations
from corpus.words import Segmenter
from index.embed import Vectors
from index.errors import ModelError
from index.testing import CharEmbedder


def test_while_the_model_loads_the_process_is_up_and_not_ready(runtime: Runtime) -> None:
    go_on, loaded = threading.Event(), threading.Event()

    def slow(_settings: Settings) -> Runtime:
        go_on.wait(30)
        return runtime

    app = create_app(runtime.settings, open_runtime=slow, on_loaded=lambda _: loaded.set())
    with TestClient(app) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["checks"]) == (503, {"start": "not_ready"})
        response = client.post("/api/chat", json={"question": "阿花？"})
        problem_in(response, 503, "not_ready")
        assert int(response.headers["retry-after"]) > 0
        go_on.set()
        loaded.wait(30)
        assert client.get("/readyz").json() == {
            "status": "ready",
            "checks": {"start": "ok", "database": "ok", "index": "ok"},
        }
        ask(client, CAT_QUESTION)


def test_a_model_that_cannot_be_loaded_is_told_to_whoever_asks(runtime: Runtime) -> None:
    loaded = threading.Event()

    def fail(_settings: Settings) -> Runtime:
        message = "no weights"
        raise ModelError(message)

    app = create_app(runtime.settings, open_runtime=fail, on_loaded=lambda _: loaded.set())
    with TestClient(app) as client:
        loaded.wait(30)
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").json()["checks"] == {"start": "model"}
        problem_in(client.post("/api/chat", json={"question": "阿花？"}), 503, "model")


def test_loading_is_tried_again_until_it_works(runtime: Runtime) -> None:
    tries: list[int] = []
    loaded = threading.Event()
    away = OperationalError("", {}, ConnectionError("no connection"))

    def second_time(_settings: Settings) -> Runtime:
        tries.append(len(tries))
        if len(tries) < 3:
            raise away
        loaded.set()
        return runtime

    app = create_app(runtime.settings, open_runtime=second_time, retry_seconds=0.01)
    with TestClient(app) as client:
        assert loaded.wait(30)
        while client.get("/readyz").status_code != 200:
            assert client.get("/readyz").json()["checks"] == {"start": "database"}
        ask(client, CAT_QUESTION)
    assert tries == [0, 1, 2]


def test_conversations_past_their_time_are_deleted_when_the_service_starts(
    runtime: Runtime,
) -> None:
    purged = threading.Event()
    asked: list[datetime] = []

    class Watched(UnstoredConversations):
        def purge(self, unused_since: datetime) -> int:
            asked.append(unused_since)
            purged.set()
            return 1

    runtime.settings = runtime.settings.model_copy(update={"store_conversations": False})
    runtime.conversations = Watched()
    with client_of(runtime):
        assert purged.wait(30)
    age = datetime.now(UTC) - asked[0]
    assert timedelta(days=30) <= age < timedelta(days=30, minutes=5)


def test_an_index_made_with_another_model_is_refused_with_both_names(
    runtime: Runtime, segmenter: Segmenter
) -> None:
    other = Runtime(runtime.settings, runtime.database, CharEmbedder("猫"), segmenter)
    with client_of(other) as client:
        assert client.get("/readyz").json()["checks"]["index"] == "model_mismatch"
        response = client.post("/api/chat", json={"question": "阿花？", "stream": True})
        assert "'char:'" in problem_in(response, 503, "model_mismatch")["detail_en"]


def test_a_damaged_index_is_told_and_never_answers_until_it_has_repaired_itself(
    runtime: Runtime, segmenter: Segmenter, capsys: pytest.CaptureFixture[str]
) -> None:
    before = runtime.bot().ask(CAT_QUESTION).text
    (path,) = runtime.settings.indexes.glob("default/g-*/dense.faiss")
    path.write_bytes(path.read_bytes()[:-1])
    go_on = threading.Event()

    class Slow(CharEmbedder):
        def encode_passages(self, texts: Sequence[str]) -> Vectors:
            go_on.wait(30)
            return super().encode_passages(texts)

    other = Runtime(runtime.settings, runtime.database, Slow(""), segmenter)
    loaded, announced = threading.Event(), list[int]()

    def tell(state: State) -> None:
        announced.append(announce(state, "http://127.0.0.1:1"))
        loaded.set()

    app = create_app(other.settings, open_runtime=lambda _settings: other, on_loaded=tell)
    with TestClient(app) as client:
        assert loaded.wait(30)
        told = client.get("/readyz")
        assert (told.status_code, told.json()["checks"]["index"]) == (503, "index_damaged")
        for response in (
            client.get("/api/search?q=阿花"),
            client.post("/api/chat", json={"question": CAT_QUESTION}),
        ):
            said = problem_in(response, 503, "index_damaged")
            assert "dense.faiss" in said["detail"]
            assert "正在自动修复" in said["detail"]
            assert response.headers["retry-after"] == "10"
        go_on.set()
        until = time.monotonic() + 30
        while client.get("/readyz").status_code != 200 and time.monotonic() < until:
            time.sleep(0.01)
        assert ask(client, CAT_QUESTION)["answer"] == before
    assert announced == [0]
    out = capsys.readouterr().out
    assert out == "问渠已启动：http://127.0.0.1:1，索引正在修复，好了就能提问。\n"


def test_more_questions_than_may_wait_are_turned_away_at_once(
    runtime: Runtime, segmenter: Segmenter
) -> None:
    go_on, working = threading.Event(), threading.Semaphore(0)

    class Slow(CharEmbedder):
        def encode_questions(self, texts: Sequence[str]) -> Vectors:
            working.release()
            go_on.wait(30)
            return super().encode_questions(texts)

    settings = runtime.settings.model_copy(update={"workers": 1, "queue": 0})
    slow = Runtime(settings, runtime.database, Slow(""), segmenter)
    replies: list[int] = []
    with client_of(slow) as client:

        def post() -> None:
            replies.append(client.post("/api/chat", json={"question": "阿花？"}).status_code)

        first = threading.Thread(target=post)
        first.start()
        assert working.acquire(timeout=30)
        response = client.post("/api/chat", json={"question": "阿花？", "stream": True})
        assert problem_in(response, 503, "overloaded")["retry_after"] == 5
        assert response.headers["retry-after"] == "5"
        assert client.get("/healthz").status_code == 200
        go_on.set()
        first.join(30)
    assert replies == [200]


def test_work_that_takes_too_long_is_given_up() -> None:
    done = threading.Event()

    async def ask_slowly() -> None:
        with pytest.raises(TimeoutError):
            await Workers(1, 1, deadline_seconds=0.05).admit(done.wait, 30)
        done.set()

    started = time.monotonic()
    anyio.run(ask_slowly)
    assert time.monotonic() - started < 20


def test_conversations_are_not_stored_where_that_is_switched_off(
    runtime: Runtime, segmenter: Segmenter
) -> None:
    settings = runtime.settings.model_copy(update={"store_conversations": False})
    silent = Runtime(settings, runtime.database, CharEmbedder(""), segmenter)
    with client_of(silent) as client:
        session_id = ask(client, "阿花在哪里睡觉？秘密")["session_id"]
        assert len(client.get(f"/api/sessions/{session_id}").json()["turns"]) == 1
    held = b"".join(path.read_bytes() for path in settings.data.glob("wenqu.db*"))
    assert "秘密".encode() not in held
