import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.channels.testing import FakePlatform
from bot.settings import Settings
from bot.testing import Server

pytestmark = pytest.mark.slow

PAGES = Path(__file__).parents[1] / "docs" / "channels"
MARKED = re.compile(r"<!-- run -->\n```(sh|python)\n(.*?)```", re.DOTALL)
REPLY_URL = "https://oapi.dingtalk.com/robot/sendBySession"
SECRETS = {
    "WENQU_FEISHU_APP_ID": "cli_1",
    "WENQU_FEISHU_APP_SECRET": "s",
    "WENQU_FEISHU_ENCRYPT_KEY": "k",
    "WENQU_FEISHU_VERIFICATION_TOKEN": "v",
    "WENQU_DINGTALK_CLIENT_ID": "ding1",
    "WENQU_DINGTALK_CLIENT_SECRET": "d",
    "WENQU_WECOM_BOT_TOKEN": "t",
    "WENQU_WECOM_BOT_AES_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
}


@pytest.fixture(scope="module")
def fake() -> Iterator[FakePlatform]:
    with FakePlatform(lambda _call: (200, {"errcode": 0})) as platform:
        yield platform


@pytest.fixture(scope="module")
def url(
    bundled: Path, fake: FakePlatform, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    data = shutil.copytree(bundled, tmp_path_factory.mktemp("channels") / "var")
    settings = {**SECRETS, "WENQU_DINGTALK_REPLY_URL": f"{fake.url}/robot/sendBySession"}
    with Server(data, stderr=None, **settings) as server:
        yield server.url


def run(page: str, url: str, fake: FakePlatform) -> str:
    """What the example of a page prints, with the addresses of this test in it."""
    ((language, text),) = MARKED.findall((PAGES / page).read_text(encoding="utf-8"))
    host = url.removeprefix("http://")
    script = text.replace("localhost:8000", host).replace(
        REPLY_URL, f"{fake.url}/robot/sendBySession"
    )
    command = [sys.executable, "-c"] if language == "python" else ["bash", "-euo", "pipefail", "-c"]
    environment = {**os.environ, **SECRETS}
    done = subprocess.run(
        [*command, script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_example_for_feishu_works(url: str, fake: FakePlatform) -> None:
    assert run("feishu.md", url, fake) == '{"challenge":"hello"}'


def test_the_example_for_wecom_works(url: str, fake: FakePlatform) -> None:
    assert run("wecom.md", url, fake) == "hello"


def test_the_example_for_dingtalk_works_and_its_question_is_answered(
    url: str, fake: FakePlatform
) -> None:
    assert run("dingtalk.md", url, fake) == "{}"
    (reply,) = fake.wait("/robot/sendBySession")
    assert "1979" in reply.body["markdown"]["text"]


@pytest.mark.parametrize("page", ["feishu.md", "dingtalk.md", "wecom.md"])
def test_every_setting_that_a_page_names_is_one(page: str) -> None:
    text = (PAGES / page).read_text(encoding="utf-8")
    named = {name.lower() for name in re.findall(r"WENQU_([A-Z_]+)", text)}
    assert named <= set(Settings.model_fields)
    ours = {name for name in Settings.model_fields if name.startswith(f"{page[:-3]}_")}
    needed = {name for name in ours if not name.endswith("url")}
    assert needed <= named
