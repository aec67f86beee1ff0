"""What a channel costs when nobody uses it: `python -m eval.bench.idle`.

A server is started bare, and then with each channel set up alone; seconds until it is ready, and
resident memory then.
"""

import base64
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from bot.cli import main as wenqu
from bot.testing import Server
from eval.bench.figures import Figure
from eval.bench.load import resident

_AWAY = "http://127.0.0.1:9"
_AES_KEY = "a" * 43
_SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
CHANNELS: Mapping[str, Mapping[str, str]] = {
    "none": {},
    "webhook": {"WENQU_WEBHOOKS": json.dumps({"crm": {"secret": _SECRET}})},
    "slack": {
        "WENQU_SLACK_BOT_TOKEN": "xoxb-1",
        "WENQU_SLACK_SIGNING_SECRET": "secret",
        "WENQU_SLACK_API_URL": f"{_AWAY}/api/",
    },
    "feishu": {
        "WENQU_FEISHU_APP_ID": "cli_1",
        "WENQU_FEISHU_APP_SECRET": "secret",
        "WENQU_FEISHU_ENCRYPT_KEY": "key",
        "WENQU_FEISHU_VERIFICATION_TOKEN": "token",
        "WENQU_FEISHU_URL": _AWAY,
    },
    "dingtalk": {
        "WENQU_DINGTALK_CLIENT_ID": "ding1",
        "WENQU_DINGTALK_CLIENT_SECRET": "secret",
        "WENQU_DINGTALK_URL": _AWAY,
    },
    "wecom": {
        "WENQU_WECOM_CORP_ID": "ww1",
        "WENQU_WECOM_SECRET": "secret",
        "WENQU_WECOM_AGENT_ID": "1",
        "WENQU_WECOM_TOKEN": "token",
        "WENQU_WECOM_AES_KEY": _AES_KEY,
        "WENQU_WECOM_URL": _AWAY,
    },
    "wecom_bot": {"WENQU_WECOM_BOT_TOKEN": "token", "WENQU_WECOM_BOT_AES_KEY": _AES_KEY},
    "mcp": {"WENQU_MCP": "true"},
    "llm": {"WENQU_LLM_BASE_URL": f"{_AWAY}/v1", "WENQU_LLM_MODEL": "model"},
}
VENDORS = frozenset(
    {
        "aiohttp", "alembic", "cryptography", "defusedxml", "httpx2", "mcp", "openai", "psycopg",
        "slack_bolt", "slack_sdk", "standardwebhooks", "websockets",
    }
)  # fmt: skip
"""Libraries that only a channel, a language model or another database needs."""

_LOADED = """
import sys
from pathlib import Path
import bot.api.server
from bot.app import create_app
from bot.settings import Settings
create_app(Settings(data=Path(sys.argv[1])))
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def figures(*, full: bool, seed: int) -> Iterator[Figure]:
    """Measure each channel, in the short form only what the bare server imports."""
    del seed  # nothing here is random
    yield bare()
    if full:
        with tempfile.TemporaryDirectory() as folder:
            if wenqu(["ingest", "--bundled", "--data", folder]):
                message = "the bundled texts were not indexed"
                raise RuntimeError(message)
            for name, environment in CHANNELS.items():
                yield started(Path(folder), name, environment)


def bare() -> Figure:
    """Look which libraries of vendors a server has loaded that has no channel."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(  # noqa: S603  # our own code
            [sys.executable, "-c", _LOADED, folder], capture_output=True, text=True, check=True
        )
    found = sorted(VENDORS & {*run.stdout.split()})
    return Figure(
        "R70",
        "a server without channels",
        f"loads {', '.join(found)}" if found else "loads no library of a vendor",
        not found,
        time.perf_counter() - began,
    )


def started(data: Path, name: str, environment: Mapping[str, str], times: int = 3) -> Figure:
    """Start a server some times and take the quickest, since others use the machine as well."""
    began = time.perf_counter()
    seconds, megabytes = [], []
    for _ in range(times):
        at = time.perf_counter()
        with Path(data, "log").open("wb") as log, Server(data, stderr=log, **environment) as server:
            seconds.append(time.perf_counter() - at)
            megabytes.append(resident(server))
    return Figure(
        "R70",
        f"{times} starts, channel: {name}",
        f"{min(seconds):.2f} s until it is ready, {min(megabytes):.0f} MB",
        True,  # noqa: FBT003  # a measure, not a promise
        time.perf_counter() - began,
    )


def main() -> int:
    """Measure, and print each figure as it comes."""
    failed = False
    for figure in figures(full=True, seed=0):
        failed |= not figure.held
        sys.stdout.write(f"{figure.case} {figure.what}: {figure.value}\n")
        sys.stdout.flush()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
