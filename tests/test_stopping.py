"""What becomes of what a service has begun when it is told to stop; a real process each time."""

import base64
import json
import re
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select

from bot.channels.asked import AskedRow
from bot.channels.jobs import ChannelJobRow
from bot.channels.signing import signed
from bot.llm.testing import HEAD, Script, chunk, fake_model, saying
from bot.session_rows import TurnRow
from bot.testing import Server
from index.database import Database

pytestmark = pytest.mark.slow

QUESTION = "chroot 是哪一年出现的？"
SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
HANGS: Script = [HEAD, chunk("chroot 1979 年出现"), 60.0]
STREAMS = 20
JOBS = 5


@pytest.fixture
def heard() -> Iterator[None]:
    """A shell has background jobs ignore interrupts, and a child process would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def data(bundled: Path, tmp_path: Path) -> Path:
    """A copy, since this one is written to."""
    return Path(shutil.copytree(bundled, tmp_path / "data"))


def environment(url: str) -> dict[str, str]:
    return {
        "WENQU_LLM_BASE_URL": url,
        "WENQU_LLM_MODEL": "fake",
        "WENQU_LLM_CONCURRENCY": "100",
        "WENQU_LLM_GAP_SECONDS": "50",
        "WENQU_LLM_FIRST_TOKEN_SECONDS": "50",
        "WENQU_STOP_SECONDS": "3",
        "WENQU_WEBHOOKS": json.dumps({"crm": {"secret": SECRET, "url": ""}}),
    }


class Streams:
    """Questions that are answered as streams, each read to its end by a thread."""

    def __init__(self, url: str, count: int) -> None:
        self.ends: list[list[tuple[str, Any]]] = []
        self._begun = threading.Semaphore(0)
        self._threads = [threading.Thread(target=self._read, args=(url,)) for _ in range(count)]
        for thread in self._threads:
            thread.start()
        for _ in range(count):
            assert self._begun.acquire(timeout=60)

    def _read(self, url: str) -> None:
        body = {"question": QUESTION, "stream": True}
        events = []
        with httpx2.stream("POST", f"{url}/api/chat", json=body, timeout=60) as response:
            assert response.status_code == 200
            name = ""
            for line in response.iter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                    if name == "meta":
                        self._begun.release()
                elif line.startswith("data: "):
                    events.append((name, json.loads(line.removeprefix("data: "))))
        self.ends.append(events)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()


def waiting_server(data: Path, url: str, seconds: int) -> Server:
    """Return one that waits for answers longer than this test does."""
    return Server(data, stderr=None, **{**environment(url), "WENQU_STOP_SECONDS": str(seconds)})


def ask_by_webhook(url: str, number: int) -> httpx2.Response:
    body = json.dumps(
        {"type": "chat.ask", "data": {"question": QUESTION, "session_id": str(number)}}
    )
    headers = signed(SECRET, f"msg_{number}", body, time.time())
    headers |= {"prefer": "respond-async, wait=0", "content-type": "application/json"}
    return httpx2.post(f"{url}/channels/webhook/crm", content=body, headers=headers, timeout=30)


def gauge(url: str, name: str) -> float:
    found = re.search(rf"^{name} ([0-9.e+-]+)$", httpx2.get(f"{url}/metrics").text, re.MULTILINE)
    assert found, name
    return float(found[1])


def states(data: Path) -> dict[str, int]:
    database = Database(f"sqlite:///{data / 'wenqu.db'}")
    query = select(ChannelJobRow.state, func.count()).group_by(ChannelJobRow.state)
    with database.read() as session:
        found = dict(session.execute(query).all())
    database.close()
    return {str(state): count for state, count in found.items()}


def test_streams_are_told_jobs_stay_and_are_done_after_a_restart(data: Path) -> None:
    with (
        fake_model(HANGS) as model,
        Server(data, stderr=None, **environment(model.url)) as server,
    ):
        streams = Streams(server.url, STREAMS)
        for number in range(JOBS):
            assert ask_by_webhook(server.url, number).status_code == 202
        while len(model.requests) < STREAMS + JOBS:
            time.sleep(0.05)
        assert gauge(server.url, "wenqu_streams") == STREAMS
        asked_at = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        ready = httpx2.get(f"{server.url}/readyz")
        assert ready.status_code == 503
        assert ready.json()["checks"] == {"service": "shutting_down"}
        assert httpx2.get(f"{server.url}/healthz").status_code == 200
        for refused in (
            httpx2.post(f"{server.url}/api/chat", json={"question": QUESTION}),
            ask_by_webhook(server.url, JOBS),
        ):
            assert (refused.status_code, refused.json()["code"]) == (503, "shutting_down")
            assert int(refused.headers["retry-after"]) > 0
        streams.join()
        assert server.process.wait(30) == 0
        assert 3 <= time.monotonic() - asked_at < 25
    assert len(streams.ends) == STREAMS
    for events in streams.ends:
        assert [name for name, _ in events].count("done") == 0
        assert (events[-1][0], events[-1][1]["code"]) == ("error", "shutting_down")
    assert states(data) == {"waiting": JOBS}
    with (
        fake_model(saying("chroot 出现于 1979 年[S1]。")) as model,
        Server(data, stderr=None, **environment(model.url)),
    ):
        until = time.monotonic() + 60
        while states(data) != {"done": JOBS}:
            assert time.monotonic() < until, states(data)
            time.sleep(0.2)
    database = Database(f"sqlite:///{data / 'wenqu.db'}")
    with database.read() as session:
        asked = session.scalars(select(AskedRow)).all()
        turns = [str((row.outcome or {})["turn_id"]) for row in asked]
        kept = session.scalars(select(TurnRow.id).where(TurnRow.id.in_(turns))).all()
    database.close()
    assert sorted(kept) == sorted(turns), "one turn a job"
    assert len({*turns}) == JOBS


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_shortens_the_wait_and_the_streams_are_still_told(
    bundled: Path, number: signal.Signals
) -> None:
    with fake_model(HANGS) as model, waiting_server(bundled, model.url, 300) as server:
        streams = Streams(server.url, 3)
        server.process.send_signal(number)
        assert httpx2.get(f"{server.url}/readyz").status_code == 503  # it has heard the first
        server.process.send_signal(number)
        assert server.process.wait(30) == 0
        streams.join()
    assert [events[-1][1]["code"] for events in streams.ends] == ["shutting_down"] * 3


def test_a_stream_that_is_nearly_done_gets_its_end(bundled: Path) -> None:
    slow: Script = [HEAD, 1.5, *saying("chroot 出现于 1979 年[S1]。")[1:]]
    with fake_model(slow) as model, waiting_server(bundled, model.url, 60) as server:
        streams = Streams(server.url, 3)
        server.process.send_signal(signal.SIGTERM)
        streams.join()
        assert server.process.wait(30) == 0
    assert [events[-1][0] for events in streams.ends] == ["done"] * 3


def test_work_that_does_not_end_does_not_keep_the_process(data: Path) -> None:
    with Server(data, WENQU_ANSWER_SECONDS="1") as server:
        lock = sqlite3.connect(data / "wenqu.db", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        answer = httpx2.post(f"{server.url}/api/chat", json={"question": QUESTION}, timeout=30)
        assert (answer.status_code, answer.json()["code"]) == (504, "deadline")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
        lock.close()
