import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.channels.endpoints import EVENTS
from bot.channels.outbox import PAUSES
from bot.testing import Server

ROOT = Path(__file__).parents[1]
MARKED = re.compile(r"<!-- run -->\n```(sh|python)\n(.*?)```", re.DOTALL)
PAGE = (ROOT / "docs/channels/webhooks.md").read_text(encoding="utf-8")
BLOCKS = MARKED.findall(PAGE)
SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"


@pytest.fixture(scope="module")
def service(bundled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    data = shutil.copytree(bundled, tmp_path_factory.mktemp("webhooks") / "var")
    webhooks = json.dumps({"crm": {"secret": SECRET}})
    with Server(data, WENQU_WEBHOOKS=webhooks) as server:
        yield server.url


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "text"), BLOCKS, ids=[kind for kind, _ in BLOCKS])
def test_every_example_of_the_page_works(service: str, kind: str, text: str) -> None:
    run = ["bash", "-euo", "pipefail", "-c"] if kind == "sh" else [sys.executable, "-c"]
    ran = subprocess.run(
        [*run, text.replace("localhost:8000", service.removeprefix("http://"))],
        env={**os.environ, "PYTHONUTF8": "1", "WENQU_WEBHOOK_SECRET": SECRET},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "1979" in ran.stdout, ran.stdout


def test_the_page_has_an_example_of_each_way_to_ask() -> None:
    assert [kind for kind, _ in BLOCKS] == ["sh", "python"]


def test_the_page_names_every_event_and_the_number_of_tries() -> None:
    assert re.findall(r"^\| `(\w+\.\w+)` \|", PAGE, re.MULTILINE) == [*EVENTS]
    assert f"共 {len(PAUSES) + 1} 次" in PAGE
