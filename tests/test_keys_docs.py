import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bot.testing import Server

PAGE = (Path(__file__).parents[1] / "docs/keys.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- run -->\n```sh\n(.*?)```", PAGE, re.DOTALL)
BIN = Path(sys.executable).parent


@pytest.mark.slow
def test_every_command_of_the_page_works(bundled: Path, tmp_path: Path) -> None:
    data = tmp_path / "var"
    subprocess.run(["cp", "-r", bundled, data], check=True)  # the bundled one is only to be read
    environment = {**os.environ, "WENQU_DATA": str(data), "PATH": f"{BIN}:{os.environ['PATH']}"}
    said = []
    with Server(data) as server:
        for script in BLOCKS:
            ran = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", script.replace("localhost:8000", server.url)],
                env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert ran.returncode == 0, (script, ran.stderr)
            said.append(ran.stdout)
    asked, listed, revoked = said
    assert "1979" in asked
    assert [listed.count(name) for name in ("官网", "客服", "同步文档")] == [1, 1, 1]
    assert "ask、ingest，default，" in listed
    assert "已撤销" in revoked
