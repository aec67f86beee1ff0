import base64
import hashlib
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import httpx2
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from sqlalchemy import select
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from bot.api.schema import ProblemReply
from bot.channels.dialogue import TEXT_ONLY
from bot.channels.feishu import PATH, card
from bot.channels.feishu_events import Content, Keys, opened, question_of
from bot.channels.inbox import Threads
from bot.channels.jobs import ChannelJobRow
from bot.channels.testing import Call, FakePlatform, changed_at, configured
from bot.errors import SignatureError
from bot.runtime import Runtime
from bot.session_rows import FeedbackRow, TurnRow
from bot.testing import CAT_QUESTION, Server, client_of
from bot.wire import Json
from corpus.words import Segmenter
from index.database import Database
from index.testing import CharEmbedder

Sent: TypeAlias = Mapping[str, str] | Sequence[tuple[str, str]]

KEY, TOKEN = "wenqu-lark-key", "v-tok"
BOT = "ou_bot"
REPLIES = "/open-apis/im/v1/messages/*"
TOKENS = "/open-apis/auth/v3/tenant_access_token/internal"


@dataclass
class FakeFeishu:
    """飞书's side: gives tokens, tells who the bot is, and takes replies, one for a `uuid`."""

    good: str = "t-1"
    failures: list[tuple[int, object]] = field(default_factory=list)
    shown: dict[str, Json] = field(default_factory=dict)
    open: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.open.set()

    def answer(self, call: Call) -> tuple[int, object]:
        if call.path == TOKENS:
            assert call.body == {"app_id": "cli_1", "app_secret": "s3cret"}
            return 200, {"code": 0, "msg": "ok", "tenant_access_token": self.good, "expire": 7200}
        if call.headers.get("authorization") != f"Bearer {self.good}":
            return 400, {"code": 99991663, "msg": "Invalid access token"}
        if call.path == "/open-apis/bot/v3/info":
            return 200, {"code": 0, "msg": "ok", "bot": {"open_id": BOT, "app_name": "问渠"}}
        self.open.wait(20)
        if self.failures:
            return self.failures.pop(0)
        assert call.body["msg_type"] == "interactive"
        assert len(call.body["uuid"]) <= 50
        assert len(call.body["content"].encode()) <= 30_000
        message = call.path.split("/")[-2]
        self.shown.setdefault(call.body["uuid"], {"to": message, **call.body})
        return 200, {"code": 0, "msg": "success", "data": {"message_id": "om_reply"}}


@dataclass
class Bench:
    client: TestClient
    platform: FakePlatform
    feishu: FakeFeishu
    runtime: Runtime

    def deliver(self, event: Json) -> int:
        raw, headers = signed(event)
        return self.client.post(PATH, content=raw, headers=headers).status_code

    def cards(self, count: int = 1) -> list[Json]:
        """What people see, once there are so many replies."""
        until = time.monotonic() + 20
        while len(self.feishu.shown) < count and time.monotonic() < until:
            time.sleep(0.01)
        return [json.loads(reply["content"]) for reply in self.feishu.shown.values()]


SETTINGS = {
    "feishu_app_id": "cli_1",
    "feishu_app_secret": "s3cret",
    "feishu_encrypt_key": KEY,
    "feishu_verification_token": TOKEN,
}


@pytest.fixture
def bench(runtime: Runtime, segmenter: Segmenter) -> Iterator[Bench]:
    feishu = FakeFeishu()
    with FakePlatform(feishu.answer) as platform:
        made = configured(runtime, CharEmbedder(""), segmenter, feishu_url=platform.url, **SETTINGS)
        with client_of(made) as client:
            yield Bench(client, platform, feishu, made)


def sealed(plain: bytes, key: str = KEY) -> str:
    """Seal by hand, as 飞书 does."""
    pad = 16 - len(plain) % 16
    iv = bytes(range(16))
    encryptor = Cipher(AES(hashlib.sha256(key.encode()).digest()), CBC(iv)).encryptor()
    return base64.b64encode(iv + encryptor.update(plain + bytes([pad]) * pad)).decode()


def signed(
    event: Json | bytes, *, key: str = KEY, at: float | None = None, nonce: str = "nonce-1"
) -> tuple[bytes, dict[str, str]]:
    plain = event if isinstance(event, bytes) else json.dumps(event).encode()
    return stamped(json.dumps({"encrypt": sealed(plain, key)}).encode(), key, at, nonce)


def stamped(
    raw: bytes, key: str = KEY, at: float | None = None, nonce: str = "nonce-1"
) -> tuple[bytes, dict[str, str]]:
    timestamp = str(int(time.time() if at is None else at))
    signature = hashlib.sha256(f"{timestamp}{nonce}{key}".encode() + raw).hexdigest()
    return raw, {
        "X-Lark-Request-Timestamp": timestamp,
        "X-Lark-Request-Nonce": nonce,
        "X-Lark-Signature": signature,
    }


def message(
    text: str = CAT_QUESTION, number: int = 1, *, kind: str = "text", **more: object
) -> Json:
    content = {"text": text} if kind == "text" else more.pop("content")
    return {
        "schema": "2.0",
        "header": {
            "event_id": f"ev{number}",
            "event_type": "im.message.receive_v1",
            "create_time": "1700000000000",
            "token": TOKEN,
            "app_id": "cli_1",
            "tenant_key": "t1",
        },
        "event": {
            "sender": {"sender_id": {"open_id": "ou_1"}, "sender_type": more.pop("by", "user")},
            "message": {
                "message_id": f"om_{number}",
                "chat_id": "oc_1",
                "chat_type": "p2p",
                "message_type": kind,
                "content": json.dumps(content),
                **more,
            },
        },
    }


def mention(open_id: str, key: str = "@_user_1") -> Json:
    return {"key": key, "id": {"open_id": open_id, "union_id": "on"}, "name": "某"}


def texts(shown: Json) -> str:
    return json.dumps(shown, ensure_ascii=False)


VECTOR = (
    b'{"encrypt":"AAECAwQFBgcICQoLDA0OD8U5XycNAu5pBjsqCHUMnw4cQiBBiwx60BKmjoYvC57VBsewFRk7HX6yfr/'
    b'fI7x1wYoAwy4IcmXFBUZ+oDQu9iw="}'
)
VECTOR_SIGNATURE = "5fd27601169a6456ff3f93d525781380affc97c2b30e5aae7cc8629e607a723f"


def test_the_published_vector_opens() -> None:
    headers = Headers(
        {
            "x-lark-request-timestamp": "1700000000",
            "x-lark-request-nonce": "nonce-1",
            "x-lark-signature": VECTOR_SIGNATURE,
        }
    )
    found = opened(headers, VECTOR, Keys(KEY, TOKEN), now=1_700_000_000)
    assert found == {"challenge": "c-123", "token": "v-tok", "type": "url_verification"}
    for now in (1_700_000_301, 1_699_999_699):
        with pytest.raises(SignatureError, match=r"signed -?301 s ago"):
            opened(headers, VECTOR, Keys(KEY, TOKEN), now=now)
    assert opened(headers, VECTOR, Keys(KEY, TOKEN), now=1_700_000_299) == found
    with pytest.raises(SignatureError, match="verification token"):
        opened(headers, VECTOR, Keys(KEY, "another"), now=1_700_000_000)


def test_the_check_of_the_address_is_answered_signed_or_not_and_with_the_right_token_only(
    bench: Bench,
) -> None:
    asked = {"challenge": 'c "1" 问', "token": TOKEN, "type": "url_verification"}
    raw, headers = signed(asked)
    for given in (headers, {}):
        response = bench.client.post(PATH, content=raw, headers=given)
        assert (response.status_code, response.json()) == (200, {"challenge": 'c "1" 问'})
    for wrong in ({**asked, "token": "x"}, {**asked, "type": "event_callback"}, message()):
        assert bench.client.post(PATH, content=signed(wrong)[0]).status_code == 401
    other = signed(asked, key="another")[0]
    assert bench.client.post(PATH, content=other).status_code == 401


def test_a_question_is_answered_by_one_card_with_its_sources(bench: Bench) -> None:
    assert bench.deliver(message()) == 200
    (shown,) = bench.cards()
    (reply,) = bench.feishu.shown.values()
    assert (reply["to"], reply["reply_in_thread"]) == ("om_1", False)
    answer, _, listed, thumbs = shown["body"]["elements"]
    assert answer["text"]["tag"] == "plain_text"
    assert "阿花在屋顶上睡觉" in answer["text"]["content"]
    assert "[1]" in answer["text"]["content"]
    assert listed["content"].startswith("&#91;1&#93; 题 手册&#47;猫")
    assert "](" not in listed["content"]  # no public_url, so nothing to link to
    assert [
        column["elements"][0]["behaviors"][0]["value"]["vote"] for column in thumbs["columns"]
    ] == ["up", "down"]


def test_sources_are_linked_where_the_public_address_is_known() -> None:
    citation = {
        "number": 1, "title": "猫](http://evil.example)<at id=all></at>", "headings": ["作息"],
        "quote": "**阿花**\n睡觉", "view_url": "https://docs.example/documents/a?start=1",
    }  # fmt: skip
    shown = card({"answer": "<at id=all></at>[x](y) [1]", "citations": [citation], "turn_id": None})
    answer, _, listed = shown["body"]["elements"]
    assert answer["text"] == {"tag": "plain_text", "content": "<at id=all></at>[x](y) [1]"}
    assert "](https://docs.example/documents/a?start=1)" in listed["content"]
    assert listed["content"].count("](") == 1
    assert "<" not in listed["content"]
    assert "&#42;&#42;阿花&#42;&#42; 睡觉" in listed["content"]


def test_a_card_stays_below_the_limit_however_long_the_answer_is() -> None:
    citations: list[Json] = [
        {"number": n, "title": "《" * 200, "headings": [], "quote": '"' * 900, "view_url": None}
        for n in range(1, 30)
    ]
    shown = card({"answer": "很长的句子。" * 3000, "citations": citations, "turn_id": "t"})
    assert len(json.dumps(shown, ensure_ascii=False).encode()) <= 30_000
    assert shown["body"]["elements"][0]["text"]["content"].endswith("。…")


def test_an_event_delivered_many_times_is_answered_once(bench: Bench) -> None:
    with ThreadPoolExecutor(4) as pool:
        statuses = [*pool.map(bench.deliver, [message()] * 4)]
    again = message()
    again["header"]["event_id"] = "another"  # the same message under another event
    assert [*statuses, bench.deliver(again)] == [200] * 5
    bench.deliver(message("它哪一年出生？", 2))
    assert len(bench.cards(2)) == 2
    assert len(bench.platform.at(REPLIES)) == 2


def test_in_a_group_only_what_mentions_the_bot_is_answered(bench: Bench) -> None:
    group = {"chat_type": "group"}
    bench.deliver(message(number=1, **group))
    bench.deliver(message("@_user_1 阿花？", 2, mentions=[mention("ou_other")], **group))
    asked = f"@_user_1  {CAT_QUESTION} @_user_10"
    both = [mention(BOT), mention("ou_other", "@_user_10")]
    bench.deliver(message(asked, 3, mentions=both, **group))
    assert len(bench.cards()) == 1
    assert bench.feishu.shown.popitem()[1]["to"] == "om_3"
    assert len(bench.platform.at("/open-apis/bot/v3/info")) == 2 - 1


def test_what_the_bot_and_other_bots_say_is_not_answered(bench: Bench) -> None:
    assert bench.deliver(message(number=1, by="app")) == 200
    other = message()
    other["header"]["event_type"] = "im.chat.updated_v1"
    assert bench.deliver(other) == 200
    assert bench.deliver({"uuid": "u", "token": TOKEN, "type": "event_callback"}) == 200
    bench.deliver(message(number=2))
    assert len(bench.cards()) == 1
    assert [reply["to"] for reply in bench.feishu.shown.values()] == ["om_2"]


def test_a_chat_is_a_conversation_and_a_thread_another(bench: Bench) -> None:
    bench.deliver(message())
    bench.cards(1)
    bench.deliver(message("哪一年出生？", 2))
    assert "一九九七年" in texts(bench.cards(2)[1])
    bench.deliver(message("哪一年出生？", 3, thread_id="omt_1"))
    bench.cards(3)
    threads = bench.platform.wait(REPLIES, 3)
    assert [call.body["reply_in_thread"] for call in threads] == [False, False, True]


def test_a_conversation_deleted_meanwhile_begins_anew(bench: Bench) -> None:
    bench.deliver(message())
    thumb = bench.cards()[0]["body"]["elements"][-1]["columns"][0]["elements"][0]
    turn_id = thumb["behaviors"][0]["value"]["turn_id"]
    session_id = Threads(bench.runtime.database).session("feishu", "t1:oc_1:-")
    assert session_id
    assert bench.runtime.conversations.get(session_id).turns[0].id == turn_id
    bench.runtime.conversations.delete(session_id)
    bench.deliver(message(number=2))
    assert "屋顶" in texts(bench.cards(2)[1])


@pytest.mark.parametrize(
    ("kind", "content", "asked"),
    [
        ("text", {"text": "@_user_1 @_all 什么是 容器？"}, "什么是 容器？"),
        (
            "post",
            {
                "title": "题",
                "content": [
                    [{"tag": "at", "user_id": "@_user_1"}, {"tag": "text", "text": "什么是"}],
                    [{"tag": "a", "text": "容器", "href": "x"}, {"tag": "img", "image_key": "k"}],
                ],
            },
            "题\n什么是\n容器",
        ),
        ("post", {"content": "?"}, ""),
        ("image", {"image_key": "k"}, None),
    ],
)
def test_words_are_found_in_what_people_send(kind: str, content: Json, asked: str | None) -> None:
    sent = Content.model_validate(
        {
            "message_id": "m",
            "chat_id": "c",
            "chat_type": "p2p",
            "message_type": kind,
            "content": json.dumps(content),
            "mentions": [{"key": "@_user_1"}],
        }
    )
    assert question_of(sent) == asked


def test_what_is_no_question_is_told_so(bench: Bench) -> None:
    bench.deliver(message(number=1, kind="image", content={"image_key": "k"}))
    bench.deliver(message("@_all", 2))
    bench.deliver(message("长" * 2001, 3))
    bench.deliver(message("\ud800", 4))
    shown = "\n".join(texts(card) for card in bench.cards(4))
    for words, times in ((TEXT_ONLY, 1), ("问题是空的", 2), ("问题太长", 1)):
        assert shown.count(words) >= times


def test_a_thumb_is_kept_for_who_gave_it(bench: Bench) -> None:
    bench.deliver(message())
    thumbs = bench.cards()[0]["body"]["elements"][-1]["columns"]
    value = thumbs[1]["elements"][0]["behaviors"][0]["value"]
    click = {
        "schema": "2.0",
        "header": {"event_id": "e9", "event_type": "card.action.trigger", "token": TOKEN},
        "event": {"operator": {"open_id": "ou_1"}, "action": {"tag": "button", "value": value}},
    }
    raw, headers = signed(click)
    said = bench.client.post(PATH, content=raw, headers=headers).json()
    assert said["toast"]["type"] == "success"
    click["event"]["action"]["value"] = {"turn_id": "nobody", "vote": "up"}  # type: ignore[index]
    raw, headers = signed(click)
    said = bench.client.post(PATH, content=raw, headers=headers).json()
    assert said["toast"]["type"] == "warning"
    with bench.runtime.database.read() as session:
        (kept,) = session.scalars(select(FeedbackRow))
    assert (kept.turn_id, kept.vote, kept.voter) == (value["turn_id"], "down", "feishu:ou_1")


def test_many_answers_share_one_token_and_a_stale_one_is_renewed(bench: Bench) -> None:
    for number in range(6):
        bench.deliver(message(number=number, chat_id=f"oc_{number}"))
    bench.cards(6)
    assert len(bench.platform.at(TOKENS)) == 1
    bench.feishu.good = "t-2"
    bench.deliver(message(number=7))
    bench.cards(7)
    assert len(bench.platform.at(TOKENS)) == 2


def test_a_reply_is_sent_again_until_it_is_taken_and_shows_once(bench: Bench) -> None:
    bench.feishu.failures = [(500, {})]
    bench.deliver(message())
    bench.cards()
    uuids = {call.body["uuid"] for call in bench.platform.wait(REPLIES, 2)}
    assert len(uuids) == len(bench.feishu.shown) == 1


def test_a_reply_that_is_refused_for_good_ends_it_and_the_next_is_sent(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.feishu.failures = [
        (400, {"code": 230002, "msg": "The bot can not be outside the group."})
    ]
    bench.deliver(message())
    bench.deliver(message(number=2))
    bench.cards()
    assert [reply["to"] for reply in bench.feishu.shown.values()] == ["om_2"]
    assert "code 230002" in caplog.text
    assert "阿花" not in caplog.text
    assert "s3cret" not in caplog.text


def test_an_answer_under_way_is_given_by_who_runs_next(
    bench: Bench, runtime: Runtime, segmenter: Segmenter
) -> None:
    feishu = FakeFeishu()
    feishu.open.clear()
    with FakePlatform(feishu.answer) as platform:
        settings = {"feishu_url": platform.url, **SETTINGS}
        made = configured(runtime, CharEmbedder(""), segmenter, **settings)
        with client_of(made) as client:
            raw, headers = signed(message(number=50))
            assert client.post(PATH, content=raw, headers=headers).status_code == 200
            platform.wait(REPLIES)
        feishu.open.set()
    bench.cards()
    assert [reply["to"] for reply in bench.feishu.shown.values()] == ["om_50"]


def refused(bench: Bench, raw: bytes, headers: Sent, status: int = 401) -> bytes:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    encoded = [(name.encode(), value.encode()) for name, value in pairs]
    response = bench.client.post(PATH, content=raw, headers=encoded)
    assert response.status_code == status, (headers, raw[:80], response.text)
    ProblemReply.model_validate(response.json())
    return response.content


@pytest.mark.slow
def test_nothing_but_the_exact_signature_is_believed(bench: Bench) -> None:
    raw, headers = signed(message("阿花？"))
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
    times = ("abc", "-1", "1700000000.0", "1e9", "nan", "1" * 400, f"{time.time() * 1000:.0f}")
    rows += [(raw, {**headers, "X-Lark-Request-Timestamp": odd}) for odd in times]
    rows.append((raw, {**headers, "X-Lark-Signature": headers["X-Lark-Signature"].upper()}))
    rows += [(raw[:n] + bytes([raw[n] ^ 1]) + raw[n + 1 :], headers) for n in range(len(raw))]
    odd_bodies = (b"", b"{", raw[:-1], raw + b" ", b"\xff\xfe", b"[" * 100_000)
    rows += [(odd, headers) for odd in odd_bodies]
    rows += [(odd, {}) for odd in (*odd_bodies, raw)]
    rows += [signed(message(), at=time.time() + late) for late in (-302, 400, -100_000)]
    rows += [signed(message(), key="another"), stamped(json.dumps(message()).encode())]
    long = sealed(json.dumps(message()).encode())
    for broken in (long[:-4], long + "AAAA", long[:-8] + "AAAAAAA=", "AAAA", "", "!", 5, None):
        rows.append(stamped(json.dumps({"encrypt": broken}).encode()))
    wrong = message()
    wrong["header"]["token"] = "another"
    rows += [signed(wrong), signed({**message(), "header": 5})]
    assert len(rows) > 500
    assert len({refused(bench, *row) for row in rows}) == 1
    assert bench.deliver(message(number=2)) == 200
    bench.cards()
    assert [reply["to"] for reply in bench.feishu.shown.values()] == ["om_2"]


def test_times_a_little_off_are_taken(bench: Bench) -> None:
    for number, late in enumerate((-298, 298)):
        raw, headers = signed(message(number=number), at=time.time() + late)
        assert bench.client.post(PATH, content=raw, headers=headers).status_code == 200


def test_what_is_signed_and_makes_no_sense_is_a_bad_request(bench: Bench) -> None:
    broken = message()
    del broken["event"]["message"]["chat_id"]
    odd = message(number="x y")  # type: ignore[arg-type]
    not_json = message()
    not_json["event"]["message"]["content"] = "["
    no_text = message(text=["x"])  # type: ignore[arg-type]
    for event in (broken, odd, not_json, no_text, b"[1]", b"{", b"\xff", b"[" * 100_000, b"1"):
        refused(bench, *signed(event), status=400)


def test_a_body_too_large_is_refused_before_all_else(bench: Bench) -> None:
    refused(bench, b"x" * 1_000_001, {}, status=413)


def test_what_is_not_set_up_is_not_there_and_not_loaded(client: TestClient) -> None:
    assert client.post(PATH, content=VECTOR).status_code == 404
    code = """
import sys
from bot.app import create_app
from bot.settings import Settings
create_app(Settings())
print([name for name in ("cryptography", "httpx2", "defusedxml", "bot.channels.feishu",
    "bot.channels.dingtalk", "bot.channels.wecom") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


@pytest.mark.slow
def test_every_question_has_one_answer_though_the_server_is_killed_on_the_way(
    bundled: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(bundled, tmp_path / "var")
    feishu = FakeFeishu()
    left = [message("chroot 是哪一年出现的？", n, chat_id=f"oc_{n % 7}") for n in range(24)]
    left += left[::3]  # every third is delivered once more
    with FakePlatform(feishu.answer) as platform:
        settings = {f"WENQU_{name.upper()}": value for name, value in SETTINGS.items()}
        for killed in (True, True, True, False):
            with Server(data, stderr=None, WENQU_FEISHU_URL=platform.url, **settings) as server:
                some = left[:8] if killed else [*left]
                while some:
                    raw, headers = signed(some[0])
                    reply = httpx2.post(f"{server.url}{PATH}", content=raw, headers=headers)
                    if reply.status_code == 200:  # else it is loading: 飞书 sends it again
                        left.remove(some.pop(0))
                if killed:
                    server.process.kill()
                else:
                    until = time.monotonic() + 90
                    while len(feishu.shown) < 24 and time.monotonic() < until:
                        time.sleep(0.1)
        time.sleep(1)
        assert sorted(reply["to"] for reply in feishu.shown.values()) == sorted(
            f"om_{n}" for n in range(24)
        )
        assert all("1979" in reply["content"] for reply in feishu.shown.values())
        calls = len(platform.at(REPLIES))
    database = Database(f"sqlite:///{data / 'wenqu.db'}")
    with database.read() as session:
        turns = session.query(TurnRow).count()
        assert {job.state for job in session.query(ChannelJobRow)} == {"done"}
    database.close()
    assert 24 <= calls <= 24 + 3 * 8, calls  # a reply under way at each kill may be sent again
    assert 24 <= turns <= 24 + 3 * 8, turns


def test_a_library_that_is_missing_is_named_with_what_to_install() -> None:
    code = """
import sys
sys.modules["cryptography"] = None
from bot.app import create_app
from bot.settings import Settings
create_app(Settings(feishu_app_id="a", feishu_app_secret="b", feishu_encrypt_key="c",
    feishu_verification_token="d"))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "cryptography" in run.stderr.splitlines()[-1]
    assert "pip install 'wenqu[channels]'" in run.stderr.splitlines()[-1]
