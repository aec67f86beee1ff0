import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeAlias

import pytest
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from bot.api.schema import ProblemReply
from bot.channels.dialogue import TEXT_ONLY
from bot.channels.dingtalk import PATH, check
from bot.channels.testing import Call, FakePlatform, changed_at, configured
from bot.errors import SignatureError
from bot.runtime import Runtime
from bot.testing import CAT_QUESTION, client_of
from bot.wire import Json
from corpus.words import Segmenter
from index.testing import CharEmbedder

Sent: TypeAlias = Mapping[str, str] | Sequence[tuple[str, str]]

SECRET = "wenqu-ding-secret"
REPLIES = "/robot/sendBySession"


@dataclass
class FakeDingTalk:
    """钉钉's side: takes replies to a session, gives tokens, and sends for a robot."""

    good: str = "tok-1"
    failures: list[tuple[int, object]] = field(default_factory=list)
    shown: list[Json] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def answer(self, call: Call) -> tuple[int, object]:
        if call.path == "/v1.0/oauth2/accessToken":
            assert call.body == {"appKey": "ding1", "appSecret": SECRET}
            return 200, {"accessToken": self.good, "expireIn": 7200}
        if self.failures:
            return self.failures.pop(0)
        if call.path == REPLIES:
            assert call.query == {"session": "s1"}
            return self.show(call.body, {"errcode": 0, "errmsg": "ok"})
        if call.headers.get("x-acs-dingtalk-access-token") != self.good:
            return 401, {"code": "InvalidAuthentication", "message": "不合法的access_token"}
        assert len(call.body["msgParam"].encode()) <= 15_000
        return self.show(call.body, {"processQueryKey": "k"})

    def show(self, body: Json, said: Json) -> tuple[int, object]:
        with self.changed:
            self.shown.append(body)
            self.changed.notify_all()
        return 200, said


@dataclass
class Bench:
    client: TestClient
    platform: FakePlatform
    ding: FakeDingTalk
    runtime: Runtime

    def message(self, text: str = CAT_QUESTION, number: int = 1, **more: object) -> Json:
        return {
            "conversationId": "cid/1==",
            "atUsers": [{"dingtalkId": "$:LWCP_v1:$bot"}],
            "chatbotCorpId": "corp1",
            "chatbotUserId": "$:LWCP_v1:$bot",
            "msgId": f"msg{number}",
            "senderNick": "某",
            "senderStaffId": "staff1",
            "sessionWebhookExpiredTime": int(time.time() * 1000) + 60_000,
            "createAt": int(time.time() * 1000),
            "senderCorpId": "corp1",
            "conversationType": "1",
            "senderId": "$:LWCP_v1:$someone",
            "sessionWebhook": f"{self.platform.url}{REPLIES}?session=s1",
            "text": {"content": f" {text}"},
            "msgtype": "text",
            "robotCode": "ding1",
            **more,
        }

    def deliver(self, message: Json, at: float = 0) -> int:
        raw, headers = signed(message, at=at)
        return self.client.post(PATH, content=raw, headers=headers).status_code

    def answers(self, count: int = 1) -> list[Json]:
        """What people see, once there are so many answers."""
        with self.ding.changed:
            assert self.ding.changed.wait_for(lambda: len(self.ding.shown) >= count, 20)
        return self.ding.shown


@pytest.fixture
def bench(runtime: Runtime, segmenter: Segmenter) -> Iterator[Bench]:
    ding = FakeDingTalk()
    with FakePlatform(ding.answer) as platform:
        made = configured(
            runtime,
            CharEmbedder(""),
            segmenter,
            dingtalk_client_id="ding1",
            dingtalk_client_secret=SECRET,
            dingtalk_url=platform.url,
            dingtalk_reply_url=f"{platform.url}{REPLIES}",
            public_url="https://docs.example",
        )
        with client_of(made) as client:
            yield Bench(client, platform, ding, made)


_given: set[int] = set()


def moment(at: float) -> str:
    """A time in milliseconds that was not used before."""
    milliseconds = int((at or time.time()) * 1000)
    while milliseconds in _given:
        milliseconds += 1
    _given.add(milliseconds)
    return str(milliseconds)


def signed(
    message: Json | bytes, *, secret: str = SECRET, at: float = 0
) -> tuple[bytes, dict[str, str]]:
    raw = message if isinstance(message, bytes) else json.dumps(message).encode()
    timestamp = moment(at)
    digest = hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256)
    return raw, {"timestamp": timestamp, "sign": base64.b64encode(digest.digest()).decode()}


def test_the_published_vector_holds_and_for_five_minutes_only() -> None:
    headers = Headers(
        {"timestamp": "1700000000000", "sign": "JPWe3qCw8J/oW7g5icLmHr3h9PDMNfIOG5C4Ncq6l8E="}
    )
    for now in (1_700_000_000, 1_700_000_299, 1_699_999_701):
        assert check(headers, SECRET, now) == "1700000000000"
    for now in (1_700_000_301, 1_699_999_699, 1_700_003_599):
        with pytest.raises(SignatureError, match=r"signed -?[0-9]+ s ago"):
            check(headers, SECRET, now)


def test_a_question_is_answered_in_its_session_with_linked_sources(bench: Bench) -> None:
    assert bench.deliver(bench.message()) == 200
    (shown,) = bench.answers()
    assert shown["msgtype"] == "markdown"
    assert shown["markdown"]["title"].startswith("阿花在屋顶上睡觉")
    text = shown["markdown"]["text"]
    assert text.startswith("阿花在屋顶上睡觉[1]。")
    assert "[1] [题 手册/猫](https://docs.example/documents/%E6%89%8B" in text
    assert "at" not in shown


def test_in_a_group_who_asked_is_told_and_what_is_not_for_the_bot_is_left(bench: Bench) -> None:
    group = {"conversationType": "2"}
    assert bench.deliver(bench.message(number=1, isInAtList=False, **group)) == 200
    assert bench.deliver(bench.message(number=2, isInAtList=True, **group)) == 200
    (shown,) = bench.answers()
    assert shown["at"] == {"atUserIds": ["staff1"]}
    assert shown["markdown"]["text"].startswith("@staff1")


def test_a_message_delivered_many_times_is_answered_once(bench: Bench) -> None:
    raw, headers = signed(bench.message())

    def send(_: int) -> int:
        return bench.client.post(PATH, content=raw, headers=headers).status_code

    assert send(0) == 200
    with ThreadPoolExecutor(4) as pool:
        assert {*pool.map(send, range(4))} == {200}
    assert bench.deliver(bench.message()) == 200  # signed anew
    bench.deliver(bench.message("哪一年出生？", 2))
    assert "一九九七年" in bench.answers(2)[1]["markdown"]["text"]
    assert len(bench.ding.shown) == 2


def test_a_signature_seen_once_signs_nothing_else(bench: Bench) -> None:
    raw, headers = signed(bench.message())
    assert bench.client.post(PATH, content=raw, headers=headers).status_code == 200
    forged = json.dumps(bench.message("别的问题？", 2)).encode()
    for _ in range(2):
        refused(bench, forged, headers)
    bench.deliver(bench.message(number=3))
    assert len(bench.answers(2)) == 2


def test_an_answer_goes_to_addresses_of_dingtalk_only(bench: Bench) -> None:
    host = bench.platform.url.removeprefix("http://")
    with FakePlatform(lambda _call: (200, {"errcode": 0})) as elsewhere:
        urls = [
            f"{elsewhere.url}{REPLIES}?session=s1",
            f"{bench.platform.url}@{elsewhere.url.removeprefix('http://')}{REPLIES}?session=s1",
            f"{bench.platform.url}{REPLIES}@{elsewhere.url}/?session=s1",
            f"{bench.platform.url}\\@{elsewhere.url.removeprefix('http://')}?session=s1",
            f"http://user@{host}{REPLIES}?session=s1",
            f"{bench.platform.url}{REPLIES}/../../x?session=s1",
            f"{bench.platform.url}{REPLIES}?session=s1\r\nx: y",
            f"{bench.platform.url}{REPLIES}?",
            f"{bench.platform.url}{REPLIES}",
            f"https://{host}{REPLIES}?session=s1",
            "http://169.254.169.254/latest?session=s1",
            "file:///etc/passwd",
            "gopher://127.0.0.1?session=s1",
            "",
        ]
        for number, url in enumerate(urls):
            raw, headers = signed(bench.message(number=number, sessionWebhook=url))
            refused(bench, raw, headers)
        assert elsewhere.calls == []
    assert bench.platform.calls == []


def test_a_redirect_is_not_followed(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.ding.failures = [(307, {"location": "http://127.0.0.1:1"})]
    bench.deliver(bench.message())
    bench.deliver(bench.message(number=2))
    bench.answers()
    assert len(bench.platform.at(REPLIES)) == 2
    assert "HTTP 307" in caplog.text


def test_after_the_session_has_ended_the_robot_sends(bench: Bench) -> None:
    bench.ding.good = "tok-2"
    bench.deliver(bench.message(sessionWebhookExpiredTime=1))
    bench.deliver(bench.message(number=2, conversationType="2", sessionWebhookExpiredTime=1))
    alone, group = bench.answers(2)
    assert (alone["userIds"], alone["msgKey"]) == (["staff1"], "sampleMarkdown")
    assert "屋顶" in json.loads(alone["msgParam"])["text"]
    assert group["openConversationId"] == "cid/1=="
    assert alone["robotCode"] == group["robotCode"] == "ding1"
    assert [call.path for call in bench.platform.at("/v1.0/robot/*")] == [
        "/v1.0/robot/oToMessages/batchSend",
        "/v1.0/robot/groupMessages/send",
    ]
    assert len(bench.platform.at("/v1.0/oauth2/accessToken")) == 1


def test_what_may_have_arrived_is_not_sent_again(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.ding.failures = [(500, {})]
    bench.deliver(bench.message())
    bench.deliver(bench.message(number=2))
    bench.answers()
    assert len(bench.platform.at(REPLIES)) == 2
    assert "no answer sent: HTTP 500" in caplog.text
    bench.ding.failures = [(200, {"errcode": 130101, "errmsg": "send too fast"})]
    bench.deliver(bench.message(number=3))  # this one certainly did not
    bench.answers(2)
    assert len(bench.platform.at(REPLIES)) == 4


def test_words_are_found_in_formatted_messages_and_pictures_are_told_of(bench: Bench) -> None:
    parts = [{"text": "阿花在哪里"}, {"downloadCode": "x", "type": "picture"}, {"text": "睡觉？"}]
    rich = bench.message(msgtype="richText", content={"richText": parts})
    del rich["text"]
    bench.deliver(rich)
    assert "屋顶" in bench.answers()[0]["markdown"]["text"]
    picture = bench.message(number=2, msgtype="picture", content={"downloadCode": "x"})
    del picture["text"]
    bench.deliver(picture)
    assert bench.answers(2)[1]["markdown"]["text"] == TEXT_ONLY


def test_what_the_bot_says_itself_is_not_answered(bench: Bench) -> None:
    own = bench.message(senderId="$:LWCP_v1:$bot")
    assert bench.deliver(own) == 200
    bench.deliver(bench.message(number=2))
    assert len(bench.answers()) == 1


def refused(bench: Bench, raw: bytes, headers: Sent, status: int = 401) -> bytes:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    encoded = [(name.encode(), value.encode()) for name, value in pairs]
    response = bench.client.post(PATH, content=raw, headers=encoded)
    assert response.status_code == status, (headers, raw[:80], response.text)
    ProblemReply.model_validate(response.json())
    return response.content


@pytest.mark.slow
def test_nothing_but_the_exact_signature_is_believed(bench: Bench) -> None:
    needless = {"atUsers", "senderNick", "createAt", "senderCorpId", "chatbotUserId", "robotCode"}
    short = bench.message("阿花？").items()
    raw, headers = signed({name: value for name, value in short if name not in needless})
    rows: list[tuple[bytes, Sent]] = []
    for name, value in headers.items():
        rows += [(raw, {**headers, name: changed_at(value, n)}) for n in range(len(value))]
        rows += [
            (raw, {**headers, name: odd})
            for odd in ("", value[:-1], value + "0", f"{value},{value}", "é", "9" * 10_000)
        ]
        rows.append((raw, {k: v for k, v in headers.items() if k != name}))
        rows.append((raw, [*headers.items(), (name, value)]))
        rows.append((raw, [*headers.items(), (name, "x")]))
    times = ("abc", "-1", "1700000000.0", "1e9", "nan", "1" * 400, f"{time.time():.0f}")
    rows += [(raw, {**headers, "timestamp": odd}) for odd in times]
    rows.append((raw, {**headers, "sign": headers["sign"].swapcase()}))
    rows += [(odd, {}) for odd in (b"", b"{", b"\xff", b"[" * 100_000, raw)]
    late = (-301, 400, -3599)
    rows += [signed(bench.message(), at=time.time() + seconds) for seconds in late]
    rows.append(signed(bench.message(), secret="another"))
    assert len({refused(bench, *row) for row in rows}) == 1
    # the body is not signed, but bound to the signature by the first that comes with it
    assert bench.client.post(PATH, content=raw, headers=headers).status_code == 200
    mutants = [raw[:n] + bytes([raw[n] ^ 1]) + raw[n + 1 :] for n in range(len(raw))]
    for mutant in (*mutants, raw[:-1] + b" }"):
        refused(bench, mutant, headers)
    bench.deliver(bench.message(number=2))
    assert len(bench.answers(2)) == 2


def test_what_is_signed_and_makes_no_sense_is_a_bad_request(bench: Bench) -> None:
    broken = bench.message()
    del broken["conversationId"]
    odd = bench.message(sessionWebhookExpiredTime="soon")
    for body in (broken, odd, b"[1]", b"{", b"\xff", b"[" * 100_000, b""):
        refused(bench, *signed(body), status=400)
    refused(bench, b"x" * 1_000_001, {}, status=413)


def test_without_settings_there_is_nothing(client: TestClient) -> None:
    assert client.post(PATH).status_code == 404
