import os
import random
import shutil
import sqlite3
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from bot.channels.slack_fake import BOT_TOKEN, SIGNING_SECRET, FakeSlack
from bot.channels.slack_testing import Sender, mention, until
from bot.testing import Server
from bot.wire import Json

pytestmark = pytest.mark.slow

EVENTS = int(os.environ.get("WENQU_TEST_EVENTS", "200"))
"""1,000 were measured; a fifth of them finds the same mistakes in a fifth of the time."""
KILLS, SENDERS = 5, 8
QUESTIONS = ("chroot 是哪一年出现的？", "Docker 是谁发布的？", "Kubernetes 是什么？")


@pytest.fixture
def data(bundled: Path, tmp_path: Path) -> Path:
    """A copy: conversations are written there."""
    return Path(shutil.copytree(bundled, tmp_path / "var"))


def served(data: Path, slack: FakeSlack) -> Server:
    return Server(
        data,
        WENQU_SLACK_BOT_TOKEN=BOT_TOKEN,
        WENQU_SLACK_SIGNING_SECRET=SIGNING_SECRET,
        WENQU_SLACK_API_URL=slack.url,
        WENQU_READER="off",  # answers have to be many here, not good
    )


def events() -> list[tuple[Json, str]]:
    """Every third twice, the copies elsewhere in the order."""
    once = [
        (mention(QUESTIONS[n % 3], f"{n}.1", channel=f"C{n % 7}"), f"Ev{n}") for n in range(EVENTS)
    ]
    return once + once[::3]


class Platform(threading.Thread):
    """Slack, sending events again until they are acknowledged, wherever the service is now."""

    def __init__(self, queue: list[tuple[Json, str]], service: list[str]) -> None:
        super().__init__()
        self._queue = queue
        self._service = service

    def run(self) -> None:
        with suppress(IndexError):  # the queue is empty
            while True:
                event, event_id = self._queue.pop()
                tries = 0
                while not self._took(event, event_id, tries):
                    tries += 1
                    time.sleep(0.2)

    def _took(self, event: Json, event_id: str, tries: int) -> bool:
        retry = {"x_slack_retry_num": str(tries)} if tries else {}
        try:
            with Sender(self._service[0]) as sender:
                return sender.event(event, event_id, **retry).status_code == 200
        except httpx2.TransportError:
            return False


def test_events_delivered_twice_and_five_kills_give_one_answer_each(
    slack: FakeSlack, data: Path
) -> None:
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    queue = events()
    chance.shuffle(queue)
    service = ["http://127.0.0.1:1"]
    senders = [Platform(queue, service) for _ in range(SENDERS)]
    started = time.monotonic()
    for kill in range(KILLS + 1):
        with served(data, slack) as server:
            service[0] = server.url
            if kill == 0:
                for sender in senders:
                    sender.start()
            if kill < KILLS:
                goal = len(slack.messages) + chance.randrange(EVENTS // 50, EVENTS // 7)
                until(lambda goal=goal: len(slack.messages) >= goal or not queue)  # type: ignore[misc]
                time.sleep(chance.random() * 0.05)
                server.process.kill()
                continue
            for sender in senders:
                sender.join()
            until(lambda: sum(map(len, answered(slack).values())) >= EVENTS, 600)
    found = answered(slack)
    calls = dict(Counter(name for name, _ in slack.calls))
    print(f"seed {seed}, {time.monotonic() - started:.0f} s, {calls}")  # noqa: T201  # the report
    assert {thread: len(said) for thread, said in found.items()} == {
        f"{n}.1": 1 for n in range(EVENTS)
    }
    assert len(slack.messages) == EVENTS, "a message was left that is no answer"
    assert turns(data) >= EVENTS


def answered(slack: FakeSlack) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = {}
    for message in [*slack.messages.values()]:
        if message["text"] != "正在查找…":
            found.setdefault(message["thread_ts"], []).append(message)
    return found


def turns(data: Path) -> int:
    with sqlite3.connect(data / "wenqu.db") as connection:
        count: int = connection.execute("SELECT count(*) FROM turns").fetchone()[0]
    connection.close()
    return count
