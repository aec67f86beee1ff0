import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest

from bot.testing import Server

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
MARKED = re.compile(r"<!-- (run|reply) -->\n```(?:sh|json)\n(.*?)```", re.DOTALL)
QUESTION = "chroot 是哪一年出现的？"


class Block(NamedTuple):
    kind: str
    text: str


def blocks(name: str) -> list[Block]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return [Block(kind, body) for kind, body in MARKED.findall(text)]


def test_both_languages_show_the_same_commands_and_the_same_answer() -> None:
    assert blocks("README.md") == blocks("README.en.md")
    assert len(blocks("README.md")) >= 6


@pytest.mark.slow
def test_every_command_of_the_readme_works_and_the_answer_is_the_one_it_shows(
    tmp_path: Path,
) -> None:
    data = tmp_path / "var"
    environment = {**os.environ, "WENQU_DATA": str(data), "PATH": f"{BIN}:{os.environ['PATH']}"}
    subprocess.run([BIN / "wenqu", "ingest", "--bundled"], env=environment, check=True)
    with Server(data) as server:
        for kind, text in blocks("README.md"):
            if kind == "run":
                script = text.replace("localhost:8000", f"127.0.0.1:{server.port}")
                run = subprocess.run(
                    ["bash", "-euo", "pipefail", "-c", script],
                    cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
                )  # fmt: skip
                assert run.returncode == 0, (script, run.stderr)
                assert "problem" not in run.stdout, (script, run.stdout)
            else:
                check_reply(json.loads(text), server.url)


def check_reply(shown: dict[str, Any], url: str) -> None:
    given = httpx2.post(f"{url}/api/chat", json={"question": QUESTION}).json()
    assert list(shown) == list(given)
    own = {"session_id", "turn_id", "timings", "confidence"}
    assert {k: v for k, v in shown.items() if k not in own} == {
        k: v for k, v in given.items() if k not in own
    }
    for citation in shown["citations"]:
        document = httpx2.get(f"{url}/api/documents/{citation['document_id']}").json()
        assert document["text"][citation["start"] : citation["end"]] == citation["quote"]
