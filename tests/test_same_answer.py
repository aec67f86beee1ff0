"""One question, one answer: in every channel, after a restart, and however the texts came in."""

import asyncio
import html
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from mcp import Client
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam

from bot.channels.slack_fake import BOT_TOKEN, SIGNING_SECRET, FakeSlack
from bot.channels.slack_testing import Sender, mention, until
from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import Server
from bot.wire import Json
from eval.session import Wish, question_set

pytestmark = pytest.mark.slow

ASKED = 30
AGAIN, THREADS = 20, 4
WENQU = str(Path(sys.executable).with_name("wenqu"))


@pytest.fixture(scope="module")
def questions() -> list[str]:
    """Of all kinds, some of them without an answer."""
    texts = [
        each.questions[0].text
        for each in question_set(Wish(None)).conversations
        if each.questions[0].split == "tune"
    ]
    return random.Random(34).sample(texts, ASKED)


@pytest.fixture(scope="module")
def data(bundled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy: channels write down what they are asked."""
    return Path(shutil.copytree(bundled, tmp_path_factory.mktemp("same") / "var"))


@pytest.fixture(scope="module")
def site(data: Path) -> Iterator[str]:
    with Server(data) as server:
        yield server.url


@pytest.fixture(scope="module")
def asked(site: str, questions: list[str]) -> Mapping[str, Json]:
    """The answer objects of `/api/chat`."""
    return {question: chat(site, question) for question in questions}


@pytest.fixture
def server(data: Path, slack: FakeSlack) -> Iterator[Server]:
    """Another process over the same texts, started anew for each test, with more channels."""
    with Server(
        data,
        WENQU_SLACK_BOT_TOKEN=BOT_TOKEN,
        WENQU_SLACK_SIGNING_SECRET=SIGNING_SECRET,
        WENQU_SLACK_API_URL=slack.url,
        WENQU_MCP="true",
        WENQU_STORE_CONVERSATIONS="false",
    ) as made:
        yield made


def chat(url: str, question: str) -> Json:
    response = httpx2.post(f"{url}/api/chat", json={"question": question}, timeout=60)
    reply: Json = response.raise_for_status().json()
    return reply


def shown(reply: Json) -> tuple[str, list[Json], bool]:
    """Leave out who serves the page of a source: outside of a browser its address is whole."""
    citations = [
        {**citation, "view_url": citation["view_url"][citation["view_url"].index("/documents/") :]}
        for citation in reply["citations"]
    ]
    return reply["answer"], citations, reply["refused"]


def streamed(url: str, question: str) -> Json:
    body = {"question": question, "stream": True}
    said = httpx2.post(f"{url}/api/chat", json=body, timeout=60).text
    done: Json = json.loads(said.partition("event: done")[2].partition("data: ")[2].splitlines()[0])
    return done


def by_tool(url: str, question: str) -> Json:
    async def run() -> Json:
        async with Client(f"{url}/mcp", read_timeout_seconds=60) as client:
            result = await client.call_tool("ask", {"question": question})
            return result.structured_content or {}

    return asyncio.run(run())


@pytest.mark.parametrize("way", [streamed, by_tool], ids=["stream", "mcp"])
def test_a_stream_and_a_tool_give_the_whole_answer_object(
    server: Server, asked: Mapping[str, Json], way: Callable[[str, str], Json]
) -> None:
    for question, reply in asked.items():
        assert shown(way(server.url, question)) == shown(reply), question


def test_the_terminal_gives_it_too(data: Path, asked: Mapping[str, Json]) -> None:
    for question, reply in [*asked.items()][:3]:  # each starts anew
        command = [WENQU, "ask", "--json", "--data", str(data), question]
        said = subprocess.run(command, check=False, capture_output=True, text=True).stdout
        assert shown(json.loads(said)) == shown(reply)


def test_a_client_of_openai_gets_the_same_text(server: Server, asked: Mapping[str, Json]) -> None:
    client = OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)
    for question, reply in asked.items():
        messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": question}]
        whole = client.chat.completions.create(model="wenqu", messages=messages)
        assert whole.choices[0].message.content == reply["answer"]
        noted = whole.choices[0].message.annotations or []
        assert {note.url_citation.title for note in noted} == {
            citation["title"] for citation in reply["citations"]
        }
        chunks = client.chat.completions.create(model="wenqu", messages=messages, stream=True)
        texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
        assert "".join(texts) == reply["answer"]


def test_slack_shows_the_same_text_and_every_quote(
    server: Server, slack: FakeSlack, asked: Mapping[str, Json]
) -> None:
    with Sender(server.url) as sender:
        for at, question in enumerate(asked):
            assert sender.event(mention(question, f"{at}.1"), f"Ev{at}").status_code == 200
        until(lambda: len(finished(slack)) == len(asked), 120)
    for message in finished(slack):
        reply = asked[[*asked][int(message["thread_ts"].partition(".")[0])]]
        texts = [html.unescape(b["text"]["text"]) for b in message["blocks"] if "text" in b]
        whole = "".join("".join(texts).split())
        assert whole.startswith("".join(reply["answer"].split()))
        for citation in reply["citations"]:
            assert f"[{citation['number']}]" in whole
            assert "".join(citation["quote"].split()) in whole


def finished(slack: FakeSlack) -> list[Json]:
    return [message for message in [*slack.messages.values()] if message["text"] != "正在查找…"]


def test_an_answer_is_the_same_each_time_by_many_at_once_and_after_a_restart(
    site: str, server: Server, asked: Mapping[str, Json]
) -> None:
    question = next(name for name, reply in asked.items() if not reply["refused"])
    with ThreadPoolExecutor(THREADS) as pool:
        replies = [*pool.map(lambda at: chat((site, server.url)[at % 2], question), range(AGAIN))]
    assert {json.dumps(shown(reply), ensure_ascii=False) for reply in replies} == {
        json.dumps(shown(asked[question]), ensure_ascii=False)
    }


def test_an_answer_does_not_depend_on_the_order_in_which_the_texts_came_in(
    data: Path, tmp_path: Path, asked: Mapping[str, Json]
) -> None:
    runtimes = [Runtime.open(Settings(data=folder)) for folder in (data, tmp_path / "var")]
    texts = [runtimes[0].library().document(info.id) for info in runtimes[0].library().documents()]
    random.Random(33).shuffle(texts)
    for text in texts:
        runtimes[1].library().ingest([text])
    for question, reply in asked.items():
        answer = runtimes[1].bot().ask(question)
        assert answer.text == reply["answer"], question
        assert [citation.quote for citation in answer.citations] == [
            citation["quote"] for citation in reply["citations"]
        ]
    for runtime in runtimes:
        runtime.close()
