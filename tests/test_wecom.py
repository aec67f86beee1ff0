import base64
import hashlib
import json
import struct
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeAlias

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from sqlalchemy import select
from starlette.datastructures import QueryParams
from starlette.testclient import TestClient

from bot.api.schema import ProblemReply
from bot.channels import wecom_bot
from bot.channels.dialogue import TEXT_ONLY
from bot.channels.jobs import ChannelJobRow, Jobs, Message
from bot.channels.testing import Call, FakePlatform, changed_at, configured
from bot.channels.wecom import PATH, asked_in, contents
from bot.channels.wecom_seal import Seal
from bot.errors import SignatureError
from bot.runtime import Runtime
from bot.session_rows import FeedbackRow
from bot.testing import CAT_QUESTION, CAT_TEXT, cat_document, client_of
from bot.wire import Json
from corpus.words import Segmenter
from index.testing import CharEmbedder

Query: TypeAlias = Mapping[str, str] | Sequence[tuple[str, str]]

TOKEN, AES_KEY, CORP = "wenqu-tok", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "ww0test"
SENDS, TOKENS = "/cgi-bin/message/send", "/cgi-bin/gettoken"


@dataclass
class FakeWeCom:
    """企业微信's side: gives tokens and takes messages, each of at most 2048 bytes."""

    good: str = "tok-1"
    failures: list[tuple[int, object]] = field(default_factory=list)
    shown: list[Json] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def answer(self, call: Call) -> tuple[int, object]:
        if call.path == TOKENS:
            assert call.query == {"corpid": CORP, "corpsecret": "s3cret"}
            said = {"errcode": 0, "errmsg": "ok", "access_token": self.good, "expires_in": 7200}
            return 200, said
        if call.query.get("access_token") != self.good:
            return 200, {"errcode": 42001, "errmsg": "access_token expired"}
        if self.failures:
            return self.failures.pop(0)
        assert len(call.body["text"]["content"].encode()) <= 2048
        with self.changed:
            self.shown.append(call.body)
            self.changed.notify_all()
        return 200, {"errcode": 0, "errmsg": "ok", "msgid": "m"}


def seal(message: bytes, *, receiver: str = CORP, random: bytes = b"0123456789abcdef") -> str:
    """Seal by hand, as 企业微信 does."""
    plain = random + struct.pack(">I", len(message)) + message + receiver.encode()
    return encrypt(plain + bytes([32 - len(plain) % 32]) * (32 - len(plain) % 32))


def encrypt(padded: bytes) -> str:
    key = base64.b64decode(AES_KEY + "=")
    return base64.b64encode(Cipher(AES(key), CBC(key[:16])).encryptor().update(padded)).decode()


def opened(sealed: str) -> bytes:
    """Open by hand what is sealed for a 智能机器人."""
    key = base64.b64decode(AES_KEY + "=")
    plain = Cipher(AES(key), CBC(key[:16])).decryptor().update(base64.b64decode(sealed))
    plain = plain[: -plain[-1]]
    (length,) = struct.unpack(">I", plain[16:20])
    assert plain[20 + length :] == b""
    return plain[20:]


def signed(sealed: str, *, token: str = TOKEN, at: float | None = None) -> dict[str, str]:
    timestamp = str(int(time.time() if at is None else at))
    together = "".join(sorted([token, timestamp, "n1", sealed]))
    signature = hashlib.sha1(together.encode()).hexdigest()
    return {"msg_signature": signature, "timestamp": timestamp, "nonce": "n1"}


def envelope(sealed: str, *, to: str = CORP, agent: str = "1000002") -> bytes:
    return (
        f"<xml><ToUserName><![CDATA[{to}]]></ToUserName><AgentID><![CDATA[{agent}]]></AgentID>"
        f"<Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
    ).encode()


def message(
    text: str = CAT_QUESTION, number: int = 1, *, kind: str = "text", user: str = "u1"
) -> bytes:
    return (
        f"<xml><ToUserName><![CDATA[{CORP}]]></ToUserName>"
        f"<FromUserName><![CDATA[{user}]]></FromUserName><CreateTime>1348831860</CreateTime>"
        f"<MsgType><![CDATA[{kind}]]></MsgType><Content><![CDATA[{text}]]></Content>"
        f"<MsgId>{number}</MsgId><AgentID>1000002</AgentID></xml>"
    ).encode()


@dataclass
class Bench:
    client: TestClient
    platform: FakePlatform
    wecom: FakeWeCom
    runtime: Runtime

    def deliver(self, plain: bytes) -> int:
        sealed = seal(plain)
        response = self.client.post(PATH, content=envelope(sealed), params=signed(sealed))
        assert response.content == b"" or response.status_code != 200
        return response.status_code

    def answers(self, count: int = 1) -> list[str]:
        """What people see, once there are so many messages."""
        with self.wecom.changed:
            assert self.wecom.changed.wait_for(lambda: len(self.wecom.shown) >= count, 20)
        return [body["text"]["content"] for body in self.wecom.shown]

    def ask_bot(self, plain: Json, status: int = 200) -> Json:
        """Say something to the 智能机器人, and return what it answers."""
        sealed = seal(json.dumps(plain, ensure_ascii=False).encode(), receiver="")
        body = json.dumps({"encrypt": sealed})
        response = self.client.post(wecom_bot.PATH, content=body, params=signed(sealed))
        assert response.status_code == status, response.text
        if not response.content:
            return {}
        reply = response.json()
        given = [TOKEN, str(reply["timestamp"]), reply["nonce"], reply["encrypt"]]
        expected = hashlib.sha1("".join(sorted(given)).encode()).hexdigest()
        assert reply["msgsignature"] == expected
        answer: Json = json.loads(opened(reply["encrypt"]))
        return answer


@pytest.fixture
def bench(runtime: Runtime, segmenter: Segmenter) -> Iterator[Bench]:
    wecom = FakeWeCom()
    with FakePlatform(wecom.answer) as platform:
        made = configured(
            runtime,
            CharEmbedder(""),
            segmenter,
            wecom_corp_id=CORP,
            wecom_secret="s3cret",
            wecom_agent_id=1000002,
            wecom_token=TOKEN,
            wecom_aes_key=AES_KEY,
            wecom_bot_token=TOKEN,
            wecom_bot_aes_key=AES_KEY,
            wecom_url=platform.url,
            public_url="https://docs.example",
        )
        with client_of(made) as client:
            yield Bench(client, platform, wecom, made)


OURS = (TOKEN, AES_KEY, CORP)
VECTORS = {
    "vendor": (
        ("QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "wx5823bf96d3bd56c7"),
        ("1409659589", "263014780", "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3"),
        "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==",
        "1616140317555161061",
    ),
    "plain": (
        OURS,
        ("1700000000", "n1", "01edbb0fe73fbb577fb7df4c688e2aa6a42a4d56"),
        "4j/AuRx71kQlxVlzbpsMWEiTn1ar8XzXhSilvqcy784BeUu7xw6kYXLAyVIRkjPGbaAjqLvpVt3YTXudlzZLkg==",
        "echo-ok",
    ),
    "a block of padding": (
        OURS,
        ("1700000000", "n1", "0c0f7b6301bb19c31b9994cafbe35637bfffd6da"),
        "4j/AuRx71kQlxVlzbpsMWBGFZDEKIcEwjiU400WvSO9kWEMSgaog669JyRUV7RjTGm8sf+22CTryZRPLlBkuEQ==",
        "xxxxx",
    ),
    "bot": (
        (TOKEN, AES_KEY, ""),
        ("1700000000", "n1", "d4287a488ccdaea5278df3b656c843addb0d07ed"),
        (
            "4j/AuRx71kQlxVlzbpsMWETKRX9EBx3Jq9H3CZP/senPuo3Jo8IKtrJu+VyhsmfC9GDXl8Xcn0/HOs17hkHR"
            "M84E+Ih7+jmyNu1AorAKXIANMYcEh+zuwtT5tM/9K7tA9qAnZj2kScnN0nQ9vI9E+OWZftTH3Fiyghb5GRgq"
            "ggsi7EzE4DwsFMolfBTOPH6tlrRLXQKpzGPgKWy2HEjI4w=="
        ),
        (
            '{"msgid":"m1","aibotid":"b1","chattype":"single","from":{"userid":"u1"},'
            '"msgtype":"text","text":{"content":"什么是容器？"}}'
        ),
    ),
}


@pytest.mark.parametrize(("keys", "query", "sealed", "plain"), VECTORS.values(), ids=VECTORS)
def test_the_published_vectors_open(
    keys: tuple[str, str, str], query: tuple[str, str, str], sealed: str, plain: str
) -> None:
    timestamp, nonce, signature = query
    params = QueryParams(
        {"timestamp": timestamp, "nonce": nonce, "msg_signature": signature, "echostr": sealed}
    )
    now = int(timestamp)
    assert Seal.of(*keys).opened(params, sealed, now).decode() == plain
    for late in (301, -301):
        with pytest.raises(SignatureError, match=r"signed -?301 s ago"):
            Seal.of(*keys).opened(params, sealed, now + late)
    token, aes_key, _ = keys
    with pytest.raises(SignatureError, match="somebody else"):
        Seal.of(token, aes_key, "another").opened(params, sealed, now)


def test_an_address_is_proved_by_the_opened_text_alone(bench: Bench) -> None:
    for path, receiver in ((PATH, CORP), (wecom_bot.PATH, "")):
        sealed = seal(b"1616140317555161061", receiver=receiver)
        response = bench.client.get(path, params={**signed(sealed), "echostr": sealed})
        assert (response.status_code, response.content) == (200, b"1616140317555161061")
        assert response.headers["content-type"] == "text/plain; charset=utf-8"


def test_a_question_is_answered_by_a_message_with_linked_sources(bench: Bench) -> None:
    assert bench.deliver(message()) == 200
    (text,) = bench.answers()
    assert text.startswith('阿花在屋顶上睡觉[1]。\n\n[1] <a href="https://docs.example/documents/')
    assert ">题 手册/猫</a>：“阿花在屋顶上睡觉。”" in text
    (sent,) = bench.wecom.shown
    assert (sent["touser"], sent["agentid"], sent["msgtype"]) == ("u1", 1000002, "text")


def test_a_message_delivered_many_times_is_answered_once(bench: Bench) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert {*pool.map(bench.deliver, [message()] * 4)} == {200}
    bench.deliver(message("哪一年出生？", 2))
    assert "一九九七年" in bench.answers(2)[1]
    bench.deliver(message("哪一年出生？", 3, user="u2"))  # another conversation
    bench.answers(3)
    assert len(bench.platform.at(SENDS)) == 3
    assert len(bench.platform.at(TOKENS)) == 1


def test_a_long_answer_comes_in_several_messages_cut_between_sentences() -> None:
    sentences = [f"第{n}句说的是容器，" + "很长" * 40 + "。" for n in range(20)]
    url = "https://docs.example/documents/" + "%E7%8C%AB" * 20
    citations = [
        {"number": n, "title": "题", "headings": [], "quote": "引文" * 200, "view_url": url}
        for n in range(1, 9)
    ]
    reply = {"answer": "".join(sentences), "citations": citations, "turn_id": "t"}
    messages = contents(reply)
    assert len(messages) > 3
    assert all(len(message.encode()) <= 2048 for message in messages)
    assert all(message.count("<a ") == message.count("</a>") for message in messages)
    whole = "".join(messages)
    assert whole.startswith("".join(sentences) + "\n\n[1] <a href=")
    assert [whole.count(f"[{n}] <a") for n in range(1, 9)] == [1] * 8
    assert all(message.startswith(("第", "\n")) for message in messages)


def test_an_address_too_long_for_a_message_is_left_out_rather_than_cut() -> None:
    citation = {
        "number": 1,
        "title": "题",
        "headings": [],
        "quote": "引文",
        "view_url": "https://docs.example/" + "%E7%8C%AB" * 200,
    }
    reply = {"answer": "答[1]。", "citations": [citation], "turn_id": "t"}
    assert contents(reply) == ["答[1]。\n\n[1] 题：“引文”"]


def test_words_of_a_document_make_no_links(bench: Bench, runtime: Runtime) -> None:
    forged = CAT_TEXT.replace("屋顶", '<a href="http://evil.example">屋顶</a>')
    runtime.library().ingest([cat_document("手册/猫", forged)])
    bench.deliver(message())
    (text,) = bench.answers()
    assert "evil.example" in text
    assert '<a href="http://evil' not in text
    assert text.count("<a href=") == 1


def test_a_stale_token_is_renewed_and_a_busy_platform_asked_again(bench: Bench) -> None:
    bench.deliver(message())
    bench.answers()
    bench.wecom.good = "tok-2"
    bench.wecom.failures = [(200, {"errcode": -1, "errmsg": "system busy"})]
    bench.deliver(message(number=2))
    bench.answers(2)
    assert len(bench.platform.at(TOKENS)) == 2


def test_secrets_and_questions_stay_out_of_the_log(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")
    bench.wecom.failures = [(200, {"errcode": 81013, "errmsg": "user & party & tag all invalid"})]
    bench.deliver(message())
    bench.deliver(message(number=2))
    bench.answers()
    assert "code 81013" in caplog.text
    for secret in ("s3cret", "tok-1", "阿花", TOKEN):
        assert secret not in caplog.text


def test_pictures_are_told_of_and_events_are_left(bench: Bench) -> None:
    bench.deliver(message(kind="image"))
    assert bench.answers() == [TEXT_ONLY]
    event = message(kind="event").replace(b"<MsgId>1</MsgId>", b"<Event>enter_agent</Event>")
    assert bench.deliver(event) == 200
    bench.deliver(message(number=2))
    assert len(bench.answers(2)) == 2


def test_entities_are_refused() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><xml><Content>&a;</Content></xml>'
    external = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml>&a;</xml>'
    for xml in (bomb, external, b"<xml>", b"\xff", b"", b"<xml/>"):
        with pytest.raises(Exception, match="400"):
            asked_in(xml)


def refused(bench: Bench, path: str, body: bytes, query: Query, status: int = 401) -> bytes:
    response = bench.client.post(path, content=body, params=query)  # type: ignore[arg-type]
    assert response.status_code == status, (query, body[:80], response.text)
    ProblemReply.model_validate(response.json())
    return response.content


@pytest.mark.slow
@pytest.mark.parametrize("path", [PATH, wecom_bot.PATH])
def test_nothing_but_the_exact_signature_is_believed(bench: Bench, path: str) -> None:
    is_bot = path == wecom_bot.PATH
    receiver = "" if is_bot else CORP
    plain = json.dumps(bot_message()).encode() if is_bot else message()

    def wrapped(sealed: str) -> bytes:
        return json.dumps({"encrypt": sealed}).encode() if is_bot else envelope(sealed)

    sealed = seal(plain, receiver=receiver)
    body, query = wrapped(sealed), signed(sealed)
    rows: list[tuple[bytes, Query]] = []
    for name, value in query.items():
        rows += [(body, {**query, name: changed_at(value, n)}) for n in range(len(value))]
        rows += [
            (body, {**query, name: odd})
            for odd in ("", value[:-1], value + "0", f"{value},{value}", "é", "9" * 10_000)
        ]
        rows.append((body, {k: v for k, v in query.items() if k != name}))
        rows.append((body, [*query.items(), (name, value)]))
        rows.append((body, [*query.items(), (name, "x")]))
    times = ("abc", "-1", "1700000000.0", "1e9", "nan", "1" * 400, f"{time.time() * 1000:.0f}")
    rows += [(body, {**query, "timestamp": odd}) for odd in times]
    rows.append((body, {**query, "msg_signature": query["msg_signature"].upper()}))
    rows += [(body[:n] + bytes([body[n] ^ 1]) + body[n + 1 :], query) for n in range(len(body))
             if body[n : n + 1] != b" "]  # fmt: skip
    odd_bodies = (b"", b"{", b"<xml>", body[:-1], b"\xff\xfe", b"[" * 100_000, b"<a>" * 100_000)
    rows += [(odd, query) for odd in odd_bodies] + [(odd, {}) for odd in (*odd_bodies, body)]
    rows += [(body, signed(sealed, at=time.time() + late)) for late in (-302, 400, -100_000)]
    rows.append((body, signed(sealed, token="another")))
    broken = [
        sealed[:-8] + "AAAAAAA=", sealed[:64], sealed + "AAAA", "A" * 44, "!", "",
        seal(plain, receiver="another"), seal(plain, receiver=receiver + "x"),
        encrypt(b"x" * 32), encrypt(b"x" * 31 + b"\x00"), encrypt(b"x" * 31 + b"\x21"),
        encrypt(b"x" * 31 + b"\x01"), encrypt(bytes([32]) * 32),
        encrypt(b"r" * 16 + b"\xff\xff\xff\xff" + b"x" * 11 + b"\x01"),
    ]  # fmt: skip
    rows += [(wrapped(odd), signed(odd)) for odd in broken]
    if not is_bot:
        rows.append((envelope(sealed, to="another"), query))
        rows.append((envelope(sealed, agent="1000003"), query))
        rows.append((body.replace(b"</xml>", b"<Encrypt>x</Encrypt></xml>"), query))
    assert len(rows) > 400
    assert len({refused(bench, path, *row) for row in rows}) == 1
    checks = [{**query, "echostr": odd} for odd in ("", "x", sealed[:-1], changed_at(sealed, 5))]
    for odd in ({}, query, *checks, [*query.items(), ("echostr", sealed), ("echostr", sealed)]):
        assert bench.client.get(path, params=odd).status_code == 401  # type: ignore[arg-type]
    with bench.runtime.database.read() as session:
        assert session.query(ChannelJobRow).count() == 0


def test_what_is_signed_and_makes_no_sense_is_a_bad_request(bench: Bench) -> None:
    for plain in (b"", b"<xml>", b"\xff", b"<xml><MsgType>text</MsgType></xml>"):
        sealed = seal(plain)
        refused(bench, PATH, envelope(sealed), signed(sealed), 400)
    for plain in (b"", b"[1]", b"[" * 100_000, b'{"msgtype":"text"}', b'{"msgtype":"stream"}'):
        sealed = seal(plain, receiver="")
        body = json.dumps({"encrypt": sealed}).encode()
        refused(bench, wecom_bot.PATH, body, signed(sealed), 400)
    for path in (PATH, wecom_bot.PATH):
        refused(bench, path, b"x" * 1_000_001, {}, 413)


def test_without_settings_there_is_nothing(client: TestClient) -> None:
    for path in (PATH, wecom_bot.PATH):
        assert client.post(path).status_code == 404
        assert client.get(path).status_code == 404


def bot_message(text: str = CAT_QUESTION, number: int = 1, **more: object) -> Json:
    return {
        "msgid": f"m{number}",
        "aibotid": "b1",
        "chattype": "single",
        "from": {"userid": "u1"},
        "response_url": "https://qyapi.weixin.qq.com/x",
        "msgtype": "text",
        "text": {"content": text},
        **more,
    }


def test_the_bot_answers_in_the_same_breath_where_it_can(bench: Bench) -> None:
    reply = bench.ask_bot(bot_message())
    assert reply["msgtype"] == "stream"
    stream = reply["stream"]
    assert stream["finish"] is True
    assert stream["content"].startswith("阿花在屋顶上睡觉[1]。")
    assert "[1] [题 手册/猫](https://docs.example/documents/" in stream["content"]
    refreshed = bench.ask_bot({"msgtype": "stream", "stream": {"id": stream["id"]}})
    assert refreshed == reply
    assert bench.ask_bot(bot_message()) == reply  # delivered again: the same stream
    follow_up = bench.ask_bot(bot_message("哪一年出生？", 2))
    assert "一九九七年" in follow_up["stream"]["content"]
    assert follow_up["stream"]["id"] != stream["id"]


def test_in_a_group_the_name_of_the_bot_is_not_part_of_the_question(bench: Bench) -> None:
    asked = bot_message(f"@问渠 {CAT_QUESTION}", chattype="group", chatid="c1")
    assert "屋顶" in bench.ask_bot(asked)["stream"]["content"]
    spoken = bot_message(number=2, msgtype="voice", voice={"content": CAT_QUESTION})
    del spoken["text"]
    assert "屋顶" in bench.ask_bot(spoken)["stream"]["content"]
    items = [{"msgtype": "text", "text": {"content": CAT_QUESTION}}, {"msgtype": "image"}]
    mixed = bot_message(number=3, msgtype="mixed", mixed={"msg_item": items})
    del mixed["text"]
    assert "屋顶" in bench.ask_bot(mixed)["stream"]["content"]
    picture = bot_message(number=4, msgtype="image", image={"url": "x"})
    del picture["text"]
    assert bench.ask_bot(picture)["stream"]["content"] == TEXT_ONLY


def test_an_unknown_stream_ends_and_one_under_way_goes_on_for_five_minutes(bench: Bench) -> None:
    for name, age in (("young", 290), ("old", 301)):
        jobs = Jobs(bench.runtime.database, clock=lambda age=age: time.time() - age)  # type: ignore[misc]
        # of a channel that nobody works on, then of this one with a claim: so that it stays
        jobs.accept(Message("nobody's", name, name, "？", {}))
        with bench.runtime.database.write() as session:
            row = session.scalars(select(ChannelJobRow).where(ChannelJobRow.id == name)).one()
            row.channel, row.due_at = "wecom-bot", time.time() + 60

    def stream(name: str) -> tuple[bool, str]:
        found = bench.ask_bot({"msgtype": "stream", "stream": {"id": name}})["stream"]
        return found["finish"], found["content"]

    assert stream("nobody's") == (True, wecom_bot.TOO_LATE)
    assert stream("young") == (False, wecom_bot.WAIT)
    assert stream("old") == (True, wecom_bot.TOO_LATE)


def test_a_thumb_of_the_bot_is_kept(bench: Bench) -> None:
    stream = bench.ask_bot(bot_message())["stream"]

    def event(kind: str, **more: object) -> Json:
        return bot_message(msgtype="event", event={"eventtype": kind, **more})

    thumb = {"id": stream["feedback"]["id"], "type": 2, "content": "不对"}
    assert bench.ask_bot(event("feedback_event", feedback_event=thumb)) == {}
    with bench.runtime.database.read() as reading:
        (kept,) = reading.scalars(select(FeedbackRow))
    assert (kept.vote, kept.voter) == ("down", "wecom-bot:u1")
    unknown = {"id": "nobody's", "type": 1}
    assert bench.ask_bot(event("feedback_event", feedback_event=unknown)) == {}
    assert bench.ask_bot(event("enter_chat"))["text"]["content"] == wecom_bot.WELCOME
