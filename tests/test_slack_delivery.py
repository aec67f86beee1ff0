import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import anyio
import pytest
from sqlalchemy import text

from bot.channels.jobs import Message
from bot.channels.slack_client import SlackClient
from bot.channels.slack_delivery import Delivery
from bot.channels.slack_events import Place
from bot.channels.slack_fake import BOT_TOKEN, FakeSlack, Trouble
from bot.channels.slack_sent import Sent
from bot.channels.slack_testing import Sender, direct, mention, until
from bot.errors import PlatformError
from bot.runtime import Runtime
from bot.testing import CAT_QUESTION, serving
from corpus.words import Segmenter
from index.embed import Vectors
from index.testing import CharEmbedder


@pytest.fixture
def runtime(slack_runtime: Runtime) -> Runtime:
    return slack_runtime


def connected(slack: FakeSlack, work: Callable[[SlackClient], Awaitable[None]]) -> None:
    async def run() -> None:
        client = SlackClient(BOT_TOKEN, slack.url)
        async with client.connected():
            await work(client)

    anyio.run(run)


def methods(slack: FakeSlack) -> Counter[str]:
    return Counter(name for name, _ in slack.calls)


def test_whoever_asks_sees_that_an_answer_is_coming(
    slack: FakeSlack, runtime: Runtime, segmenter: Segmenter
) -> None:
    thought = threading.Event()

    class Slow(CharEmbedder):
        def encode_questions(self, texts: Sequence[str]) -> Vectors:
            thought.wait(60)
            return super().encode_questions(texts)

    slow = Runtime(runtime.settings, runtime.database, Slow(""), segmenter)
    with serving(slow) as port, Sender(f"http://127.0.0.1:{port}") as sender:
        sender.event(mention(CAT_QUESTION, "1.1"))
        try:
            until(lambda: slack.said("C1", "1.1"), 20)
            assert slack.said("C1", "1.1")[0]["text"] == "正在查找…"
        finally:
            thought.set()
        until(lambda: slack.answers("C1", "1.1"))
    assert len(slack.messages) == 1


def test_a_limit_of_slack_is_waited_for(slack: FakeSlack, sender: Sender) -> None:
    limited = Trouble(429, {"Retry-After": "1"}, "ratelimited")
    slack.trouble("chat.postMessage", limited)
    slack.trouble("chat.update", limited)
    started = time.monotonic()
    sender.event(mention(CAT_QUESTION, "1.1"))
    until(lambda: slack.answers("C1", "1.1"))
    assert time.monotonic() - started >= 2
    assert methods(slack)["chat.postMessage"] == methods(slack)["chat.update"] == 1


@pytest.mark.parametrize("event", [direct(CAT_QUESTION, "1.1"), mention(CAT_QUESTION, "1.1")])
def test_a_message_that_arrived_although_the_connection_broke_is_not_sent_again(
    slack: FakeSlack, sender: Sender, event: dict[str, object]
) -> None:
    slack.trouble("chat.postMessage", Trouble(0, done=True))
    slack.trouble("chat.update", Trouble(0, done=True))
    sender.event(event)
    until(lambda: methods(slack)["chat.update"] == 2)
    assert methods(slack)["chat.postMessage"] == 1
    assert len(slack.messages) == 1
    assert "屋顶" in next(iter(slack.messages.values()))["text"]


def test_a_message_that_did_not_arrive_is_sent_again(slack: FakeSlack, sender: Sender) -> None:
    slack.trouble("chat.postMessage", Trouble(503), Trouble(error="internal_error"))
    sender.event(mention(CAT_QUESTION, "1.1"))
    until(lambda: slack.answers("C1", "1.1"))
    assert len(slack.messages) == 1


def test_where_we_may_not_look_what_may_have_arrived_is_sent_again(
    slack: FakeSlack, sender: Sender
) -> None:
    slack.trouble("chat.postMessage", Trouble(0, done=True))
    slack.trouble("conversations.replies", Trouble(error="missing_scope"))
    sender.event(mention(CAT_QUESTION, "1.1"))
    until(lambda: slack.answers("C1", "1.1"))
    assert len(slack.answers("C1", "1.1")) == 1


def test_a_command_whose_answer_arrived_unnoticed_still_shows_one(
    slack: FakeSlack, sender: Sender
) -> None:
    slack.trouble("commands", Trouble(0, done=True))
    fields = {"team_id": "T1", "channel_id": "C1", "user_id": "U1", "trigger_id": "1.2.a"}
    fields |= {"command": "/ask", "text": CAT_QUESTION, "response_url": slack.response_url("a")}
    sender.form(fields)
    until(lambda: slack.uses.get("a") == 2)
    assert len(slack.responses["a"]) == 1


def test_what_slack_refuses_for_good_is_given_up_and_logged_without_words(
    slack: FakeSlack, sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    slack.trouble("chat.postMessage", Trouble(error="is_archived"))
    sender.event(mention(CAT_QUESTION, "1.1"))
    until(lambda: "is_archived" in caplog.text)
    sender.event(mention(CAT_QUESTION, "1.5", thread_ts="1.1"))
    until(lambda: slack.answers("C1", "1.1"))
    assert len(slack.messages) == 1
    assert CAT_QUESTION not in caplog.text


def test_a_wrong_token_is_told_in_the_log_at_the_start(
    slack: FakeSlack, runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    slack.trouble("auth.test", Trouble(error="invalid_auth"))
    with serving(runtime):
        until(lambda: "does not take slack_bot_token: Slack says 'invalid_auth'" in caplog.text)
    assert "xoxb" not in caplog.text


def test_what_was_accepted_is_answered_by_the_next_process(
    slack: FakeSlack, runtime: Runtime
) -> None:
    slack.trouble("chat.update", *[Trouble(500)] * 2)
    with serving(runtime) as port, Sender(f"http://127.0.0.1:{port}") as sender:
        sender.event(mention(CAT_QUESTION, "1.1"))
        until(lambda: slack.said("C1", "1.1"))
    assert slack.answers("C1", "1.1") == []
    with serving(runtime):
        until(lambda: slack.answers("C1", "1.1"))
    assert methods(slack)["chat.postMessage"] == 1
    assert len(slack.messages) == 1


def test_a_message_is_known_for_a_week_and_then_forgotten(runtime: Runtime) -> None:
    day = 86_400.0
    now = [0.0]
    sent = Sent(runtime.database, lambda: now[0])
    assert sent.begin("a") is None
    assert sent.begin("a") == ""
    sent.keep("a", "1.5")
    now[0] = 6.9 * day
    assert sent.begin("b") is None
    assert sent.begin("a") == "1.5"
    now[0] = 7.1 * day
    sent.purge()
    assert sent.begin("a") is None
    assert sent.begin("b") == ""


@pytest.mark.parametrize(
    ("trouble", "retry_seconds"),
    [
        (Trouble(429, {"Retry-After": "7"}), 7),
        (Trouble(429, {"Retry-After": "soon"}), 0),
        (Trouble(500), 0),
        (Trouble(0), 0),
        (Trouble(404), None),
        (Trouble(302, {"Location": "http://127.0.0.1:1/"}), None),
    ],
)
def test_an_answer_to_a_command_is_sent_again_where_that_helps(
    slack: FakeSlack, trouble: Trouble, retry_seconds: float | None
) -> None:
    async def respond(client: SlackClient) -> None:
        await client.respond(slack.response_url("a"), {"text": "答"})

    slack.trouble("commands", trouble)
    with pytest.raises(PlatformError) as error:
        connected(slack, respond)
    assert error.value.retry_seconds == retry_seconds


def test_an_answer_to_a_command_is_sent_nowhere_but_to_slack(slack: FakeSlack) -> None:
    async def respond(client: SlackClient) -> None:
        await client.respond("https://evil.example/", {"text": "答"})

    with pytest.raises(PlatformError, match="not an address of Slack") as error:
        connected(slack, respond)
    assert error.value.retry_seconds is None


def test_what_slack_does_not_tell_now_is_asked_again_later(slack: FakeSlack) -> None:
    async def find(client: SlackClient) -> None:
        await client.find("C1", "1.1", "1.1", "mark")

    slack.trouble("conversations.replies", Trouble(503))
    with pytest.raises(PlatformError) as error:
        connected(slack, find)
    assert error.value.retry_seconds == 0


def test_a_database_that_is_away_is_no_reason_to_give_up(
    slack: FakeSlack, runtime: Runtime
) -> None:
    place = Place(team="T1", channel="C1", thread="1.1", since="1.1").model_dump()
    message = Message("slack", "T1:C1:1.1", "T1:C1:1.1", CAT_QUESTION, place)

    async def announce(client: SlackClient) -> None:
        await Delivery(client, lambda: runtime.database, pauses=()).announce(message)

    with runtime.database.write() as session:
        session.execute(text("DROP TABLE slack_messages"))
    with pytest.raises(PlatformError, match="database does not answer") as error:
        connected(slack, announce)
    assert error.value.retry_seconds == 0
    assert slack.messages == {}
