"""The server under load; eval.bench.load and eval.bench.soak run more of it."""

import base64
import json
import re
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import numpy as np
import pytest

from bot.channels.signing import signed
from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import CAT_QUESTION, Server, cat_document, serving
from corpus.words import Segmenter
from eval.bench.load import left, overload
from index.database import Database
from index.embed import Vectors
from index.testing import CharEmbedder

SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"


ASKED = {"question": CAT_QUESTION}


class Gated(CharEmbedder):
    """Embeds questions once a gate is open."""

    def __init__(self) -> None:
        super().__init__("")
        self.gate = threading.Event()
        self.began: list[str] = []

    def encode_questions(self, texts: Sequence[str]) -> Vectors:
        self.began.extend(texts)
        self.gate.wait(90)
        return super().encode_questions(texts)


@pytest.fixture
def gated(tmp_path: Path, segmenter: Segmenter) -> Iterator[tuple[str, Gated, Runtime]]:
    """Address of a server whose eight threads and 64 places fill up until the gate opens."""
    settings = Settings.model_validate(
        {"data": tmp_path, "workers": 8, "queue": 64, "webhooks": {"crm": {"secret": SECRET}}}
    )
    embedder = Gated()
    runtime = Runtime(settings, Database(settings.database), embedder, segmenter)
    runtime.library().ingest([cat_document("手册/猫")])
    with serving(runtime) as port:
        try:
            yield f"http://127.0.0.1:{port}", embedder, runtime
        finally:
            embedder.gate.set()
    runtime.close()


def client(url: str) -> httpx2.Client:
    return httpx2.Client(base_url=url, timeout=30, limits=httpx2.Limits(max_connections=200))


def gauges(url: str, *names: str) -> list[float]:
    text = httpx2.get(f"{url}/metrics", timeout=30).text
    found = [re.search(rf"^{name} (\S+)$", text, re.MULTILINE) for name in names]
    return [float(each[1]) for each in found if each]


def wait_for(url: str, expected: Sequence[float]) -> None:
    until = time.monotonic() + 30
    while (found := gauges(url, "wenqu_workers_busy", "wenqu_queue_waiting")) != expected:
        assert time.monotonic() < until, found
        time.sleep(0.05)


def test_who_finds_no_place_is_told_at_once_and_the_others_get_their_answers(
    gated: tuple[str, Gated, Runtime],
) -> None:
    url, embedder, _ = gated
    answers: list[tuple[int, float, str]] = []

    def ask(number: int) -> None:
        began = time.monotonic()
        body = {"question": f"阿花在哪里睡觉？{number}"}
        response = http.post("/api/chat", json=body, timeout=90)
        reply = response.json()
        answers.append(
            (response.status_code, time.monotonic() - began, reply.get("answer", reply.get("code")))
        )

    with client(url) as http, ThreadPoolExecutor(100) as callers:
        for number in range(72):
            callers.submit(ask, number)
        wait_for(url, [8, 64])
        spent = []
        for _ in range(28):  # one after the other: each is measured by itself
            began = time.monotonic()
            response = http.post("/api/chat", json={"question": CAT_QUESTION, "stream": True})
            spent.append(time.monotonic() - began)
            assert (response.status_code, response.json()["code"]) == (503, "overloaded")
            assert int(response.headers["retry-after"]) > 0
        assert np.median(spent) < 1, spent
        for path in ("/healthz", "/readyz", "/metrics", "/api/documents"):
            began = time.monotonic()
            assert http.get(path).status_code == 200, path
            assert time.monotonic() - began < 5, path
        embedder.gate.set()
    assert [status for status, _, _ in answers] == [200] * 72
    assert all("屋顶" in answer for _, _, answer in answers)
    assert gauges(url, "wenqu_workers_busy", "wenqu_queue_waiting") == [0, 0]


def test_a_question_whose_client_left_while_it_waited_is_never_begun(
    gated: tuple[str, Gated, Runtime],
) -> None:
    url, embedder, _ = gated
    ask = {"question": "阿花在哪里睡觉？先来的"}
    with ThreadPoolExecutor(8) as callers:
        for _ in range(8):
            callers.submit(httpx2.post, f"{url}/api/chat", json=ask, timeout=90)
        wait_for(url, [8, 0])
        leaving = [httpx2.Client(base_url=url, timeout=0.3) for _ in range(10)]
        for client, number in zip(leaving, range(10), strict=True):
            body = {"question": f"阿花在哪里睡觉？走的{number}", "stream": bool(number % 2)}
            with pytest.raises(httpx2.TimeoutException):
                client.post("/api/chat", json=body)
            client.close()
        wait_for(url, [8, 0])
        embedder.gate.set()
    assert httpx2.post(f"{url}/api/chat", json=ask, timeout=90).status_code == 200
    assert not [question for question in embedder.began if "走的" in question]
    text = httpx2.get(f"{url}/metrics").text
    assert 'wenqu_requests_total{method="POST",route="/api/chat",status="499"} 10.0' in text


def test_a_change_of_documents_goes_on_while_all_threads_answer(
    gated: tuple[str, Gated, Runtime],
) -> None:
    url, embedder, _ = gated
    with ThreadPoolExecutor(8) as callers:
        for _ in range(8):
            callers.submit(httpx2.post, f"{url}/api/chat", json=ASKED, timeout=90)
        wait_for(url, [8, 0])
        body = {"title": "新的", "text": "阿黄在院子里睡觉。"}
        added = httpx2.post(f"{url}/api/documents", json=body, timeout=30).json()["added"]
        deleted = httpx2.delete(f"{url}/api/documents/{added[0]}", timeout=30)
        assert deleted.json()["deleted"] == added
        embedder.gate.set()


def test_messages_are_acknowledged_soon_though_answers_take_long(
    gated: tuple[str, Gated, Runtime],
) -> None:
    url, _, _ = gated

    def tell(number: int) -> float:
        data = {"question": CAT_QUESTION, "session_id": str(number)}
        body = json.dumps({"type": "chat.ask", "data": data})
        headers = signed(SECRET, f"msg_{number}", body, time.time()) | {"prefer": "wait=0"}
        began = time.monotonic()
        response = http.post("/channels/webhook/crm", content=body, headers=headers)
        assert response.status_code == 202
        return time.monotonic() - began

    with client(url) as http, ThreadPoolExecutor(8) as callers:
        for _ in range(8):
            callers.submit(httpx2.post, f"{url}/api/chat", json=ASKED, timeout=90)
        wait_for(url, [8, 0])
        spent = [tell(number) for number in range(200)]
        # on an idle machine 0.02 s; the strictest platform waits 3 s
        assert np.percentile(spent, 99) < 3
        jobs = httpx2.get(f"{url}/metrics").text
        assert 'wenqu_channel_jobs{channel="webhook",state="waiting"} 200.0' in jobs
        gated[1].gate.set()


@pytest.mark.slow
def test_a_real_server_keeps_its_word_under_load(bundled: Path) -> None:
    with Server(bundled, WENQU_WORKERS="4", WENQU_QUEUE="16") as server:
        figures = [overload(server, callers=60, places=20), left(server, times=40, seed=8)]
    assert all(figure.held for figure in figures), figures
