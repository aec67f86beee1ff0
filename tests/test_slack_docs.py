import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.channels.slack import PATH
from bot.channels.slack_fake import BOT_TOKEN, SIGNING_SECRET, FakeSlack
from bot.channels.slack_testing import until
from bot.testing import Server

CHANNELS = Path(__file__).parents[1] / "docs" / "channels"
EXAMPLES = re.findall(
    r"<!-- run -->\n```sh\n(.*?)```",
    (CHANNELS / "slack.md").read_text(encoding="utf-8"),
    re.DOTALL,
)


@pytest.fixture(scope="module")
def slack() -> Iterator[FakeSlack]:
    with FakeSlack() as made:
        yield made


@pytest.fixture(scope="module")
def service(
    bundled: Path, slack: FakeSlack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    data = shutil.copytree(bundled, tmp_path_factory.mktemp("slack") / "var")
    with Server(
        data,
        WENQU_SLACK_BOT_TOKEN=BOT_TOKEN,
        WENQU_SLACK_SIGNING_SECRET=SIGNING_SECRET,
        WENQU_SLACK_API_URL=slack.url,
    ) as server:
        yield server.url


def run(example: str, service: str, secret: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            "bash",
            "-euo",
            "pipefail",
            "-c",
            example.replace("http://", "").replace("localhost:8000", service),
        ],
        env={**os.environ, "WENQU_SLACK_SIGNING_SECRET": secret},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_examples_of_the_guide_work(service: str, slack: FakeSlack) -> None:
    verify, ask = EXAMPLES
    assert json.loads(run(verify, service, SIGNING_SECRET).stdout) == {"challenge": "hello"}
    assert run(ask, service, SIGNING_SECRET).returncode == 0
    until(lambda: any("1979" in message["text"] for message in slack.messages.values()))
    assert run(verify, service, "another").returncode != 0


@pytest.fixture
def manifest() -> dict[str, Any]:
    text = (CHANNELS / "slack-manifest.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def test_the_manifest_sends_everything_to_our_endpoint(manifest: dict[str, Any]) -> None:
    url = f"https://wenqu.example.com{PATH}"
    assert manifest["settings"]["event_subscriptions"]["request_url"] == url
    assert manifest["settings"]["interactivity"] == {"is_enabled": True, "request_url": url}
    assert [command["url"] for command in manifest["features"]["slash_commands"]] == [url]


def test_the_manifest_asks_for_what_is_used_and_no_more(manifest: dict[str, Any]) -> None:
    scopes = {"app_mentions:read", "chat:write", "commands", "im:history"}
    assert {*manifest["oauth_config"]["scopes"]["bot"]} == scopes
    events = manifest["settings"]["event_subscriptions"]["bot_events"]
    assert events == ["app_mention", "message.im"]
