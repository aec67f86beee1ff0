"""Options that commands share, and the settings that come of them."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from bot.configuration import Configuration
from bot.settings import Settings
from index.embed import Progress

if TYPE_CHECKING:
    from bot.runtime import OpenRuntime, Runtime


def parser_for(command: str, description: str) -> argparse.ArgumentParser:
    """Return a parser with `--data` and `--collection`."""
    parser = argparse.ArgumentParser(prog=f"wenqu {command}", description=description)
    parser.add_argument("--data", type=Path, metavar="文件夹", help="数据文件夹")
    parser.add_argument("--collection", dest="chosen", metavar="名称", help="文档集")
    return parser


def configured(options: argparse.Namespace) -> Configuration:
    """Read the settings; options of the same name as a setting win.

    Raises:
        SettingsError: One of them is not valid.
    """
    given = {name: getattr(options, name, None) for name in Settings.model_fields}
    return Configuration.load(os.environ, options=given)


def opened(
    settings: Settings,
    open_runtime: "OpenRuntime | None",
    *,
    threads: int = 1,
    progress: Progress | None = None,
) -> "Runtime":
    """Open the runtime by `open_runtime`, or the real one, which takes a second."""
    from bot.runtime import Runtime  # noqa: PLC0415  # not before the options are right

    return (open_runtime or Runtime.open)(settings, threads=threads, progress=progress)
