"""What is not signed is not read: the body of a stranger meets no parser and no log."""

import base64
import gzip
import io
import json
import logging
import threading
import zlib
from collections.abc import Iterator
from types import FrameType

import httpx2
import pytest

from bot.app import REQUEST_BYTES
from bot.logs import OURS, set_up
from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import serving
from corpus.words import Segmenter
from index.database import Database
from index.testing import CharEmbedder

SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
AES_KEY = "a" * 43
AWAY = "http://127.0.0.1:9"
SETTINGS = {
    "slack_bot_token": "xoxb-1",
    "slack_signing_secret": "slack-signing-secret",
    "slack_api_url": "http://127.0.0.1:9/api/",
    "feishu_app_id": "cli_1",
    "feishu_app_secret": "feishu-app-secret",
    "feishu_encrypt_key": "feishu-encrypt-key",
    "feishu_verification_token": "feishu-token",
    "feishu_url": AWAY,
    "dingtalk_client_id": "ding1",
    "dingtalk_client_secret": "dingtalk-secret",
    "dingtalk_url": AWAY,
    "wecom_corp_id": "ww1",
    "wecom_secret": "wecom-secret",
    "wecom_agent_id": 1,
    "wecom_token": "wecom-token",
    "wecom_aes_key": AES_KEY,
    "wecom_url": AWAY,
    "wecom_bot_token": "wecom-bot-token",
    "wecom_bot_aes_key": AES_KEY,
    "webhooks": {"crm": {"secret": SECRET}},
}
PATHS = (
    "/slack/events",
    "/channels/feishu/events",
    "/channels/dingtalk/messages",
    "/channels/wecom/messages",
    "/channels/wecom/bot",
    "/channels/webhook/crm",
)
CANARY = "canary-阿花"
BODIES = {
    "cut": b'{"' + CANARY.encode(),
    "list": json.dumps([CANARY]).encode(),
    "object": json.dumps({"type": "url_verification", "challenge": CANARY}).encode(),
    "deep": b"[" * 100_000 + CANARY.encode(),
    "no text": CANARY.encode() + b"\xff\xfe\x00",
    "gzip": gzip.compress(CANARY.encode() * 1000),
    "xml": f"<xml><Encrypt><![CDATA[{CANARY}]]></Encrypt></xml>".encode(),
    "empty": b"",
    "large": CANARY.encode() * (30_000_000 // len(CANARY.encode())),
}
READERS = {
    ("json/__init__.py", "loads"),
    ("json/decoder.py", "decode"),
    ("pydantic/main.py", "model_validate_json"),
    ("xml/etree/ElementTree.py", "XML"),
    ("gzip.py", "decompress"),
}


class Reading:
    """Notes every reader that is called in a thread begun meanwhile."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.on = False

    def __enter__(self) -> "Reading":
        threading.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        threading.setprofile(None)

    def _note(self, frame: FrameType, event: str, argument: object) -> None:
        if not self.on:
            return
        if event == "call":
            code = frame.f_code
            if any(code.co_filename.endswith(f) and code.co_name == n for f, n in READERS):
                self.seen.append(code.co_name)
        elif event == "c_call" and argument in {zlib.decompress, zlib.decompressobj}:
            self.seen.append(getattr(argument, "__name__", ""))


@pytest.fixture(scope="module")
def channels(
    tmp_path_factory: pytest.TempPathFactory, segmenter: Segmenter
) -> Iterator[tuple[str, io.StringIO, Reading]]:
    """Every channel, the log at its finest, and what is read."""
    root = logging.getLogger()
    before, log = (root.handlers, root.level), io.StringIO()
    settings = Settings.model_validate({**SETTINGS, "data": tmp_path_factory.mktemp("data")})
    set_up(settings, log)
    root.setLevel(logging.DEBUG)
    runtime = Runtime(settings, Database(settings.database), CharEmbedder(""), segmenter)
    with Reading() as reading, serving(runtime) as port:
        yield f"http://127.0.0.1:{port}", log, reading
    runtime.close()
    root.handlers, root.level = before
    for name in OURS:
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_nobody_signed_is_not_read(
    channels: tuple[str, io.StringIO, Reading], path: str
) -> None:
    url, log, reading = channels
    answers = {}
    for name, body in BODIES.items():
        headers = {"content-type": "application/json"}
        if name == "gzip":
            headers["content-encoding"] = "gzip"
        reading.on = True
        try:
            response = httpx2.post(f"{url}{path}", content=body, headers=headers, timeout=60)
        finally:
            reading.on = False
        answers[name] = (response.status_code, response.json()["code"])
        assert "canary" not in response.text
    assert answers == {
        name: (413, "too_large") if name == "large" else (401, "bad_signature") for name in BODIES
    }
    assert len(BODIES["large"]) > REQUEST_BYTES
    assert reading.seen == []
    assert "canary" not in log.getvalue()
    assert "阿花" not in log.getvalue()


def test_the_hook_would_have_seen_it(channels: tuple[str, io.StringIO, Reading]) -> None:
    url, _, reading = channels
    reading.on = True
    httpx2.post(f"{url}/api/documents", json={"text": 1}, timeout=60)
    httpx2.post(f"{url}/api/chat", json={"question": "阿花？"}, timeout=60)
    reading.on = False
    assert reading.seen
    reading.seen.clear()
