"""`wenqu doctor`: whether everything is as it has to be, and where each setting comes from."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import packages_distributions, version
from pathlib import Path
from platform import python_version
from tempfile import TemporaryFile

from bot.commands.options import configured, parser_for
from bot.settings import Configuration, Settings

_OURS = ("corpus", "index", "bot", "eval")
_PACKAGES = ("faiss-cpu", "fastapi", "jieba", "numpy", "onnxruntime", "sqlalchemy")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str


def run(argv: Sequence[str]) -> int:
    """Look at everything; returns 1 if something is wrong."""
    parser = parser_for("doctor", "检查安装、模型、索引和设置。")
    parser.add_argument("--json", action="store_true", help="输出 JSON")
    options = parser.parse_args(argv)
    configuration = configured(options)
    findings = examine(configuration)
    if options.json:
        print(json.dumps(_json(configuration, findings), ensure_ascii=False, indent=2))
    else:
        _print(configuration, findings)
    return 0 if all(finding.ok for finding in findings) else 1


def examine(configuration: Configuration) -> list[Finding]:
    """Look at the installation, the folders, the model, the database and the index."""
    settings = configuration.settings
    looks: dict[str, Callable[[Settings], str]] = {
        "Python": lambda _: python_version(),
        "软件包": _packages,
        "数据文件夹": lambda s: _writable(s.data),
        "缓存文件夹": lambda s: _writable(s.cache),
        "数据库": _database,
        "嵌入模型": _model,
        "索引": _index,
    }
    return [_finding(name, look, settings) for name, look in looks.items()]


def _finding(name: str, look: Callable[[Settings], str], settings: Settings) -> Finding:
    from bot.problems import INTERNAL, problem_of  # noqa: PLC0415  # after the options are right

    try:
        return Finding(name, ok=True, detail=look(settings))
    except Exception as error:  # noqa: BLE001  # whatever it is, the other checks are made
        problem = problem_of(error)
        said = str(error) if problem is INTERNAL else problem.detail
        return Finding(name, ok=False, detail=said)


def _packages(_settings: Settings) -> str:
    owners = packages_distributions()
    for name in _OURS:
        if set(owners.get(name, [])) - {"wenqu"}:
            message = f"文件夹 {name}/ 同时属于 {'、'.join(owners[name])}，请装在单独的环境里"
            raise RuntimeError(message)
    return "，".join(f"{name} {version(name)}" for name in ("wenqu", *_PACKAGES))


def _writable(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder):
        return str(folder.resolve())


def _database(settings: Settings) -> str:
    from bot.catalogue import describe  # noqa: PLC0415
    from index.database import Database  # noqa: PLC0415

    held = describe(Database(settings.database), settings.collection)
    return f"{len(held)} 份文档"


def _model(settings: Settings) -> str:
    from bot.progress import shown_on  # noqa: PLC0415
    from bot.runtime import open_model  # noqa: PLC0415

    with shown_on(sys.stderr) as progress:
        embedder = open_model(settings, progress=progress)
    return f"{embedder.id}，{embedder.dimension} 维"


def _index(settings: Settings) -> str:
    from bot.runtime import Runtime  # noqa: PLC0415

    generation = Runtime.open(settings).library().generation()
    if generation is None:
        return "还没有文档"
    manifest = generation.manifest
    return f"{generation.name}，{manifest.documents} 份文档，{manifest.passages} 段，校验无误"


def _json(configuration: Configuration, findings: Sequence[Finding]) -> dict[str, object]:
    return {
        "checks": [asdict(finding) for finding in findings],
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
        about = Settings.model_fields[name].description
        print(
            f"  {name} = {configuration.shown(name) or '（空）'}  "
            + styled(f"{about}；来自 {origin}", "faint", sys.stdout)
        )
    for variable in configuration.unknown:
        print(styled(f"! 环境变量 {variable} 不是 wenqu 的设置", "yellow", sys.stdout))
