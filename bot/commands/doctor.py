"""`wenqu doctor`: whether everything is as it has to be, and where each setting comes from."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import packages_distributions, version
from pathlib import Path
from platform import python_version
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from bot.commands.options import configured, opened, parser_for
from bot.configuration import Configuration
from bot.settings import Settings

if TYPE_CHECKING:
    from bot.runtime import OpenRuntime, Runtime

_OURS = ("corpus", "index", "bot", "eval")
_PACKAGES = ("faiss-cpu", "fastapi", "jieba", "numpy", "onnxruntime", "sqlalchemy")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str


def run(argv: Sequence[str], open_runtime: "OpenRuntime | None" = None) -> int:
    """Look at everything; returns 1 if something is wrong that could not be repaired."""
    parser = parser_for("doctor", "检查安装、模型、索引和设置。")
    parser.add_argument("--json", action="store_true", help="输出 JSON")
    parser.add_argument("--repair", action="store_true", help="从存着的文档修复损坏的索引")
    options = parser.parse_args(argv)
    configuration = configured(options)
    findings = examine(configuration, open_runtime, repair=options.repair)
    if options.json:
        print(json.dumps(_json(configuration, findings), ensure_ascii=False, indent=2))
    else:
        _print(configuration, findings)
    return 0 if all(finding.ok for finding in findings) else 1


def examine(
    configuration: Configuration,
    open_runtime: "OpenRuntime | None" = None,
    *,
    repair: bool = False,
) -> list[Finding]:
    """Look at the installation, the folders, the model, the database and the index.

    Args:
        configuration: Settings, and where they come from.
        open_runtime: In place of the real one.
        repair: Make an index that is damaged again from the stored documents.
    """
    looks = _Looks(configuration.settings, open_runtime, repair=repair)
    named: dict[str, Callable[[], str]] = {
        "Python": python_version,
        "软件包": _packages,
        "数据文件夹": looks.data,
        "缓存文件夹": looks.cache,
        "数据库": looks.database,
        "嵌入模型": looks.model,
        "阅读模型": looks.reader,
        "索引": looks.index,
    }
    return [_finding(name, look) for name, look in named.items()]


def _finding(name: str, look: Callable[[], str]) -> Finding:
    from bot.problems import INTERNAL, problem_of  # noqa: PLC0415  # after the options are right

    try:
        return Finding(name, ok=True, detail=look())
    except Exception as error:  # noqa: BLE001  # whatever it is, the other checks are made
        problem = problem_of(error)
        said = str(error) if problem is INTERNAL else problem.detail
        return Finding(name, ok=False, detail=said)


def _packages() -> str:
    owners = packages_distributions()
    for name in _OURS:
        if set(owners.get(name, [])) - {"wenqu"}:
            message = f"文件夹 {name}/ 同时属于 {'、'.join(owners[name])}，请装在单独的环境里"
            raise RuntimeError(message)
    return "，".join(f"{name} {version(name)}" for name in ("wenqu", *_PACKAGES))


class _Looks:
    """Each method returns what it found, or raises what is wrong."""

    def __init__(
        self, settings: Settings, open_runtime: "OpenRuntime | None", *, repair: bool
    ) -> None:
        self._settings = settings
        self._open_runtime = open_runtime
        self._repair = repair

    @cached_property
    def _runtime(self) -> "Runtime":
        from bot.progress import shown_on  # noqa: PLC0415  # the model may have to be made

        with shown_on(sys.stderr) as progress:
            return opened(self._settings, self._open_runtime, progress=progress)

    def data(self) -> str:
        return _writable(self._settings.data)

    def cache(self) -> str:
        return _writable(self._settings.cache)

    def database(self) -> str:
        from bot.catalogue import describe  # noqa: PLC0415
        from index.database import Database  # noqa: PLC0415

        held = describe(Database(self._settings.database), self._settings.collection)
        return f"{len(held)} 份文档"

    def model(self) -> str:
        from index.embedders import BUILTIN  # noqa: PLC0415
        from index.model import model_folder  # noqa: PLC0415

        embedder = self._runtime.embedder
        found = f"{embedder.id}，{embedder.dimension} 维"
        if self._settings.model != BUILTIN or self._open_runtime is not None:
            return found
        return f"{found}，{model_folder(self._settings.cache, verify=True)}，校验无误"

    def reader(self) -> str:
        from index.reader_model import reader_folder  # noqa: PLC0415
        from index.trained import TrainedReader  # noqa: PLC0415

        if not self._settings.reader or self._open_runtime is not None:
            return "不用"
        card, uses = TrainedReader.shipped().card, "、".join(self._settings.reader)
        folder = reader_folder(self._settings.cache, verify=True)
        return (
            f"{folder.name}，{card.layers} 层，许可 {card.licence}，用于 {uses}，{folder}，校验无误"
        )

    def index(self) -> str:
        from bot.catalogue import collections  # noqa: PLC0415

        names = {self._settings.collection, *collections(self._runtime.database)}
        return "；".join(map(self._one_index, sorted(names)))

    def _one_index(self, name: str) -> str:
        from index.audit import audit  # noqa: PLC0415

        library = self._runtime.library(name)
        done = ""
        if self._repair:
            report = library.repair()
            if report.repaired:
                done = f"已修复（{report.repaired}），重新嵌入 {report.embedded} 段，"
        generation = library.generation()
        if generation is None:
            return f"{name}：还没有文档"
        if wrong := audit(library):
            message = f"{name}：{wrong[0]}"
            raise RuntimeError(message)
        manifest = generation.manifest
        held = f"{manifest.documents} 份文档，{manifest.passages} 段"
        return f"{name}：{done}{generation.name}，{held}，校验无误"


def _writable(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder):
        return str(folder.resolve())


def _json(configuration: Configuration, findings: Sequence[Finding]) -> dict[str, object]:
    return {
        "checks": [{"name": f.name, "ok": f.ok, "detail": f.detail} for f in findings],
        "settings": {
            name: {"value": configuration.shown(name), "origin": origin}
            for name, origin in configuration.origins.items()
        },
        "unknown_variables": list(configuration.unknown),
    }


def _print(configuration: Configuration, findings: Sequence[Finding]) -> None:
    from bot.commands.terminal import styled  # noqa: PLC0415

    for finding in findings:
        mark = styled("✓", "green", sys.stdout) if finding.ok else styled("✗", "red", sys.stdout)
        print(f"{mark} {finding.name}：{finding.detail}")
    print("\n设置：")
    for name, origin in configuration.origins.items():
        shown = f"  {name} = {configuration.shown(name) or '（空）'}"
        about = f"{Settings.model_fields[name].description}；{_origin(origin)}"
        print(f"{shown}  {styled(about, 'faint', sys.stdout)}")
    for variable in configuration.unknown:
        print(styled(f"! 环境变量 {variable} 不是 wenqu 的设置", "yellow", sys.stdout))


def _origin(origin: str) -> str:
    if origin == "default":
        return "默认值"
    return f"来自 {origin.replace('environment', '环境变量')}"
