import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest
from starlette.testclient import TestClient

from bot.api.repeats import turn_id
from bot.caller import keyless
from bot.runtime import Runtime
from bot.testing import CAT_QUESTION, problem_in
from eval.bench.replicas import killed

ROOT = Path(__file__).parents[1]
KEY = {"idempotency-key": "0f8b1c8e-5f0a-4a57-9d4e-2b7a1f3c9d10"}
SERVE = """
import sys, threading
from pathlib import Path
sys.path.insert(0, str(Path.cwd()))
from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import cat_document, serving
from corpus.words import Segmenter
from index.database import Database
from index.testing import CharEmbedder
settings = Settings(data=Path(sys.argv[1]), database_url=sys.argv[2])
words = Segmenter(Path(sys.argv[3]))
runtime = Runtime(settings, Database(settings.database), CharEmbedder(""), words)
runtime.library().ingest([cat_document("手册/猫")])
with serving(runtime) as port:
    print(port, flush=True)
    sys.stdin.read()
"""


class SmallServer:
    """A real server in a process of its own, with a model that loads at once."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self._port = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, *self._arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True,
        )  # fmt: skip
        assert self.process.stdout
        self._port = self.process.stdout.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate(timeout=30)


@pytest.mark.slow
def test_of_two_servers_one_is_killed_again_and_again_and_each_question_is_answered_once(
    tmp_path: Path, new_database: Callable[[str], str], jieba_folder: Path
) -> None:
    url = new_database("postgresql")

    def start() -> SmallServer:
        return SmallServer(str(tmp_path), url, str(jieba_folder))

    figure = killed(start, url, questions=60, seconds=1, seed=7)
    assert figure.held, figure


def test_a_question_sent_again_gets_the_same_answer_and_no_second_turn(
    client: TestClient, runtime: Runtime
) -> None:
    asked = {"question": CAT_QUESTION}
    first = client.post("/api/chat", json=asked, headers=KEY).json()
    again = client.post("/api/chat", json=asked, headers=KEY)
    assert again.json() == first
    assert first["turn_id"] == turn_id(keyless(frozenset()), KEY["idempotency-key"])
    assert len(runtime.conversations.get(first["session_id"]).turns) == 1
    other = client.post("/api/chat", json={"question": "阿花几岁？"}, headers=KEY)
    problem_in(other, 409, "reused_id")
    streamed = client.post("/api/chat", json={**asked, "stream": True}, headers=KEY)
    lines = re.findall(r"^(?:event|data): (.*)$", streamed.text.replace("\r", ""), re.MULTILINE)
    events = [(name, json.loads(data)) for name, data in zip(lines[::2], lines[1::2], strict=True)]
    assert [name for name, _ in events] == ["meta", "citation", "delta", "done"]
    assert events[-1][1] == first


def test_a_key_that_others_could_guess_is_refused(client: TestClient) -> None:
    asked = {"question": CAT_QUESTION}
    assert client.post("/api/chat", json=asked, headers={"idempotency-key": "1"}).status_code == 422


def test_of_the_same_question_at_the_same_time_one_turn_is_kept(
    client: TestClient, runtime: Runtime
) -> None:
    start, statuses = threading.Barrier(4), []

    def ask() -> None:
        start.wait()
        response = client.post("/api/chat", json={"question": CAT_QUESTION}, headers=KEY)
        statuses.append(response.status_code)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 409}
    assert 200 in statuses
    kept = runtime.conversations.find(turn_id(keyless(frozenset()), KEY["idempotency-key"]))
    assert len(kept.turns) == 1
