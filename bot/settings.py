"""Every setting: its name, its type, its default, and where its value came from.

A command-line option wins over the environment, the environment over the file, the file over
the default. The file is `wenqu.toml` in the current folder, or what `WENQU_CONFIG` names.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.errors import SettingsError

PREFIX = "WENQU_"
FILE = "wenqu.toml"
_CONFIG = f"{PREFIX}CONFIG"
_PASSWORD = re.compile(r"(?<=:)[^:@/]+(?=@)")


class Settings(BaseModel):
    """The values, checked. A description is what `wenqu doctor` shows the user."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    data: Path = Field(default=Path("var"), description="数据文件夹：索引和数据库")
    database_url: str = Field(default="", description="数据库地址，空则用数据文件夹里的 SQLite")
    cache: Path = Field(
        default_factory=lambda: Path(platformdirs.user_cache_dir("wenqu")),
        description="缓存文件夹：嵌入模型和词典",
    )
    model: str = Field(
        default="builtin", min_length=1, description="嵌入模型：builtin、文件夹或模型名"
    )
    dictionary: Path | None = Field(default=None, description="自定义词典：每行一个词，UTF-8")
    collection: str = Field(
        default="default", pattern=r"^[A-Za-z0-9_-]{1,64}$", description="不指定时使用的文档集"
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="监听地址")
    port: int = Field(default=8000, ge=0, le=65535, description="监听端口，0 为任意空闲端口")
    top_k: int = Field(default=8, ge=1, le=50, description="每个问题参考的段落数")
    public_url: str = Field(
        default="", pattern=r"^(https?://\S+)?$", description="对外地址，用来写出完整的原文链接"
    )
    max_question_characters: int = Field(default=2000, ge=1, le=2000, description="问题最多的字数")
    max_upload_bytes: int = Field(default=50_000_000, ge=1000, description="一次上传最多的字节数")
    threads: int = Field(default=2, ge=1, le=64, description="建立索引时嵌入模型用的线程数")
    workers: int = Field(default=4, ge=1, le=64, description="同时处理的问题数")
    queue: int = Field(
        default=64, ge=0, le=10_000, description="排队等待的问题数，超出则请稍后再试"
    )
    store_conversations: bool = Field(default=True, description="是否把对话存入数据库")
    retention_days: int = Field(default=30, ge=1, le=36_500, description="对话保留的天数")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="日志级别"
    )

    @property
    def database(self) -> str:
        """URL of the database."""
        return self.database_url or f"sqlite:///{self.data / 'wenqu.db'}"

    @property
    def indexes(self) -> Path:
        """Folder of the indexes, one below it for each collection."""
        return self.data / "index"


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings with the origin of each.

    Attributes:
        settings: The values.
        origins: Name of a setting to where its value came from, such as `environment WENQU_PORT`.
        unknown: Environment variables that begin like ours and are none of ours.
    """

    settings: Settings
    origins: Mapping[str, str]
    unknown: tuple[str, ...] = ()

    @classmethod
    def load(
        cls,
        environ: Mapping[str, str],
        *,
        folder: Path = Path(),
        options: Mapping[str, object] | None = None,
    ) -> Self:
        """Read all sources.

        Args:
            environ: Environment variables; an empty one counts as absent.
            folder: Where `wenqu.toml` may lie. Paths in a file are relative to the file.
            options: Given on the command line; None counts as absent.

        Raises:
            SettingsError: The file cannot be read, a key is unknown or a value is not valid.
        """
        found: dict[str, tuple[object, str]] = {}
        path = Path(environ.get(_CONFIG) or folder / FILE)
        if path.exists() or environ.get(_CONFIG):
            found |= {name: (value, path.name) for name, value in _from_file(path).items()}
        names = {f"{PREFIX}{name.upper()}": name for name in Settings.model_fields}
        for variable, name in names.items():
            if environ.get(variable):
                found[name] = (environ[variable], f"environment {variable}")
        for name, value in (options or {}).items():
            if value is not None:
                found[name] = (value, f"--{name.replace('_', '-')}")
        try:
            settings = Settings.model_validate({name: value for name, (value, _) in found.items()})
        except ValidationError as error:
            raise _invalid(error, {name: origin for name, (_, origin) in found.items()}) from error
        ours = {*names, _CONFIG}
        return cls(
            settings,
            {name: found[name][1] if name in found else "default" for name in names.values()},
            tuple(sorted(name for name in environ if name.startswith(PREFIX) and name not in ours)),
        )

    def shown(self, name: str) -> str:
        """Return the value of a setting as it may be printed: without a password, "" for none."""
        value = getattr(self.settings, name)
        if isinstance(value, bool):
            return str(value).lower()
        shown = "" if value is None else str(value)
        return _PASSWORD.sub("***", shown) if name == "database_url" else shown


def _from_file(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(path.name, str(path), f"cannot be read: {reason}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(path.name, str(path), f"is not TOML in UTF-8: {error}") from error
    for name in found:
        if name not in Settings.model_fields:
            near = difflib.get_close_matches(name, Settings.model_fields, n=1, cutoff=0.0)
            raise SettingsError(name, str(path), f"is no setting; the nearest is {near[0]!r}")
    for name in ("data", "cache", "dictionary"):
        if isinstance(found.get(name), str):
            found[name] = path.parent / Path(found[name]).expanduser()
    return found


def _invalid(error: ValidationError, origins: Mapping[str, str]) -> SettingsError:
    # without the value: it may be a password
    first = error.errors(include_url=False, include_input=False)[0]
    name = str(first["loc"][0])
    return SettingsError(name, origins.get(name, "default"), first["msg"])
