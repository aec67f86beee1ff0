import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from bot.testing import Server

ROOT = Path(__file__).parents[1]
MARKED = re.compile(r"<!-- run -->\n```(json|sh|python)\n(.*?)```", re.DOTALL)
PAGE = (ROOT / "docs/channels/mcp.md").read_text(encoding="utf-8")
BLOCKS = dict(MARKED.findall(PAGE))


@pytest.mark.slow
def test_the_settings_of_the_page_start_a_server_that_answers(bundled: Path) -> None:
    configured = json.loads(BLOCKS["json"])["mcpServers"]["wenqu"]
    command = str(Path(sys.executable).with_name(configured["command"]))
    arguments = [str(bundled) if "/" in each else each for each in configured["args"]]
    server = StdioServerParameters(command=command, args=arguments, env=dict(os.environ))

    async def answer() -> str:
        async with Client(server, read_timeout_seconds=60) as client:
            result = await client.call_tool("ask", {"question": "chroot 是哪一年出现的？"})
            return str((result.structured_content or {})["answer"])

    assert "1979" in asyncio.run(answer())


@pytest.mark.slow
def test_every_example_of_the_page_works(bundled: Path) -> None:
    runs = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
    with Server(bundled, WENQU_MCP="true") as server:
        for kind, run in runs.items():
            script = BLOCKS[kind].replace("localhost:8000", f"127.0.0.1:{server.port}")
            ran = subprocess.run(
                [*run, script],
                env={**os.environ, "PYTHONUTF8": "1"}, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert ran.returncode == 0, (script, ran.stderr)
            assert "1979" in ran.stdout
