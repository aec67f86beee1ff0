"""`wenqu backup`: all that the data folder holds, in one file."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from bot.commands.options import configured, parser_for
from bot.configuration import Configuration
from bot.settings import Settings

if TYPE_CHECKING:
    from index.backup import Held

_SECRET = frozenset(["webhooks", "database_url"])  # tables and addresses with secrets in them


def run(argv: Sequence[str]) -> int:
    """Write a backup; a service may go on running."""
    parser = parser_for("backup", "把文档、对话和索引存成一个文件。服务可以照常运行。")
    parser.add_argument("file", type=Path, metavar="文件")
    options = parser.parse_args(argv)
    configuration = configured(options)
    settings = configuration.settings

    from index.backup import back_up  # noqa: PLC0415  # after the options are right

    held = back_up(
        options.file,
        database_file(settings),
        settings.indexes,
        version=version("wenqu"),
        settings=given(configuration),
        dictionary=settings.dictionary,
    )
    print(f"已备份到 {options.file}：{contents(held)}。")
    tell_without_index(held)
    return 0


def database_file(settings: Settings) -> Path:
    """Return the SQLite file that the settings name.

    Raises:
        BackupError: The database is none.
    """
    from sqlalchemy.engine import make_url  # noqa: PLC0415  # after the options are right

    from index.errors import BackupError  # noqa: PLC0415  # likewise

    where = make_url(settings.database)
    if where.get_backend_name() != "sqlite" or not where.database:
        raise BackupError(code="elsewhere", reason=where.get_backend_name())
    return Path(where.database)


def given(configuration: Configuration) -> dict[str, str]:
    """Return the settings that were set, as they may be shown; none that is secret."""
    return {
        name: configuration.shown(name)
        for name, origin in configuration.origins.items()
        if origin != "default"
        and name not in _SECRET
        and not isinstance(getattr(configuration.settings, name), SecretStr)
    }


def contents(held: "Held") -> str:
    """Say what a backup holds."""
    size = sum(entry.size for entry in held.card.files.values())
    return (
        f"{len(held.collections)} 个文档集，{held.documents} 份文档，"
        f"{size / 1e6:.1f} MB，{held.card.made_at} 的状态"
    )


def tell_without_index(held: "Held") -> None:
    """Say on stderr which collections have no index in the backup."""
    if held.without_index:
        names = "、".join(held.without_index)
        print(f"wenqu: {names} 的索引不在备份里，恢复后会从文档重建。", file=sys.stderr)
