import base64
import json
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from httpx2 import Response
from standardwebhooks import Webhook
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from bot.api.schema import ChatReply
from bot.channels.signing import check, signed
from bot.channels.webhook import router
from bot.errors import ExtraNotInstalledError, SignatureError
from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import CAT_QUESTION, cat_document, client_of, problem_in
from bot.wire import Json
from corpus.words import Segmenter
from index.database import Database
from index.testing import CharEmbedder

SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
OLD_SECRET = f"whsec_{base64.b64encode(bytes(range(1, 33))).decode()}"
OTHER_SECRET = f"whsec_{base64.b64encode(bytes(range(2, 34))).decode()}"
PATH = "/channels/webhook/crm"

CHINESE = (
    '{"type":"chat.ask","timestamp":"2023-11-14T22:13:20Z",'
    '"data":{"question":"什么是容器？","session_id":"s1"}}'
)
VECTORS = {
    # the first is the one that Standard Webhooks publishes
    "published": (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        '{"test": 2432232314}',
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ),
    "chinese": (
        "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "msg_test1",
        1700000000,
        CHINESE,
        "v1,l4v2qRviIjFNVxUDXaCK5ADWrkE+Y4aHGIQmYzdl4N0=",
    ),
}


@pytest.fixture
def runtime(tmp_path: Path, segmenter: Segmenter) -> Iterator[Runtime]:
    endpoints = {
        "crm": {"secret": f"{SECRET} {OLD_SECRET}"},
        "hr": {"secret": OTHER_SECRET},
    }
    settings = Settings.model_validate({"data": tmp_path / "var", "webhooks": endpoints})
    made = Runtime(settings, Database(settings.database), CharEmbedder(""), segmenter)
    made.library().ingest([cat_document("手册/猫")])
    yield made
    made.close()


def body_of(question: str = CAT_QUESTION, **more: object) -> str:
    asked = {"type": "chat.ask", "data": {"question": question, **more}}
    return json.dumps(asked, ensure_ascii=False)


def sign(
    body: str, message_id: str, *, secret: str = SECRET, at: float | None = None
) -> dict[str, str]:
    """The headers, made without the code under test."""
    moment = datetime.fromtimestamp(int(at or time.time()), UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, moment, body),
    }


def ask(
    client: TestClient, body: str, message_id: str = "msg_1", path: str = PATH, **more: str
) -> Response:
    headers = sign(body, message_id) | more
    return client.post(path, content=body.encode(), headers=headers)


def said(response: Response, secret: str = SECRET) -> Json:
    """What a signed response says, once an independent library has verified it."""
    Webhook(secret).verify(response.content, dict(response.headers))
    found: Json = response.json()
    return found


@pytest.mark.parametrize("name", VECTORS)
def test_signatures_are_those_of_the_standard(name: str) -> None:
    secret, message_id, seconds, body, signature = VECTORS[name]
    headers = signed(secret, message_id, body, seconds + 0.9)
    assert headers == {
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": signature,
    }
    assert check(Headers(headers), body.encode(), [secret], seconds) == message_id


@pytest.mark.parametrize(("off", "taken"), [(-300, True), (300, True), (-301, False), (301, False)])
def test_a_signature_is_good_for_five_minutes_either_way(off: int, *, taken: bool) -> None:
    secret, message_id, seconds, body, _ = VECTORS["published"]
    headers = Headers(signed(secret, message_id, body, seconds))
    if taken:
        assert check(headers, body.encode(), [secret], seconds + off) == message_id
    else:
        with pytest.raises(SignatureError, match="signed"):
            check(headers, body.encode(), [secret], seconds + off)


def test_a_signature_by_another_secret_is_none() -> None:
    secret, message_id, seconds, body, _ = VECTORS["published"]
    headers = Headers(signed(OTHER_SECRET, message_id, body, seconds))
    with pytest.raises(SignatureError, match="none of 1 signatures is right"):
        check(headers, body.encode(), [secret, SECRET], seconds)


def test_a_question_is_answered_and_the_answer_signed(runtime: Runtime) -> None:
    with client_of(runtime) as client:
        response = ask(client, body_of())
        assert response.status_code == 200
        found = said(response)
        assert (found["type"], found["data"]["request_id"]) == ("chat.reply", "msg_1")
        reply = found["data"]["reply"]
        assert "屋顶" in reply["answer"]
        (citation, *_) = reply["citations"]
        text = client.get(f"/api/documents/{citation['document_id']}").json()["text"]
        assert text[citation["start"] : citation["end"]] == citation["quote"]
        plain = client.post("/api/chat", json={"question": CAT_QUESTION}).json()
    for own in ("answer", "citations", "refused", "confidence", "standalone_question"):
        assert reply[own] == plain[own]
    ChatReply.model_validate({name: reply[name] for name in ChatReply.model_fields})


def changed(text: str) -> Iterator[str]:
    """The text with each of its characters changed, one at a time, to one of the same kind."""
    following = str.maketrans("09azAZ+/=", "10bayB/A+")
    for at, found in enumerate(text):
        other = found.translate(following)
        other = other if other != found else chr(ord(found) ^ 1)
        yield text[:at] + other + text[at + 1 :]
        if found.isascii() and found.isalpha():
            yield text[:at] + found.swapcase() + text[at + 1 :]


def wrong_headers(right: dict[str, str]) -> Iterator[dict[str, str]]:
    for name, value in right.items():
        yield from ({**right, name: other} for other in changed(value))
        yield {key: kept for key, kept in right.items() if key != name}
        wrong = ["", value[:-1], value + value[-1], f"{value}, {value}", value * 300]
        yield from ({**right, name: other} for other in wrong)
    yield from ({**right, "webhook-timestamp": other} for other in NO_TIMES)
    yield from ({**right, "webhook-signature": other} for other in no_signatures(right))


NO_TIMES = ("abc", "-1", "1.5", "1e9", "nan", "9" * 400, "١٦١٤٢٦٥٣٣٠", "0", "1614265330000")


def no_signatures(right: dict[str, str]) -> list[str]:
    signature = right["webhook-signature"].removeprefix("v1,")
    others = [f"v2,{signature}", f"v1a,{signature}", f"v1, {signature}", f"v1={signature}"]
    twice = [f"v1,{signature}  v1,{signature}", f"v1,{signature}v1,{signature}"]
    return ["v1", "v1,", "v1,a", "v1,a,b", "v1,签名", signature, *others, *twice]


def sent(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


@pytest.mark.slow
def test_nothing_changed_after_signing_is_ever_taken(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    body = body_of(session_id="s1")
    right = sign(body, "msg_right")
    raw = body.encode()
    bodies = [
        raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1 :]
        for at in range(len(raw))
        for bit in (1, 128)
    ]
    bodies += [
        b"",
        raw + b" ",
        raw[:-1],
        json.dumps(json.loads(body)).encode(),
        b"\xff",
        b"{" * 9999,
    ]
    cases = [(sent(wrong), raw) for wrong in wrong_headers(right)]
    cases += [(sent(right), other) for other in bodies]
    cases += [([*sent(right), pair], raw) for pair in sent(right)]  # a header twice
    cases += [
        (sent(sign(body, "msg_right", secret=OTHER_SECRET)), raw),
        (sent(sign(body, "msg_right", at=time.time() - 9999)), raw),
        (sent(sign(body, "msg_right", at=time.time() + 9999)), raw),
    ]
    assert len(cases) > 300
    told = set()
    with client_of(runtime) as client:
        for headers, content in cases:
            response = client.post(PATH, content=content, headers=headers)
            problem_in(response, 401, "bad_signature")
            told.add(response.content)
        response = client.post("/channels/webhook/nobody", content=raw, headers=right)
        problem_in(response, 401, "bad_signature")
        told.add(response.content)
        assert len(told) == 1
        assert len(caplog.records) >= len(cases)
        assert not re.search(f"阿花|{re.escape(right['webhook-signature'][3:])}", caplog.text)
        found = client.post(PATH, content=raw, headers=right)  # the right one still is
    assert said(found)["data"]["reply"]["answer"]


def test_either_secret_is_taken_while_one_replaces_the_other(runtime: Runtime) -> None:
    with client_of(runtime) as client:
        body = body_of()
        for number, secret in enumerate((SECRET, OLD_SECRET)):
            headers = sign(body, f"msg_{number}", secret=secret)
            assert client.post(PATH, content=body.encode(), headers=headers).status_code == 200
        right = sign(body, "msg_2")["webhook-signature"]
        wrong = sign(body, "msg_2", secret=OTHER_SECRET)["webhook-signature"]
        later = "v1a,aGVsbG8="
        response = ask(client, body, "msg_2", **{"webhook-signature": f"{later} {wrong} {right}"})
        assert said(response)["data"]["request_id"] == "msg_2"


def test_a_question_delivered_again_has_the_same_answer_and_one_turn(runtime: Runtime) -> None:
    body = body_of(session_id="chat-7")
    with client_of(runtime) as client:
        with ThreadPoolExecutor(4) as pool:
            responses = list(pool.map(lambda _number: ask(client, body), range(4)))
        responses.append(ask(client, body))
        assert [response.status_code for response in responses] == [200] * 5
        assert len({response.content for response in responses}) == 1
        reply = said(responses[0])["data"]["reply"]
        kept = runtime.conversations.get(reply["session_id"])
        # the channel's, and nobody else's
        assert client.get(f"/api/sessions/{kept.id}").status_code == 404
    assert [turn.id for turn in kept.turns] == [reply["turn_id"]]


def test_another_question_under_the_same_id_is_refused(runtime: Runtime) -> None:
    with client_of(runtime) as client:
        ask(client, body_of())
        problem_in(ask(client, body_of("阿花多大？")), 409, "reused_id")
        body = body_of()
        headers = sign(body, "msg_1", secret=OTHER_SECRET)
        other = client.post("/channels/webhook/hr", content=body.encode(), headers=headers)
    assert other.status_code == 200  # the ids of another endpoint are others


def test_a_conversation_goes_on_within_its_endpoint_and_nowhere_else(runtime: Runtime) -> None:
    with client_of(runtime) as client:
        first = said(ask(client, body_of(session_id="s"), "msg_1"))["data"]["reply"]
        second = said(ask(client, body_of("哪一年出生？", session_id="s"), "msg_2"))["data"][
            "reply"
        ]
        ours = body_of("哪一年出生？", session_id=first["session_id"])
        third = said(ask(client, ours, "msg_3"))["data"]["reply"]
        alone = said(ask(client, body_of(), "msg_4"))["data"]["reply"]
        sessions = set()
        for number, name in enumerate(("s", first["session_id"])):
            body = body_of(session_id=name)
            headers = sign(body, f"msg_{number}", secret=OTHER_SECRET)
            other = client.post("/channels/webhook/hr", content=body.encode(), headers=headers)
            sessions.add(said(other, OTHER_SECRET)["data"]["reply"]["session_id"])
    assert first["session_id"] == second["session_id"] == third["session_id"]
    assert "阿花" in second["standalone_question"]
    assert first["session_id"] not in {alone["session_id"], *sessions}


ODD = [
    *("{", "[]", "null", '"x"', "[" * 50_000, "{}", '{"type":"chat.ask"}'),
    '{"type":"other","data":{"question":"问"}}',
    '{"type":"chat.ask","data":[]}',
    '{"type":"chat.ask","data":{"question":1}}',
    '{"type":"chat.ask","data":{"question":"问","sesion_id":"s"}}',
    '{"type":"chat.ask","data":{"question":"\\ud800"}}',
    '{"type":"chat.ask","data":{"question":"问","session_id":""}}',
    '{"type":"chat.ask","data":{"question":"问","collection":"../x"}}',
]


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
def test_what_is_signed_and_makes_no_sense_is_refused_in_words(runtime: Runtime, body: str) -> None:
    with client_of(runtime) as client:
        response = ask(client, body)
    assert response.status_code in {400, 422}
    problem_in(response, response.status_code, response.json()["code"])


@pytest.mark.parametrize(
    ("question", "more", "status", "code"),
    [
        ("", {}, 422, "question_empty"),
        ("长" * 2001, {}, 422, "question_too_long"),
        (CAT_QUESTION, {"collection": "nowhere"}, 404, "collection_not_found"),
    ],
)
def test_a_question_that_cannot_be_answered_is_told_each_time_the_same(
    runtime: Runtime, question: str, more: dict[str, str], status: int, code: str
) -> None:
    with client_of(runtime) as client:
        responses = [ask(client, body_of(question, **more)) for _ in range(2)]
    for response in responses:
        problem_in(response, status, code)
        assert said(response)["code"] == code
    assert responses[0].content == responses[1].content


def test_who_does_not_wait_is_told_that_it_came_and_may_ask_again(runtime: Runtime) -> None:
    with client_of(runtime) as client:
        response = ask(client, body_of(), prefer="wait=0")
        assert (response.status_code, said(response)) == (202, {"id": "msg_1"})
        later = ask(client, body_of(), prefer="respond-async, wait=20")
        assert later.headers["preference-applied"] == "wait"
        assert said(later)["data"]["reply"]["answer"]


def test_an_answer_that_was_deleted_is_not_told_again(runtime: Runtime) -> None:
    with client_of(runtime) as client:
        session_id = said(ask(client, body_of()))["data"]["reply"]["session_id"]
        runtime.conversations.delete(session_id)
        problem_in(ask(client, body_of()), 404, "session_not_found")


def test_an_answer_goes_to_no_address_that_was_not_set_up(runtime: Runtime) -> None:
    with client_of(runtime) as client:
        response = ask(client, body_of(reply_url="http://127.0.0.1:9/"))
        problem_in(response, 403, "reply_url_not_allowed")
        assert "127.0.0.1" not in response.text


def test_a_body_that_is_too_large_is_not_read_to_its_end(runtime: Runtime) -> None:
    with client_of(runtime) as client:
        problem_in(client.post(PATH, content=b"x" * 1_000_001), 413, "too_large")


def test_without_endpoints_there_is_nothing_at_the_address(
    tmp_path: Path, segmenter: Segmenter
) -> None:
    settings = Settings(data=tmp_path / "var")
    bare = Runtime(settings, Database(settings.database), CharEmbedder(""), segmenter)
    with client_of(bare) as client:
        problem_in(ask(client, body_of()), 404, "not_found")
    bare.close()


def test_without_its_library_the_service_says_how_to_get_it(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])  # nothing more can be found
    monkeypatch.delitem(sys.modules, "standardwebhooks")
    with pytest.raises(ExtraNotInstalledError, match=r"pip install 'wenqu\[channels\]'"):
        router(runtime.settings)
