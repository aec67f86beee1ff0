"""`wenqu documents`: what the library holds."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.commands.options import configured, opened, parser_for
from bot.settings import Settings

if TYPE_CHECKING:
    from bot.runtime import OpenRuntime


def run(argv: Sequence[str], open_runtime: "OpenRuntime | None" = None) -> int:
    """List, show or delete documents."""
    parser = parser_for("documents", "列出、查看、删除文档。")
    parser.add_argument("--json", action="store_true", help="输出 JSON")
    actions = parser.add_subparsers(dest="action", metavar="list | show | delete")
    actions.add_parser("list", help="列出文档")
    actions.add_parser("show", help="显示一份文档").add_argument("id", metavar="编号")
    actions.add_parser("delete", help="删除文档").add_argument("ids", nargs="+", metavar="编号")
    options = parser.parse_args(argv)
    settings = configured(options).settings
    if options.action == "show":
        return _show(settings, options)
    if options.action == "delete":
        return _delete(settings, options, open_runtime)
    return _list(settings, options)


def _list(settings: Settings, options: argparse.Namespace) -> int:
    from bot.catalogue import describe  # noqa: PLC0415  # the database, but no model
    from bot.commands.terminal import styled, visible  # noqa: PLC0415
    from bot.wire import Sources, info_json  # noqa: PLC0415
    from index.database import Database  # noqa: PLC0415

    infos = describe(Database(settings.database), options.chosen or settings.collection)
    if options.json:
        sources = Sources(infos, settings.public_url, options.chosen or "")
        items = [info_json(info, sources) for info in infos.values()]
        print(json.dumps(items, ensure_ascii=False, indent=2))
        return 0
    if not infos:
        print("还没有文档。用 `wenqu ingest 文件或文件夹` 加入，或用 --bundled 加入随附的文档。")
    for info in infos.values():
        print(visible(f"{info.id}  {info.title}"))
        size = f"    {info.characters} 字，{info.passages} 段，{info.changed_at}"
        print(styled(size, "faint", sys.stdout))
    return 0


def _show(settings: Settings, options: argparse.Namespace) -> int:
    from bot.catalogue import open_document  # noqa: PLC0415  # the database, but no model
    from bot.commands.terminal import visible  # noqa: PLC0415
    from bot.wire import Sources, document_json  # noqa: PLC0415
    from index.database import Database  # noqa: PLC0415

    name = options.chosen or settings.collection
    document, info = open_document(Database(settings.database), name, options.id)
    if options.json:
        shown = document_json(
            document, info, Sources({}, settings.public_url, options.chosen or "")
        )
        print(json.dumps(shown, ensure_ascii=False, indent=2))
    else:
        print(visible(document.text))
    return 0


def _delete(
    settings: Settings, options: argparse.Namespace, open_runtime: "OpenRuntime | None"
) -> int:

    report = opened(settings, open_runtime).library(options.chosen).delete(options.ids)
    if report.repaired:
        print(f"wenqu: 索引有损坏（{report.repaired}），已修复。", file=sys.stderr)
    if options.json:
        deleted = {"deleted": list(report.deleted), "passages": report.passages}
        print(json.dumps(deleted, ensure_ascii=False, indent=2))
    else:
        print(f"已删除 {len(report.deleted)} 份，现有 {report.passages} 段。")
    return 0
