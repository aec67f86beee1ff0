"""Whether `/readyz` tells the truth; loading and damage are in test_loading.py."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from sqlalchemy.exc import OperationalError

from bot.api.schema import ProblemReply
from bot.llm.testing import fake_model, refusing
from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import CAT_QUESTION, cat_document, serving
from corpus.words import Segmenter
from index.database import Database
from index.embed import Vectors
from index.probe import probe
from index.testing import CharEmbedder


def ready(port: int) -> tuple[int, str, dict[str, str]]:
    url = f"http://127.0.0.1:{port}"
    assert httpx2.get(f"{url}/healthz").json() == {"status": "ok"}, "whatever else is wrong"
    response = httpx2.get(f"{url}/readyz", timeout=30)
    said = response.json()
    return response.status_code, said["status"], said["checks"]


@pytest.fixture
def port(runtime: Runtime) -> Iterator[int]:
    with serving(runtime) as made:
        yield made


def file_of(runtime: Runtime) -> Path:
    return runtime.settings.data / "wenqu.db"


def test_all_is_well(port: int) -> None:
    assert ready(port) == (200, "ready", {"start": "ok", "database": "ok", "index": "ok"})


def test_a_database_that_was_moved_away_is_missed_though_its_connections_go_on(
    port: int, runtime: Runtime, tmp_path: Path
) -> None:
    file_of(runtime).rename(tmp_path / "elsewhere.db")
    assert ready(port) == (503, "unready", {"start": "ok", "database": "database"})
    (tmp_path / "elsewhere.db").rename(file_of(runtime))
    assert ready(port)[:2] == (200, "ready")


def test_a_database_that_is_another_one_now_is_not_taken_for_ours(
    port: int, runtime: Runtime, tmp_path: Path
) -> None:
    file_of(runtime).rename(tmp_path / "elsewhere.db")
    with closing(sqlite3.connect(file_of(runtime))) as other:
        other.execute("CREATE TABLE something (x)")
    assert ready(port)[2]["database"] == "database"


def test_a_database_that_somebody_locks_is_told_and_looking_holds_up_nobody(
    port: int, runtime: Runtime
) -> None:
    with closing(sqlite3.connect(file_of(runtime), isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        answers: list[tuple[int, str, dict[str, str]]] = []
        threads = [threading.Thread(target=lambda: answers.append(ready(port))) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert [status for status, _, _ in answers] == [503] * 5
        assert {checks["database"] for _, _, checks in answers} <= {"database", "deadline"}
        found = httpx2.get(f"http://127.0.0.1:{port}/api/documents").json()["documents"]
        assert len(found) == 1, "reading goes on"
        holder.execute("ROLLBACK")
    assert ready(port)[:2] == (200, "ready")


def test_a_probe_of_what_is_no_database_of_ours_fails(tmp_path: Path) -> None:
    with pytest.raises(OperationalError, match="unable to open"):
        probe(f"sqlite:///{tmp_path / 'nowhere.db'}")
    assert not (tmp_path / "nowhere.db").exists()
    (tmp_path / "text.db").write_text("阿花" * 1000, encoding="utf-8")
    with pytest.raises(OperationalError, match="not a database"):
        probe(f"sqlite:///{tmp_path / 'text.db'}")


def test_a_language_model_that_is_away_makes_it_degraded_without_being_asked(
    tmp_path: Path, segmenter: Segmenter
) -> None:
    with fake_model(refusing(401)) as model:
        settings = Settings(data=tmp_path, llm_base_url=model.url, llm_model="fake")
        runtime = Runtime(settings, Database(settings.database), CharEmbedder(""), segmenter)
        runtime.library().ingest([cat_document("手册/猫")])
        with serving(runtime) as port:
            assert ready(port)[1:] == (
                "ready",
                {"start": "ok", "database": "ok", "index": "ok", "llm": "ok"},
            )
            body = {"question": CAT_QUESTION}
            reply = httpx2.post(f"http://127.0.0.1:{port}/api/chat", json=body, timeout=30).json()
            assert (reply["mode"], reply["fallback"]) == ("extractive", "refused")
            calls = len(model.requests)
            for _ in range(10):
                status, word, checks = ready(port)
                assert (status, word, checks["llm"]) == (200, "degraded", "paused")
            assert len(model.requests) == calls


def test_metrics_go_on_without_the_database(port: int, runtime: Runtime, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{port}/metrics"
    assert 'wenqu_documents{collection="default"} 1.0' in httpx2.get(url).text
    runtime.library("b").ingest([cat_document("b")])
    assert 'wenqu_documents{collection="b"} 1.0' in httpx2.get(url).text
    runtime.database.close()
    file_of(runtime).rename(tmp_path / "elsewhere.db")
    response = httpx2.get(url, timeout=30)
    assert response.status_code == 200
    assert "wenqu_requests_total" in response.text


def test_an_answer_has_its_time_and_whoever_waits_longer_is_told(
    runtime: Runtime, segmenter: Segmenter
) -> None:
    go_on = threading.Event()

    class Slow(CharEmbedder):
        def encode_questions(self, texts: Sequence[str]) -> Vectors:
            go_on.wait(30)
            return super().encode_questions(texts)

    settings = runtime.settings.model_copy(update={"answer_seconds": 0.3, "workers": 1})
    slow = Runtime(settings, runtime.database, Slow(""), segmenter)
    with serving(slow) as port:
        url = f"http://127.0.0.1:{port}"
        for body in ({"question": CAT_QUESTION}, {"question": CAT_QUESTION, "stream": True}):
            response = httpx2.post(f"{url}/api/chat", json=body, timeout=30)
            assert response.status_code == 504
            ProblemReply.model_validate(response.json())
        assert httpx2.get(f"{url}/api/search?q=阿花", timeout=30).status_code == 504
        assert 'wenqu_refusals_total{reason="deadline"} 3.0' in httpx2.get(f"{url}/metrics").text
        go_on.set()
