import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from websockets.sync.server import Server, ServerConnection, serve

from bot.channels.dingtalk_stream import TOPIC
from bot.channels.testing import Call, FakePlatform, configured
from bot.runtime import Runtime
from bot.testing import CAT_QUESTION, client_of
from bot.wire import Json
from corpus.words import Segmenter
from index.testing import CharEmbedder

SECRET = "wenqu-ding-secret"
REPLIES = "/robot/sendBySession"


@dataclass
class FakeGateway:
    """钉钉's gateway: sends the frames of a script over each connection, and keeps the answers."""

    scripts: list[list[str]]
    answers: list[Json] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    def __call__(self, connection: ServerConnection) -> None:
        assert connection.request
        self.paths.append(connection.request.path)
        for frame in self.scripts.pop(0):
            connection.send(frame)
            if frame.startswith("{"):
                self.answers.append(json.loads(connection.recv(timeout=20)))
        if not self.scripts:
            self.done.set()
            for _ in connection:  # until the other side goes
                pass


@dataclass
class Bench:
    gateway: FakeGateway
    platform: FakePlatform
    runtime: Runtime

    def start(self) -> None:
        """Run the application until the scripts are through and what was asked is answered."""
        with client_of(self.runtime):
            assert self.gateway.done.wait(30)
            self.platform.wait(REPLIES)


def frame(topic: str, data: object, kind: str = "CALLBACK") -> str:
    headers = {"topic": topic, "messageId": "f1", "contentType": "application/json", "time": "1"}
    return json.dumps(
        {"specVersion": "1.0", "type": kind, "headers": headers, "data": json.dumps(data)}
    )


PING = frame("ping", {"opaque": "0d9a"}, "SYSTEM")
BYE = frame("disconnect", {"reason": "x"}, "SYSTEM")


@pytest.fixture
def bench(runtime: Runtime, segmenter: Segmenter) -> Iterator[Bench]:
    gateway = FakeGateway([])
    with serve(gateway, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with FakePlatform(_interface(server)) as platform:
            made = configured(
                runtime,
                CharEmbedder(""),
                segmenter,
                dingtalk_client_id="ding1",
                dingtalk_client_secret=SECRET,
                dingtalk_stream=True,
                dingtalk_url=platform.url,
                dingtalk_reply_url=f"{platform.url}{REPLIES}",
            )
            yield Bench(gateway, platform, made)
        server.shutdown()
        thread.join(20)


def _interface(server: Server):  # type: ignore[no-untyped-def]  # noqa: ANN202
    port = server.socket.getsockname()[1]

    def answer(call: Call) -> tuple[int, object]:
        if call.path == REPLIES:
            return 200, {"errcode": 0}
        assert call.path == "/v1.0/gateway/connections/open"
        assert (call.body["clientId"], call.body["clientSecret"]) == ("ding1", SECRET)
        assert call.body["subscriptions"] == [{"type": "CALLBACK", "topic": TOPIC}]
        return 200, {"endpoint": f"ws://127.0.0.1:{port}/connect", "ticket": "t/1="}

    return answer


def asked(bench: Bench, number: int = 1, **more: object) -> str:
    message = {
        "conversationId": "cid1",
        "conversationType": "1",
        "msgId": f"m{number}",
        "msgtype": "text",
        "text": {"content": CAT_QUESTION},
        "senderId": "s",
        "sessionWebhook": f"{bench.platform.url}{REPLIES}?session=s1",
        "sessionWebhookExpiredTime": int(time.time() * 1000) + 60_000,
        **more,
    }
    return frame(TOPIC, message)


def test_a_question_is_acknowledged_and_answered_once_over_all_connections(bench: Bench) -> None:
    bench.gateway.scripts = [[PING, asked(bench), BYE], [asked(bench)]]
    bench.start()
    ping, first, bye, again = bench.gateway.answers
    assert ping == {
        "code": 200,
        "headers": {"messageId": "f1", "contentType": "application/json"},
        "message": "OK",
        "data": '{"opaque": "0d9a"}',
    }
    assert (first["code"], first["data"]) == (200, '{"response": "OK"}')
    assert bye["code"] == again["code"] == 200
    assert bench.gateway.paths == ["/connect?ticket=t%2F1%3D"] * 2
    (reply,) = bench.platform.at(REPLIES)
    assert "屋顶" in reply.body["markdown"]["text"]


def test_frames_that_make_no_sense_end_nothing(bench: Bench) -> None:
    elsewhere = "https://evil.example/robot/sendBySession?session=s1"
    bench.gateway.scripts = [
        [
            "[",
            "5",
            "[" * 100_000,
            '["x"]',
            frame(TOPIC, 5),
            frame(TOPIC, {"msgId": "x"}),
            frame("/v1.0/card", {}),
            asked(bench, 2, sessionWebhook=elsewhere),
            asked(bench),
        ]
    ]
    bench.start()
    assert [answer["code"] for answer in bench.gateway.answers] == [400, 400, 404, 500, 200]


def test_without_a_connection_it_is_tried_again(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.gateway.scripts = [["x" * 1_000_001], [asked(bench)]]
    with client_of(bench.runtime):
        assert bench.gateway.done.wait(30)
        bench.platform.wait(REPLIES)
    assert "the connection is lost: ConnectionClosedError" in caplog.text
    assert SECRET not in caplog.text
