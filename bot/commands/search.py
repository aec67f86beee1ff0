"""`wenqu search`: the passages that an answer would come from."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bot.commands.options import configured, opened, parser_for

if TYPE_CHECKING:
    from bot.runtime import OpenRuntime

_SHOWN = 120
"""Characters of a passage in the list."""


def run(argv: Sequence[str], open_runtime: "OpenRuntime | None" = None) -> int:
    """Search for the words given on the command line."""
    parser = parser_for("search", "看看会找到哪些段落。")
    parser.add_argument("query", nargs="+", metavar="内容")
    parser.add_argument("--top-k", type=int, default=10, metavar="个数", dest="number")
    parser.add_argument("--explain", action="store_true", help="列出各检索器的名次和得分")
    parser.add_argument("--json", action="store_true", help="输出与 /api/search 相同的 JSON")
    options = parser.parse_args(argv)
    settings = configured(options).settings

    from bot.passages import find  # noqa: PLC0415  # after the options are right

    found = find(
        opened(settings, open_runtime),
        " ".join(options.query),
        top_k=options.number,
        explain=options.explain,
        collection=options.chosen,
    )
    if options.json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return 0
    if not found["hits"]:
        print("没有找到。")
    for hit in found["hits"]:
        _print_hit(hit)
    if options.explain:
        print(f"检索词：{' '.join(found['terms'])}")
        print("用时（毫秒）：" + "，".join(f"{k} {v}" for k, v in found["timings"].items()))
    return 0


def _print_hit(hit: Mapping[str, Any]) -> None:
    from bot.commands.terminal import styled, visible  # noqa: PLC0415

    path = [hit["title"], *(heading for heading in hit["headings"] if heading != hit["title"])]
    line = f"{hit['rank']:>2}. {hit['score']:.3f}  {' › '.join(path)}"
    print(styled(visible(line), "bold", sys.stdout))
    text = " ".join(hit["text"].split())
    print("    " + visible(text[:_SHOWN] + ("…" if len(text) > _SHOWN else "")))
    where = f"    {hit['document_id']} {hit['start']}–{hit['end']}"
    for name, score in hit.get("scores", {}).items():
        where += f"  {name} {score:.3f}（第 {hit['ranks'].get(name, '—')} 名）"
    print(styled(visible(where), "faint", sys.stdout))
