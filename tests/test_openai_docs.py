import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MARKED = re.compile(r"<!-- run -->\n```(sh|python)\n(.*?)```", re.DOTALL)
PAGE = (ROOT / "docs/channels/openai.md").read_text(encoding="utf-8")
BLOCKS = MARKED.findall(PAGE)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "text"), BLOCKS, ids=[text.split("\n")[0] for _, text in BLOCKS])
def test_every_example_of_the_page_works(site: str, kind: str, text: str) -> None:
    run = ["bash", "-euo", "pipefail", "-c"] if kind == "sh" else [sys.executable, "-c"]
    script = text.replace("localhost:8000", site.removeprefix("http://"))
    ran = subprocess.run(
        [*run, script],
        env={**os.environ, "PYTHONUTF8": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, (script, ran.stderr)
    assert '"error"' not in ran.stdout, ran.stdout
    assert "1979" in ran.stdout or '"wenqu"' in ran.stdout


def test_the_page_has_an_example_of_each_way_to_ask() -> None:
    assert [kind for kind, _ in BLOCKS] == ["sh", "sh", "python", "sh"]
