"""`wenqu restore`: what a backup holds, in place of what the data folder holds."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bot.commands.backup import contents, database_file, given, tell_without_index
from bot.commands.options import configured, parser_for
from bot.configuration import Configuration

if TYPE_CHECKING:
    from index.backup import Held

_OF_THE_PLACE = frozenset(["data", "cache", "host", "port", "dictionary"])
"""Settings that say where, and so differ where a backup is restored elsewhere."""


def run(argv: Sequence[str]) -> int:
    """Restore a backup: all of it, or nothing; a service may go on running."""
    parser = parser_for("restore", "从备份恢复：先核对整个文件，再一次换上。服务可以照常运行。")
    parser.add_argument("file", type=Path, metavar="文件")
    parser.add_argument("--check", action="store_true", help="只核对备份，不恢复")
    parser.add_argument("--force", action="store_true", help="取代数据文件夹里已有的内容")
    options = parser.parse_args(argv)
    configuration = configured(options)
    settings = configuration.settings

    from index.backup import check, restore  # noqa: PLC0415  # after the options are right

    database = database_file(settings)
    if options.check:
        held = check(options.file)
        print(f"备份完好：{contents(held)}。")
    else:
        held = restore(options.file, database, settings.indexes, force=options.force)
        print(f"已恢复到 {settings.data}：{contents(held)}。")
    tell_without_index(held)
    _tell_differences(configuration, held)
    return 0


def _tell_differences(configuration: Configuration, held: "Held") -> None:
    present = given(configuration)
    for name, value in held.card.settings.items():
        if name not in _OF_THE_PLACE and present.get(name) != value:
            now = present.get(name, "默认值")
            print(f"wenqu: 备份时的设置 {name} = {value}，现在是 {now}。", file=sys.stderr)
    if held.dictionary:
        print(
            f"wenqu: 备份里有自定义词典，已放在 {held.dictionary}；"
            "请把设置 dictionary 指向它，或内容相同的文件。",
            file=sys.stderr,
        )
