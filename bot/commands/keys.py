"""`wenqu keys`: make API keys, list them, end them."""

import argparse
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args

from bot.commands.options import configured

if TYPE_CHECKING:
    from bot.keys import Key, Keys

_ABOUT = "生成、列出、撤销接口的密钥。"
_COLLECTION = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOST_DAYS = 36_500
_STATES = {"active": "有效", "expired": "已到期", "revoked": "已撤销"}


def run(argv: Sequence[str]) -> int:
    """Make, list or revoke keys: in the database, so that a running service needs no restart."""
    from bot.keys import Keys  # noqa: PLC0415  # the database, but no model
    from index.database import Database  # noqa: PLC0415  # likewise

    options = _parser().parse_args(argv)
    database = Database(configured(options).settings.database)
    keys = Keys(database)
    try:
        if options.action == "add":
            return _add(keys, options)
        return _list(keys) if options.action == "list" else _revoke(keys, options.id)
    finally:
        database.close()


def _parser() -> argparse.ArgumentParser:
    from bot.keys import Scope  # noqa: PLC0415  # the database, but no model

    parser = argparse.ArgumentParser(prog="wenqu keys", description=_ABOUT)
    parser.add_argument("--data", metavar="文件夹", help="数据文件夹")
    actions = parser.add_subparsers(dest="action", required=True, metavar="add | list | revoke")
    add = actions.add_parser("add", help="生成一把密钥，只显示这一次")
    add.add_argument("name", metavar="名称", type=_name, help="给人看的，如用它的人或程序")
    add.add_argument(
        "--scope", action="append", required=True, choices=get_args(Scope), dest="scopes",
        help="权限，可以写几次：ask 提问和读取，ingest 加入和删除文档，admin 全部",
    )  # fmt: skip
    add.add_argument(
        "--collection", action="append", default=[], type=_collection, dest="collections",
        metavar="文档集", help="只限这个文档集，可以写几次；不写则不限",
    )  # fmt: skip
    add.add_argument("--expires", type=_days, metavar="天数", help="几天之后到期；不写则不到期")
    actions.add_parser("list", help="列出所有密钥")
    actions.add_parser("revoke", help="撤销一把密钥").add_argument("id", metavar="编号")
    return parser


def _add(keys: "Keys", options: argparse.Namespace) -> int:
    first = not any("ask" in key.scopes for key in keys.all())
    scopes, collections = dict.fromkeys(options.scopes), dict.fromkeys(options.collections)
    key, token = keys.add(options.name, [*scopes], [*collections], days=options.expires)
    print(token)
    print(f"编号 {key.id}。密钥只显示这一次，请现在就存好；丢了只能另做一把。", file=sys.stderr)
    if first and "ask" in key.scopes:
        print("从现在起，提问要带密钥：Authorization: Bearer wq_…", file=sys.stderr)
    return 0


def _list(keys: "Keys") -> int:
    found = keys.all()
    if not found:
        print("还没有密钥。用 `wenqu keys add 名称 --scope ask` 生成。")
    for key in found:
        print(_line(key))
    return 0


def _line(key: "Key") -> str:
    from bot.commands.terminal import visible  # noqa: PLC0415  # where something is shown
    from index.database import now  # noqa: PLC0415  # likewise

    where = "、".join(key.collections) or "所有文档集"
    until = f"，{key.expires_at} 到期" if key.expires_at else ""
    used = f"上次使用 {key.used_at}" if key.used_at else "没有用过"
    about = f"{'、'.join(key.scopes)}，{where}，生成于 {key.created_at}{until}，{used}"
    return visible(f"{key.id}  {_STATES[key.state(now())]}  {key.name}\n    {about}")


def _revoke(keys: "Keys", given: str) -> int:
    key = keys.revoke(_id_in(given))
    print(f"已撤销 {key.id}（{key.name}）：几秒之内，各处都不能再用。")
    return 0


def _id_in(given: str) -> str:
    """Return the id of a key that is given by its id, or whole, as who finds a lost one has it."""
    return given.split("_")[1] if given.count("_") > 1 else given


def _name(text: str) -> str:
    if not text.strip() or len(text) > 100:  # noqa: PLR2004  # the column's
        message = "名称应有 1 到 100 个字符"
        raise argparse.ArgumentTypeError(message)
    return text.strip()


def _collection(text: str) -> str:
    if not _COLLECTION.fullmatch(text):
        message = f"{text!r} 不是文档集的名称：限字母、数字、- 和 _，最多 64 个字符"
        raise argparse.ArgumentTypeError(message)
    return text


def _days(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= _MOST_DAYS:
        message = f"{text!r} 不是天数：应为 1 到 {_MOST_DAYS} 的整数"
        raise argparse.ArgumentTypeError(message)
    return int(text)
