"""The other side of each channel: requests as its platform signs them, made without our code.

Nothing here is secret: the keys are those of no application.
"""

import base64
import hashlib
import hmac
import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from bot.channels.slack_fake import BOT_TOKEN, SIGNING_SECRET
from bot.channels.slack_testing import direct, envelope
from bot.wire import Json

Pairs: TypeAlias = tuple[tuple[bytes, bytes], ...]

_SECRET = "wenqu-no-secret"  # noqa: S105  # of nobody, as the line above says
_AES_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
_CORP = "ww0test"
_HOOK = bytes(range(32))
_NONCE = "nonce1"


@dataclass(frozen=True, slots=True)
class Request:
    """What goes over the wire.

    Attributes:
        path: Without the query.
        body: As it is sent.
        headers: In order, as they are sent; names are lower case.
        query: Names and values, likewise.
        method: Of HTTP.
    """

    path: str
    body: bytes = b""
    headers: Pairs = ()
    query: Pairs = ()
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Sender:
    """A platform.

    Attributes:
        name: Of the channel.
        asked: Makes the message with a number, before it is signed.
        signed: Signs a message, whatever it is, at a Unix time.
        covered: What of a body the signature is about.
        reads_json: Whether a message is JSON; else it is XML.
    """

    name: str
    asked: Callable[[int], bytes]
    signed: Callable[[bytes, float], Request]
    covered: Callable[[bytes], bytes] = field(default=bytes)
    reads_json: bool = True


def channel_settings(platform: str, slack: str) -> Mapping[str, object]:
    """Return settings of all channels, whose answers go to two servers of ours.

    Args:
        platform: Address of what stands for 飞书, 钉钉 and 企业微信.
        slack: Address of the Web API of Slack, with `/api/`.
    """
    hook = f"whsec_{base64.b64encode(_HOOK).decode()}"
    return {
        "slack_bot_token": BOT_TOKEN,
        "slack_signing_secret": SIGNING_SECRET,
        "slack_api_url": slack,
        "feishu_app_id": "cli_1",
        "feishu_app_secret": _SECRET,
        "feishu_encrypt_key": _SECRET,
        "feishu_verification_token": _SECRET,
        "feishu_url": platform,
        "dingtalk_client_id": "ding1",
        "dingtalk_client_secret": _SECRET,
        "dingtalk_url": platform,
        "dingtalk_reply_url": f"{platform}/reply",
        "wecom_corp_id": _CORP,
        "wecom_secret": _SECRET,
        "wecom_agent_id": 1,
        "wecom_token": _SECRET,
        "wecom_aes_key": _AES_KEY,
        "wecom_bot_token": _SECRET,
        "wecom_bot_aes_key": _AES_KEY,
        "wecom_url": platform,
        "webhooks": {"crm": {"secret": hook, "url": f"{platform}/hook", "private": True}},
        "mcp": True,
        "widget_origins": "https://www.example.com",
        "secret_key": _SECRET,
    }


def senders(question: str, platform: str) -> tuple[Sender, ...]:
    """Return all platforms, each asking the same."""

    def of_slack(number: int) -> bytes:
        return _json(envelope(direct(question, f"{number}.1"), f"Ev{number}"))

    def of_feishu(number: int) -> bytes:
        return _json(_feishu_message(question, number))

    def of_dingtalk(number: int) -> bytes:
        return _json(_dingtalk_message(question, number, platform))

    def of_wecom(number: int) -> bytes:
        return (
            f"<xml><ToUserName>{_CORP}</ToUserName><FromUserName><![CDATA[u1]]></FromUserName>"
            f"<CreateTime>1</CreateTime><MsgType>text</MsgType><Content><![CDATA[{question}]]>"
            f"</Content><MsgId>{number}</MsgId><AgentID>1</AgentID></xml>"
        ).encode()

    def of_wecom_bot(number: int) -> bytes:
        return _json(
            {
                "msgid": f"m{number}",
                "aibotid": "b1",
                "chattype": "single",
                "from": {"userid": "u1"},
                "msgtype": "text",
                "text": {"content": question},
            }
        )

    def of_webhook(number: int) -> bytes:
        return _json({"type": "chat.ask", "data": {"question": f"{question}{number}"}})

    return (
        Sender("slack", of_slack, _slack),
        Sender("feishu", of_feishu, _feishu),
        Sender("dingtalk", of_dingtalk, _dingtalk),
        Sender("wecom", of_wecom, _wecom, _between(b"<Encrypt>", b"</Encrypt>"), reads_json=False),
        Sender("wecom bot", of_wecom_bot, _wecom_bot, _between(b'"encrypt":', b"}")),
        Sender("webhook", of_webhook, _webhook),
    )


def _slack(message: bytes, now: float) -> Request:
    at = str(int(now)).encode()
    made = hmac.new(SIGNING_SECRET.encode(), b"v0:" + at + b":" + message, "sha256").hexdigest()
    headers = _headers(
        {"x-slack-request-timestamp": at.decode(), "x-slack-signature": f"v0={made}"}
    )
    return Request("/slack/events", message, headers)


def _feishu(message: bytes, now: float) -> Request:
    key = hashlib.sha256(_SECRET.encode()).digest()
    iv = bytes(range(16))
    pad = 16 - len(message) % 16
    sealed = base64.b64encode(iv + _aes(key, iv, message + bytes([pad]) * pad)).decode()
    body = _json({"encrypt": sealed})
    at = str(int(now))
    made = hashlib.sha256(f"{at}{_NONCE}{_SECRET}".encode() + body).hexdigest()
    named = {"timestamp": at, "nonce": _NONCE}
    signed = {f"x-lark-request-{name}": value for name, value in named.items()}
    return Request("/channels/feishu/events", body, _headers({**signed, "x-lark-signature": made}))


def _dingtalk(message: bytes, now: float) -> Request:
    at = str(int(now * 1000))
    made = hmac.new(_SECRET.encode(), f"{at}\n{_SECRET}".encode(), "sha256").digest()
    headers = {"timestamp": at, "sign": base64.b64encode(made).decode()}
    return Request("/channels/dingtalk/messages", message, _headers(headers))


def _wecom(message: bytes, now: float) -> Request:
    sealed = _sealed(message, _CORP)
    body = (
        f"<xml><ToUserName><![CDATA[{_CORP}]]></ToUserName><AgentID><![CDATA[1]]></AgentID>"
        f"<Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
    ).encode()
    return Request("/channels/wecom/messages", body, query=_query(sealed, now))


def _wecom_bot(message: bytes, now: float) -> Request:
    sealed = _sealed(message, "")
    return Request("/channels/wecom/bot", _json({"encrypt": sealed}), query=_query(sealed, now))


def _webhook(message: bytes, now: float) -> Request:
    at = str(int(now))
    named = f"msg_{hashlib.sha256(message).hexdigest()[:16]}"
    signed = f"{named}.{at}.".encode() + message
    made = base64.b64encode(hmac.new(_HOOK, signed, "sha256").digest()).decode()
    headers = {"id": named, "timestamp": at, "signature": f"v1,{made}"}
    return Request(
        "/channels/webhook/crm",
        message,
        _headers({f"webhook-{name}": value for name, value in headers.items()}),
    )


def _feishu_message(question: str, number: int) -> Json:
    header = {"event_id": f"e{number}", "event_type": "im.message.receive_v1", "token": _SECRET}
    message = {
        "message_id": f"om_{number}",
        "chat_id": "oc_1",
        "chat_type": "p2p",
        "message_type": "text",
        "content": json.dumps({"text": question}),
    }
    sender = {"sender_id": {"open_id": "ou_1"}, "sender_type": "user"}
    return {"schema": "2.0", "header": header, "event": {"sender": sender, "message": message}}


def _dingtalk_message(question: str, number: int, platform: str) -> Json:
    return {
        "conversationId": "cid/1==",
        "chatbotCorpId": "corp1",
        "chatbotUserId": "bot",
        "msgId": f"msg{number}",
        "senderStaffId": "staff1",
        "sessionWebhookExpiredTime": 4_000_000_000_000,
        "conversationType": "1",
        "senderId": "someone",
        "sessionWebhook": f"{platform}/reply?session=s1",
        "text": {"content": question},
        "msgtype": "text",
        "robotCode": "ding1",
    }


def _sealed(message: bytes, receiver: str) -> str:
    plain = b"0123456789abcdef" + struct.pack(">I", len(message)) + message + receiver.encode()
    pad = 32 - len(plain) % 32
    return sealed_raw(plain + bytes([pad]) * pad)


def sealed_raw(padded: bytes) -> str:
    """Encrypt as 企业微信 does what is whole blocks of 16 already, whatever it is."""
    key = base64.b64decode(_AES_KEY + "=")
    return base64.b64encode(_aes(key, key[:16], padded)).decode()


def _aes(key: bytes, iv: bytes, padded: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import (  # noqa: PLC0415  # an extra
        Cipher,
        algorithms,
        modes,
    )

    return Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor().update(padded)


def _query(sealed: str, now: float) -> Pairs:
    at = str(int(now))
    made = hashlib.sha1("".join(sorted([_SECRET, at, _NONCE, sealed])).encode()).hexdigest()  # noqa: S324  # the protocol's choice
    return _headers({"msg_signature": made, "timestamp": at, "nonce": _NONCE})


def _headers(named: Mapping[str, str]) -> Pairs:
    return tuple((name.encode(), value.encode()) for name, value in named.items())


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _between(before: bytes, after: bytes) -> Callable[[bytes], bytes]:
    def cut(body: bytes) -> bytes:
        return body.partition(before)[2].partition(after)[0].strip()

    return cut
