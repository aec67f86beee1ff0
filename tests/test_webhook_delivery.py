"""Webhooks end to end: a real server that is killed, and somebody who takes what it sends."""

import base64
import json
import random
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from standardwebhooks import Webhook
from starlette.testclient import TestClient

from bot.channels.webhook_testing import Came, Receiver
from bot.runtime import Runtime
from bot.sessions import SessionStore
from bot.settings import Settings
from bot.testing import CAT_QUESTION, Server, cat_document, client_of
from bot.wire import Json
from corpus.words import Segmenter
from index.database import Database
from index.testing import CharEmbedder

SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
OTHER_SECRET = f"whsec_{base64.b64encode(bytes(range(1, 33))).decode()}"
KILLS = 5


def signed(body: bytes, message_id: str) -> dict[str, str]:
    at = datetime.now(UTC).replace(microsecond=0)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(message_id, at, body.decode()),
    }


def question(text: str, **more: str) -> bytes:
    asked = {"type": "chat.ask", "data": {"question": text, **more}}
    return json.dumps(asked, ensure_ascii=False).encode()


def verified(came: Came, secret: str = SECRET) -> Json:
    Webhook(secret).verify(came.body, dict(came.headers))
    return came.message


def runtime_with(webhooks: Json, folder: Path, segmenter: Segmenter) -> Runtime:
    settings = Settings.model_validate({"data": folder / "var", "webhooks": webhooks})
    runtime = Runtime(settings, Database(settings.database), CharEmbedder(""), segmenter)
    runtime.library().ingest([cat_document("手册/猫")])
    return runtime


def ask(client: TestClient, body: bytes, message_id: str = "msg_1") -> None:
    response = client.post("/channels/webhook/crm", content=body, headers=signed(body, message_id))
    assert (response.status_code, response.json()) == (202, {"id": message_id})


def test_who_does_not_wait_is_sent_the_answer_once(tmp_path: Path, segmenter: Segmenter) -> None:
    with Receiver() as there:
        crm = {"secret": SECRET, "url": there.url, "private": True}
        runtime = runtime_with({"crm": crm}, tmp_path, segmenter)
        with client_of(runtime) as client:
            for _ in range(3):
                ask(client, question(CAT_QUESTION))
            ask(client, question(""), "msg_2")
            first, second = (verified(came)["data"] for came in there.wait(2))
            time.sleep(1.5)  # for one more, if there were one
        assert len(there.came) == 2
        runtime.close()
    replies = {data["request_id"]: data for data in (first, second)}
    assert "屋顶" in replies["msg_1"]["reply"]["answer"]
    assert replies["msg_1"]["problem"] is None
    assert replies["msg_2"]["reply"] is None
    assert replies["msg_2"]["problem"]["code"] == "question_empty"


def test_an_answer_goes_to_another_address_that_is_set_up(
    tmp_path: Path, segmenter: Segmenter
) -> None:
    with Receiver() as there, Receiver() as other:
        crm = {"secret": SECRET, "url": there.url, "private": True}
        hr = {"secret": OTHER_SECRET, "url": other.url, "private": True}
        runtime = runtime_with({"crm": crm, "hr": hr}, tmp_path, segmenter)
        with client_of(runtime) as client:
            ask(client, question(CAT_QUESTION, reply_url=other.url))
            (came,) = other.wait(1)
        runtime.close()
    assert verified(came, OTHER_SECRET)["data"]["request_id"] == "msg_1"
    assert there.came == []


def test_what_happens_anywhere_is_told(tmp_path: Path, segmenter: Segmenter) -> None:
    with Receiver() as there:
        events = ["answer.created", "feedback.created", "document.indexed", "document.deleted"]
        crm = {"secret": SECRET, "url": there.url, "private": True, "events": events}
        runtime = runtime_with({"crm": crm}, tmp_path, segmenter)
        with client_of(runtime) as client:
            reply = client.post("/api/chat", json={"question": CAT_QUESTION}).json()
            client.post("/api/feedback", json={"turn_id": reply["turn_id"], "vote": "down"})
            client.delete("/api/documents/手册/猫")
            told = {verified(came)["type"]: verified(came)["data"] for came in there.wait(4)}
        runtime.close()
    assert set(told) == {*events}
    assert told["answer.created"]["turn_id"] == reply["turn_id"]
    assert told["feedback.created"]["vote"] == "down"
    assert told["document.indexed"]["added"] == ["手册/猫"]
    assert told["document.deleted"]["deleted"] == ["手册/猫"]


@pytest.mark.slow
def test_every_question_has_one_answer_though_the_server_is_killed(tmp_path: Path) -> None:
    seed = 20260310
    chance = random.Random(seed)
    data = tmp_path / "data"
    names = [f"msg_{number}" for number in range(40)]
    with Receiver() as there:
        crm = {"secret": SECRET, "url": there.url, "private": True, "events": ["answer.created"]}
        webhooks = json.dumps({"crm": crm})
        waiting = list(names)
        for _ in range(KILLS):
            with Server(data, WENQU_WEBHOOKS=webhooks, WENQU_READER="off") as server:
                until = time.monotonic() + chance.uniform(0.2, 2)
                while waiting and time.monotonic() < until:
                    accept(server, waiting)
                server.process.kill()
        with Server(data, WENQU_WEBHOOKS=webhooks, WENQU_READER="off") as server:
            while waiting:
                accept(server, waiting)
            settled(there, names, 120)
            answers = {
                name: httpx2.post(
                    f"{server.url}/channels/webhook/crm",
                    content=question("你好", session_id=name),
                    headers={**signed(question("你好", session_id=name), name), "prefer": "wait=9"},
                ).json()
                for name in names
            }
    kept = SessionStore(Database(f"sqlite:///{data / 'wenqu.db'}"))  # a channel's own: not by HTTP
    turns = [
        len(kept.get(session).turns)
        for session in {answer["data"]["reply"]["session_id"] for answer in answers.values()}
    ]
    replies = [came for came in there.came if verified(came)["type"] == "chat.reply"]
    ids = {came.message["data"]["request_id"]: set[str]() for came in replies}
    for came in replies:
        ids[came.message["data"]["request_id"]].add(came.id)
        assert came.message["data"] == answers[came.message["data"]["request_id"]]["data"]
    assert set(ids) == {*names}
    assert {len(each) for each in ids.values()} == {1}, "an answer was made twice"
    # a kill after an answer was kept and before that was noted has it answered once more
    assert sum(turns) - len(names) <= KILLS, f"seed {seed}: {Counter(turns)}"


def accept(server: Server, waiting: list[str]) -> None:
    """Ask the next question until it is accepted; its sender repeats it if there is no answer."""
    body = question("你好", session_id=waiting[0])
    try:
        url = f"{server.url}/channels/webhook/crm"
        response = httpx2.post(url, content=body, headers=signed(body, waiting[0]), timeout=5)
    except httpx2.HTTPError:
        return
    if response.status_code == 202:
        waiting.pop(0)


def settled(there: Receiver, names: list[str], seconds: float) -> None:
    """Wait until every question has its reply."""
    until = time.monotonic() + seconds
    told: set[str] = set()
    while time.monotonic() < until:
        told = {came.message["data"].get("request_id") for came in list(there.came)}
        if told >= {*names}:
            return
        time.sleep(0.2)
    raise TimeoutError(sorted({*names} - told))
