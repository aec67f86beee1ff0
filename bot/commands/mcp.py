"""`wenqu mcp`: the tools for language models, over standard input and output."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.commands.options import configured, opened, parser_for

if TYPE_CHECKING:
    from bot.runtime import OpenRuntime


def run(argv: Sequence[str], open_runtime: "OpenRuntime | None" = None) -> int:
    """Serve one client until it closes our standard input.

    Standard output belongs to the protocol; everything else goes to standard error.

    Raises:
        ExtraNotInstalledError: The library is missing.
    """
    options = parser_for("mcp", "MCP 服务（标准输入输出），由 MCP 客户端启动。").parse_args(argv)
    options.collection = options.chosen
    settings = configured(options).settings

    from bot.api.metrics import Metrics  # noqa: PLC0415  # after the options are right
    from bot.api.state import State  # noqa: PLC0415
    from bot.api.workers import Workers  # noqa: PLC0415
    from bot.channels.mcp_http import load  # noqa: PLC0415
    from bot.logs import set_up  # noqa: PLC0415

    set_up(settings, sys.stderr)
    server_of = load()
    runtime = opened(settings, open_runtime)
    workers = Workers(settings.workers, settings.queue)
    state = State(settings, lambda _settings: runtime, Metrics(), workers)
    state.load()
    server_of(state).run("stdio")
    state.close()
    return 0
