import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.channels.slack_fake import FakeSlack
from bot.channels.slack_testing import (
    Sender,
    conversation_in,
    direct,
    mention,
    questions_in,
    slack_settings,
    until,
)
from bot.runtime import Runtime
from bot.testing import CAT_QUESTION, cat_document, serving
from bot.wire import Json
from corpus.words import Segmenter
from index.database import Database
from index.testing import CharEmbedder

Open = Callable[..., Runtime]


@pytest.fixture
def open_runtime(tmp_path: Path, segmenter: Segmenter, slack: FakeSlack) -> Iterator[Open]:
    """Open runtimes on one data folder, as so many processes would."""
    made: list[Runtime] = []

    def open_one(**settings: object) -> Runtime:
        chosen = slack_settings(tmp_path / "var", slack, **settings)
        runtime = Runtime(chosen, Database(chosen.database), CharEmbedder(""), segmenter)
        runtime.library().ingest([cat_document("手册/猫")])
        made.append(runtime)
        return runtime

    yield open_one
    for runtime in made:
        runtime.close()


@pytest.fixture
def runtime(slack_runtime: Runtime) -> Runtime:
    return slack_runtime


def test_a_mention_is_answered_below_it_with_its_sources(slack: FakeSlack, sender: Sender) -> None:
    assert sender.event(mention(CAT_QUESTION, "1700000000.000100")).status_code == 200
    until(lambda: slack.answers("C1", "1700000000.000100"))
    (answer,) = slack.said("C1", "1700000000.000100")
    said, source, actions = answer["blocks"]
    assert said["text"] == {"type": "mrkdwn", "text": "阿花在屋顶上睡觉[1]。", "verbatim": True}
    assert source["text"]["text"] == "*[1]* 题 手册/猫\n“阿花在屋顶上睡觉。”"
    assert "accessory" not in source  # where we are is not known, so there is nothing to open
    assert actions["type"] == "actions"
    assert answer["text"] == "阿花在屋顶上睡觉[1]。"
    assert answer["unfurl_links"] is answer["unfurl_media"] is answer["link_names"] is False


def test_a_source_has_a_button_that_opens_it_where_the_public_address_is_known(
    slack: FakeSlack, open_runtime: Open
) -> None:
    public = open_runtime(public_url="https://docs.example")
    with serving(public) as port, Sender(f"http://127.0.0.1:{port}") as sender:
        sender.event(mention(CAT_QUESTION, "1.1"))
        until(lambda: slack.answers("C1", "1.1"))
    button = slack.answers("C1", "1.1")[0]["blocks"][1]["accessory"]
    assert button["text"]["text"] == "查看原文"
    assert button["url"].startswith("https://docs.example/documents/%E6%89%8B%E5%86%8C/%E7%8C%AB?")


def test_a_direct_message_is_answered_beside_it_and_goes_on_as_one_conversation(
    slack: FakeSlack, sender: Sender, runtime: Runtime
) -> None:
    sender.event(direct(CAT_QUESTION, "1.1"), "Ev1")
    sender.event(direct("她哪一年出生？", "1.2"), "Ev2")
    until(lambda: len(slack.answers("D1")) == 2)
    assert questions_in(runtime, "D1") == [CAT_QUESTION, "她哪一年出生？"]
    assert "一九九七" in slack.answers("D1")[1]["text"]


def test_a_thread_is_a_conversation_of_its_own(
    slack: FakeSlack, sender: Sender, runtime: Runtime
) -> None:
    sender.event(mention(CAT_QUESTION, "1.1"))
    sender.event(mention("哪一年出生？", "1.5", thread_ts="1.1"))
    sender.event(mention("吉野家卖猫粮吗？", "2.2"))
    until(lambda: len(slack.answers("C1", "1.1")) == 2 and slack.answers("C1", "2.2"))
    assert questions_in(runtime, "C1:1.1") == [CAT_QUESTION, "哪一年出生？"]
    assert questions_in(runtime, "C1:2.2") == ["吉野家卖猫粮吗？"]


def test_a_deleted_conversation_begins_anew_in_its_thread(
    slack: FakeSlack, sender: Sender, runtime: Runtime
) -> None:
    sender.event(mention(CAT_QUESTION, "1.1"))
    until(lambda: slack.answers("C1", "1.1"))
    runtime.conversations.delete(conversation_in(runtime, "C1:1.1").id)
    sender.event(mention("哪一年出生？", "1.5", thread_ts="1.1"))
    until(lambda: len(slack.answers("C1", "1.1")) == 2)
    assert questions_in(runtime, "C1:1.1") == ["哪一年出生？"]


def test_it_is_acknowledged_at_once_however_long_the_answer_takes(
    slack: FakeSlack, sender: Sender
) -> None:
    slack.hold()
    for number in range(20):
        assert sender.event(mention(CAT_QUESTION, f"{number}.1")).status_code == 200
    assert slack.messages == {}
    slack.go_on()
    until(lambda: all(slack.answers("C1", f"{number}.1") for number in range(20)))


def test_what_is_delivered_again_is_answered_once(slack: FakeSlack, sender: Sender) -> None:
    for number in range(4):
        retry = {"x_slack_retry_num": str(number), "x_slack_retry_reason": "http_timeout"}
        headers = retry if number else {}
        assert sender.event(mention(CAT_QUESTION, "1.1"), **headers).status_code == 200
    sender.event(mention(CAT_QUESTION, "1.2"), "Ev2")
    until(lambda: slack.answers("C1", "1.2"))
    assert len(slack.said("C1", "1.1")) == 1
    assert [name for name, _ in slack.calls].count("chat.postMessage") == 2


def test_a_retry_is_taken_even_if_the_first_try_never_came(
    slack: FakeSlack, sender: Sender
) -> None:
    sender.event(mention(CAT_QUESTION, "1.1"), x_slack_retry_num="1")
    until(lambda: slack.answers("C1", "1.1"))


def test_a_mention_that_comes_as_two_events_is_answered_once(
    slack: FakeSlack, sender: Sender
) -> None:
    both = (direct(CAT_QUESTION, "1.1", channel="C1"), mention(CAT_QUESTION, "1.1"))
    threads = [
        threading.Thread(target=sender.event, args=(event, f"Ev{number}"))
        for number, event in enumerate(both * 4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sender.event(direct(CAT_QUESTION, "1.2"), "Ev9")
    until(lambda: slack.answers("D1"))
    assert sum(name == "chat.postMessage" for name, _ in slack.calls) == 2


def test_two_processes_that_get_the_same_events_give_one_answer_each(
    slack: FakeSlack, open_runtime: Open
) -> None:
    first, second = open_runtime(), open_runtime()
    with (
        serving(first) as one,
        serving(second) as two,
        Sender(f"http://127.0.0.1:{one}") as a,
        Sender(f"http://127.0.0.1:{two}") as b,
    ):
        for number in range(20):
            event = mention(CAT_QUESTION, f"{number}.1")
            pair = [threading.Thread(target=side.event, args=(event,)) for side in (a, b)]
            for thread in pair:
                thread.start()
            for thread in pair:
                thread.join()
        until(lambda: all(slack.answers("C1", f"{number}.1") for number in range(20)))
    assert len(slack.messages) == 20


@pytest.mark.parametrize(
    "event",
    [
        direct(CAT_QUESTION, "1.1", bot_id="B1"),
        direct(CAT_QUESTION, "1.1", subtype="bot_message"),
        {**direct("", "1.1"), "subtype": "message_changed", "message": {"text": CAT_QUESTION}},
        direct(CAT_QUESTION, "1.1", subtype="message_deleted"),
        direct(CAT_QUESTION, "1.1", subtype="channel_join"),
        direct(CAT_QUESTION, "1.1", user=None),
        direct(CAT_QUESTION, "1.1", channel_type="channel"),
        mention(CAT_QUESTION, "1.1", edited={"user": "U1", "ts": "1.2"}),
        mention(CAT_QUESTION, "1.1", bot_id="B0BOT"),
        {"type": "app_home_opened", "user": "U1", "channel": "D1"},
        {"type": "reaction_added", "user": "U1", "reaction": "eyes"},
    ],
)
def test_what_nobody_asks_is_acknowledged_and_not_answered(
    slack: FakeSlack, sender: Sender, runtime: Runtime, event: Json
) -> None:
    assert sender.event(event).status_code == 200
    sender.event(mention(CAT_QUESTION, "2.2", channel="C2"))
    until(lambda: slack.answers("C2", "2.2"))
    assert len(slack.messages) == 1
    with runtime.database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM channel_jobs")) == 1


def test_a_file_with_a_question_beside_it_is_answered(slack: FakeSlack, sender: Sender) -> None:
    sender.event(direct(CAT_QUESTION, "1.1", subtype="file_share"))
    until(lambda: slack.answers("D1"))
    assert "屋顶" in slack.answers("D1")[0]["text"]


@pytest.mark.parametrize(
    ("question", "told"),
    [("", "问题是空的"), ("长" * 2001, "问题太长")],
)
def test_what_cannot_be_answered_is_told(
    slack: FakeSlack, sender: Sender, question: str, told: str
) -> None:
    sender.event(mention(question, "1.1"))
    until(lambda: slack.answers("C1", "1.1"))
    assert told in slack.answers("C1", "1.1")[0]["blocks"][0]["text"]["text"]


def test_another_collection_is_searched_where_one_is_named(
    slack: FakeSlack, open_runtime: Open
) -> None:
    runtime = open_runtime(slack_collection="dogs")
    runtime.library("dogs").ingest([cat_document("狗", "狗手册\n\n阿花在床下睡觉。")])
    with serving(runtime) as port, Sender(f"http://127.0.0.1:{port}") as sender:
        sender.event(direct(CAT_QUESTION, "1.1"))
        until(lambda: slack.answers("D1"))
    assert "床下" in slack.answers("D1")[0]["text"]


def test_what_a_document_says_mentions_nobody_and_links_nowhere(
    slack: FakeSlack, sender: Sender, runtime: Runtime
) -> None:
    poison = "阿花在<!channel>和<@U9>旁边的<https://evil.example|屋顶>上睡觉 & 打呼噜。"
    runtime.library().ingest([cat_document("手册/猫", f"手册\n\n{poison}")])
    sender.event(mention(CAT_QUESTION, "1.1"))
    until(lambda: slack.answers("C1", "1.1"))
    shown = json.dumps(slack.answers("C1", "1.1"), ensure_ascii=False)
    assert (
        "&lt;!channel&gt;和&lt;@U9&gt;旁边的&lt;https://evil.example|屋顶&gt;上睡觉 &amp;" in shown
    )
    assert "<" not in shown
