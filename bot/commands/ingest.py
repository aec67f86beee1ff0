"""`wenqu ingest`: files, folders, addresses and standard input into the library."""

import argparse
import json
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, BinaryIO

from bot.commands.options import configured, opened, parser_for
from bot.settings import Settings
from corpus.document import Document
from corpus.errors import UnreadableSourceError
from index.embed import Progress
from index.library import IngestReport

if TYPE_CHECKING:
    from bot.fetch import Page
    from bot.runtime import OpenRuntime

STDIN = "-"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def run(
    argv: Sequence[str],
    open_runtime: "OpenRuntime | None" = None,
    *,
    stdin: BinaryIO | None = None,
) -> int:
    """Ingest what the command line names, `-` being `stdin`.

    Returns 1 if anything could not be read; all that could be read is kept.
    """
    options = _parse(argv)
    settings = configured(options).settings

    from bot.problems import FAILED  # noqa: PLC0415  # after the options are right
    from bot.progress import shown_on  # noqa: PLC0415

    started = time.monotonic()
    unreadable: list[UnreadableSourceError] = []
    with shown_on(sys.stderr) as progress:
        runtime = opened(settings, open_runtime, threads=settings.threads, progress=progress)
        library = runtime.library(options.chosen)
        found = _find(options, settings, stdin or sys.stdin.buffer)
        incoming = _readable(found, unreadable, progress)
        report = library.ingest(incoming, rebuild=options.rebuild, progress=progress)
    _tell_unreadable(unreadable)
    if report.repaired:
        print(f"wenqu: 索引有损坏（{report.repaired}），已修复。", file=sys.stderr)
    if options.json:
        print(json.dumps(_report_json(report, unreadable), ensure_ascii=False, indent=2))
    else:
        print(_summary(report, time.monotonic() - started))
    return FAILED if unreadable else 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = parser_for("ingest", "加入文档：文件、文件夹、通配符、网址，- 为标准输入。")
    parser.add_argument("paths", nargs="*", metavar="路径")
    parser.add_argument("--bundled", action="store_true", help="加入随附的容器技术史文档")
    parser.add_argument("--rebuild", action="store_true", help="用现在的模型重建整个索引")
    parser.add_argument("--json", action="store_true", help="输出 JSON")
    options = parser.parse_args(argv)
    if not (options.paths or options.bundled or options.rebuild):
        parser.error("没有要加入的文件。例如：wenqu ingest 文件夹")
    return options


def _readable(
    found: Iterable[Document | UnreadableSourceError],
    unreadable: list[UnreadableSourceError],
    progress: Progress,
) -> Iterator[Document]:
    progress("read", 0.0)
    for each in found:
        if isinstance(each, Document):
            yield each
        else:
            unreadable.append(each)
    progress("read", 1.0)


def _find(
    options: argparse.Namespace, settings: Settings, stdin: BinaryIO
) -> Iterator[Document | UnreadableSourceError]:
    from corpus.read import read, read_origin, read_stdin  # noqa: PLC0415  # and its parsers
    from corpus.readers.sandbox import Sandbox  # noqa: PLC0415  # likewise

    with Sandbox() as sandbox:
        if options.bundled:
            with as_file(files("corpus") / "texts") as folder:
                yield from read(folder, base=folder, sandbox=sandbox)
        for path in options.paths:
            if path == STDIN:
                yield from read_stdin(stdin, sandbox=sandbox)
            elif _ADDRESS.match(path):
                page = _fetched(path, settings)
                yield from (
                    [page]
                    if isinstance(page, UnreadableSourceError)
                    else read_origin(page.data, page.origin, sandbox=sandbox)
                )
            else:
                yield from read(path, sandbox=sandbox)


def _fetched(address: str, settings: Settings) -> "Page | UnreadableSourceError":
    import anyio  # noqa: PLC0415  # files need no network

    from bot.fetch import fetched  # noqa: PLC0415  # likewise

    try:
        return anyio.run(fetched, settings, address)
    except UnreadableSourceError as error:
        return error


def _tell_unreadable(unreadable: Sequence[UnreadableSourceError]) -> None:
    from bot.problems import TROUBLES  # noqa: PLC0415

    for error in unreadable:
        said = f"{TROUBLES[error.trouble]}（{error.reason}）"
        print(f"wenqu: 读不了 {error.source}：{said}", file=sys.stderr)


def _summary(report: IngestReport, seconds: float) -> str:
    return (
        f"新增 {len(report.added)} 份，更新 {len(report.replaced)} 份，"
        f"未变 {len(report.unchanged)} 份；现有 {report.passages} 段，"
        f"本次嵌入 {report.embedded} 段，用时 {seconds:.1f} 秒。"
    )


def _report_json(
    report: IngestReport, unreadable: Sequence[UnreadableSourceError]
) -> dict[str, object]:
    return {
        "added": list(report.added),
        "replaced": list(report.replaced),
        "unchanged": list(report.unchanged),
        "unreadable": [
            {"name": error.source, "reason": error.trouble, "detail_en": error.reason}
            for error in unreadable
        ],
        "passages": report.passages,
        "embedded": report.embedded,
    }
