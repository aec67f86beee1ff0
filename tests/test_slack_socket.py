import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bot.channels.slack_fake import APP_TOKEN, FakeSlack, Trouble
from bot.channels.slack_testing import envelope, mention, slack_settings, until
from bot.runtime import Runtime
from bot.testing import CAT_QUESTION, cat_document, client_of
from corpus.words import Segmenter
from index.database import Database
from index.testing import CharEmbedder


@pytest.fixture
def runtime(tmp_path: Path, segmenter: Segmenter, slack: FakeSlack) -> Iterator[Runtime]:
    """By Socket Mode alone: no secret to check signatures with."""
    chosen = slack_settings(
        tmp_path / "var", slack, slack_signing_secret="", slack_app_token=APP_TOKEN
    )
    made = Runtime(chosen, Database(chosen.database), CharEmbedder(""), segmenter)
    made.library().ingest([cat_document("手册/猫")])
    yield made
    made.close()


@pytest.fixture
def client(runtime: Runtime, slack: FakeSlack) -> Iterator[TestClient]:
    with client_of(runtime) as made:
        until(lambda: slack.connections)
        yield made


@pytest.mark.usefixtures("client")
def test_an_event_by_socket_mode_is_acknowledged_and_answered(slack: FakeSlack) -> None:
    for number in (1, 2):
        slack.push("events_api", envelope(mention(CAT_QUESTION, "1.1")), f"e{number}")
    until(lambda: sorted(slack.acknowledged) == ["e1", "e2"])
    until(lambda: slack.answers("C1", "1.1"))
    slack.push("events_api", envelope(mention(CAT_QUESTION, "2.1")), "e3")
    until(lambda: slack.answers("C1", "2.1"))
    assert len(slack.messages) == 2
    assert "屋顶" in slack.answers("C1", "1.1")[0]["text"]


@pytest.mark.usefixtures("client")
def test_a_command_by_socket_mode_is_answered(slack: FakeSlack) -> None:
    fields = {"team_id": "T1", "channel_id": "C1", "user_id": "U1", "trigger_id": "1.2.a"}
    fields |= {"command": "/ask", "text": CAT_QUESTION, "response_url": slack.response_url("a")}
    slack.push("slash_commands", fields, "e1")
    until(lambda: slack.responses.get("a"))
    assert slack.acknowledged == ["e1"]
    assert "屋顶" in slack.responses["a"][0]["text"]


@pytest.mark.usefixtures("client")
def test_what_has_an_odd_shape_is_not_acknowledged_and_harms_nothing(slack: FakeSlack) -> None:
    slack.push("events_api", {"type": "event_callback", "event": []}, "e1")
    slack.push("events_api", envelope({"type": "app_mention"}), "e2")
    slack.push("events_api", envelope(mention(CAT_QUESTION, "1.1")), "e3")
    until(lambda: slack.answers("C1", "1.1"))
    assert slack.acknowledged == ["e3"]


@pytest.mark.usefixtures("client")
def test_the_connection_is_made_anew_when_slack_asks_for_it(slack: FakeSlack) -> None:
    slack.hang_up()
    until(lambda: slack.connections == 2)
    slack.push("events_api", envelope(mention(CAT_QUESTION, "1.1")), "e1")
    until(lambda: slack.answers("C1", "1.1"))


def test_by_socket_mode_alone_there_is_no_endpoint(client: TestClient) -> None:
    assert client.post("/slack/events", content=json.dumps({})).status_code == 404


def test_the_service_stops_while_slack_cannot_be_reached(
    slack: FakeSlack, runtime: Runtime
) -> None:
    slack.trouble("apps.connections.open", *[Trouble(error="invalid_auth")] * 50)
    with client_of(runtime) as client:
        assert client.get("/healthz").status_code == 200
    assert slack.connections == 0
