"""`wenqu sessions`: conversations, listed, handed out, deleted."""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bot.commands.options import configured, parser_for
from bot.settings import Settings

if TYPE_CHECKING:
    from bot.sessions import SessionStore

_OF = "会话的所有者（如 key:0123456789ab），或聊天工具里的人（如 slack:T1:U2）"
_MOST_DAYS = 36_500


def run(argv: Sequence[str]) -> int:
    """List, export or delete conversations that are stored."""
    from bot.sessions import SessionStore  # noqa: PLC0415  # the database, but no model
    from index.database import Database  # noqa: PLC0415  # likewise

    parser = _parser()
    options = parser.parse_args(argv)
    settings = configured(options).settings
    database = Database(settings.database)
    store = SessionStore(database)
    try:
        if options.action == "export":
            _one_of(parser, options.id, options.of)
            return _export(store, settings, options)
        if options.action == "delete":
            _one_of(parser, options.ids, options.of, options.unused)
            return _delete(store, options)
        return _list(store, options)
    finally:
        database.close()


def _parser() -> argparse.ArgumentParser:
    parser = parser_for("sessions", "列出、导出、删除已存的对话。")
    actions = parser.add_subparsers(dest="action", metavar="list | export | delete")
    listing = actions.add_parser("list", help="列出会话，最久没用的在前")
    listing.add_argument("--json", action="store_true", help="输出 JSON")
    export = actions.add_parser("export", help="以 JSON 导出一个会话，或一个人的全部")
    export.add_argument("id", nargs="?", metavar="编号")
    deleting = actions.add_parser("delete", help="删除会话、一个人的全部，或久未使用的")
    deleting.add_argument("ids", nargs="*", metavar="编号")
    for action in (listing, export, deleting):
        action.add_argument("--of", metavar="谁", help=_OF)
    for action in (listing, deleting):
        action.add_argument(
            "--unused", type=_days, metavar="天数", help="只限这么多天没有用过的，0 为全部"
        )
    return parser


def _days(given: str) -> int:
    if not (given.isascii() and given.isdecimal() and int(given) <= _MOST_DAYS):
        message = f"天数应为 0 到 {_MOST_DAYS} 的整数，现在是 {given!r}"
        raise argparse.ArgumentTypeError(message)
    return int(given)


def _one_of(parser: argparse.ArgumentParser, *given: object) -> None:
    if sum(value not in (None, "", []) for value in given) != 1:
        parser.error("请写会话的编号，或用 --of 写明是谁（删除时也可以用 --unused），只能选一样")


def _since(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days) + timedelta(seconds=1)


def _list(store: "SessionStore", options: argparse.Namespace) -> int:
    from bot.commands.terminal import styled, visible  # noqa: PLC0415  # with what needs it

    given = {"of": None, "unused": None, "json": False, **vars(options)}
    since = None if given["unused"] is None else _since(given["unused"])
    found = store.listed(whose=given["of"], unused_since=since)
    if given["json"]:
        names = type(found[0]).__slots__ if found else ()
        items = [{name: getattr(info, name) for name in names} for info in found]
        print(json.dumps(items, ensure_ascii=False, indent=2))
        return 0
    if not found:
        print("没有已存的会话。")
    for info in found:
        print(visible(f"{info.id}  {info.owner or '（无主）'}"))
        size = f"    {info.collection}，{info.turns} 轮，最后使用 {info.used_at}"
        print(styled(size, "faint", sys.stdout))
    return 0


def _export(store: "SessionStore", settings: Settings, options: argparse.Namespace) -> int:
    from bot.catalogue import describe  # noqa: PLC0415  # the database, but no model
    from bot.people import cited, held_json  # noqa: PLC0415  # likewise
    from bot.wire import Sources, conversation_json  # noqa: PLC0415  # likewise

    def sources(collection: str, ids: set[str]) -> Sources:
        named = "" if collection == settings.collection else collection
        return Sources(describe(store.database, collection, ids), settings.public_url, named)

    if options.of:
        shown = held_json(options.of, store.held(options.of), sources)
    else:
        found = store.get(options.id)
        shown = conversation_json(found, sources(found.collection, cited(found)))
    print(json.dumps(shown, ensure_ascii=False, indent=2))
    return 0


def _delete(store: "SessionStore", options: argparse.Namespace) -> int:
    if options.of:
        erased = store.erase(options.of)
        print(
            f"已删除 {erased.sessions} 个会话，共 {erased.turns} 轮，另有 {erased.votes} 个评价。"
        )
    elif options.unused is not None:
        print(f"已删除 {store.purge(_since(options.unused))} 个会话。")
    else:
        for session_id in options.ids:
            store.delete(session_id)
        print(f"已删除 {len(options.ids)} 个会话。")
    return 0
