import json

import pytest
from sqlalchemy import text

from bot.channels.slack_fake import TEAM, FakeSlack
from bot.channels.slack_testing import Sender, conversation_in, mention, questions_in, until
from bot.runtime import Runtime
from bot.testing import CAT_QUESTION
from bot.wire import Json


@pytest.fixture
def runtime(slack_runtime: Runtime) -> Runtime:
    return slack_runtime


def buttons(message: Json) -> dict[str, Json]:
    actions = [block for block in message["blocks"] if block["type"] == "actions"]
    return {button["action_id"]: button for block in actions for button in block["elements"]}


def click(sender: Sender, shown: Json, action: str, **more: object) -> int:
    payload: Json = {
        "type": "block_actions",
        "team": {"id": TEAM},
        "user": {"id": "U1"},
        "channel": {"id": shown.get("channel", "C1")},
        "actions": [{**buttons(shown)[action], "block_id": "b", "type": "button"}],
        "message": shown,
        **more,
    }
    return sender.form({"payload": json.dumps(payload)}).status_code


def command(slack: FakeSlack, trigger: str, question: str, **more: str) -> dict[str, str]:
    return {
        "command": "/ask",
        "team_id": TEAM,
        "channel_id": "C1",
        "user_id": "U1",
        "text": question,
        "trigger_id": trigger,
        "response_url": slack.response_url(trigger),
        **more,
    }


def test_a_command_is_acknowledged_with_words_that_its_answer_replaces(
    slack: FakeSlack, sender: Sender, runtime: Runtime
) -> None:
    response = sender.form(command(slack, "1.2.a", CAT_QUESTION))
    assert (response.status_code, response.text) == (200, "正在查找…")
    until(lambda: slack.responses.get("1.2.a"))
    (answer,) = slack.responses["1.2.a"]
    assert "屋顶" in answer["text"]
    assert (answer["response_type"], answer["replace_original"]) == ("ephemeral", True)
    assert slack.messages == {}
    assert questions_in(runtime, "C1:command:U1") == [CAT_QUESTION]


def test_a_command_that_is_delivered_twice_is_answered_once(
    slack: FakeSlack, sender: Sender
) -> None:
    for _ in range(2):
        sender.form(command(slack, "1.2.a", CAT_QUESTION))
    sender.form(command(slack, "1.2.b", CAT_QUESTION))
    until(lambda: slack.responses.get("1.2.b"))
    assert slack.uses == {"1.2.a": 1, "1.2.b": 1}


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/x",
        "http://127.0.0.1:1/commands/x",
        "https://hooks.slack.com.evil.example/x",
        "https://[x",
        "",
    ],
)
def test_an_answer_to_a_command_goes_to_slack_or_nowhere(
    slack: FakeSlack, sender: Sender, runtime: Runtime, url: str
) -> None:
    response = sender.form(command(slack, "1.2.a", CAT_QUESTION, response_url=url))
    assert (response.status_code, response.text) == (200, "请求的内容读不懂。")
    with runtime.database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM channel_jobs")) == 0


def votes(runtime: Runtime) -> dict[str, str]:
    with runtime.database.read() as session:
        rows = session.execute(text("SELECT voter, vote FROM feedback"))
        return {voter: vote for voter, vote in rows}  # noqa: C416  # a Row is no pair to dict()


def test_a_thumb_is_kept_for_who_gave_it_and_shows(
    slack: FakeSlack, sender: Sender, runtime: Runtime
) -> None:
    sender.event(mention(CAT_QUESTION, "1.1"))
    until(lambda: slack.answers("C1", "1.1"))
    (message,) = slack.answers("C1", "1.1")
    assert click(sender, message, "fb_up") == 200
    until(lambda: buttons(slack.answers("C1", "1.1")[0])["fb_up"].get("style") == "primary")
    assert votes(runtime) == {"slack:T0TEST:U1": "up"}
    (message,) = slack.answers("C1", "1.1")
    assert click(sender, message, "fb_down") == 200
    until(lambda: buttons(slack.answers("C1", "1.1")[0])["fb_down"].get("style") == "danger")
    (now,) = slack.answers("C1", "1.1")
    assert "style" not in buttons(now)["fb_up"]
    assert now["blocks"][:-1] == message["blocks"][:-1]
    assert click(sender, message, "fb_up", user={"id": "U2"}) == 200
    assert votes(runtime) == {"slack:T0TEST:U1": "down", "slack:T0TEST:U2": "up"}


def test_a_thumb_for_the_answer_to_a_command_is_thanked_for(
    slack: FakeSlack, sender: Sender, runtime: Runtime
) -> None:
    sender.form(command(slack, "1.2.a", CAT_QUESTION))
    until(lambda: slack.responses.get("1.2.a"))
    (answer,) = slack.responses["1.2.a"]
    response_url = slack.response_url("click")
    assert click(sender, answer, "fb_down", message=None, response_url=response_url) == 200
    until(lambda: slack.responses.get("click"))
    thanks = {"response_type": "ephemeral", "replace_original": False, "text": "谢谢，已记下。"}
    assert slack.responses["click"] == [thanks]
    assert votes(runtime) == {"slack:T0TEST:U1": "down"}


def test_a_thumb_from_another_workspace_is_ignored(
    slack: FakeSlack, sender: Sender, runtime: Runtime
) -> None:
    sender.event(mention(CAT_QUESTION, "1.1"))
    until(lambda: slack.answers("C1", "1.1"))
    (message,) = slack.answers("C1", "1.1")
    assert click(sender, message, "fb_up", team={"id": "T0OTHER"}) == 200
    assert votes(runtime) == {}


def test_a_thumb_for_a_deleted_answer_is_told_so(
    slack: FakeSlack, sender: Sender, runtime: Runtime
) -> None:
    sender.event(mention(CAT_QUESTION, "1.1"))
    until(lambda: slack.answers("C1", "1.1"))
    runtime.conversations.delete(conversation_in(runtime, "C1:1.1").id)
    (message,) = slack.answers("C1", "1.1")
    assert click(sender, message, "fb_up", response_url=slack.response_url("click")) == 200
    until(lambda: slack.responses.get("click"))
    assert slack.responses["click"][0]["text"] == "这个回答已经不在了。"


def test_the_button_that_opens_a_source_needs_nothing_from_us(sender: Sender) -> None:
    payload = {
        "type": "block_actions",
        "team": {"id": TEAM},
        "user": {"id": "U1"},
        "actions": [{"action_id": "view", "block_id": "b", "type": "button"}],
    }
    response = sender.form({"payload": json.dumps(payload)})
    assert (response.status_code, response.content) == (200, b"")
