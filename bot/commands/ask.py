"""`wenqu ask`: one question, one answer."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.commands.options import configured, opened, parser_for

if TYPE_CHECKING:
    from bot.runtime import OpenRuntime


def run(argv: Sequence[str], open_runtime: "OpenRuntime | None" = None) -> int:
    """Answer the question given on the command line."""
    parser = parser_for("ask", "提一个问题，回答附原文出处。")
    parser.add_argument("question", nargs="+", metavar="问题")
    parser.add_argument("--json", action="store_true", help="输出与 /api/chat 相同的 JSON")
    options = parser.parse_args(argv)
    settings = configured(options).settings

    from bot.commands.asking import asking  # noqa: PLC0415  # after the options are right
    from bot.commands.terminal import print_answer  # noqa: PLC0415
    from bot.wire import answer_json  # noqa: PLC0415

    runtime = opened(settings, open_runtime)
    name = runtime.known(options.chosen)
    with asking(runtime, name) as answer_to:
        answer = answer_to(" ".join(options.question), ())
    sources = runtime.sources(name, {c.passage.document_id for c in answer.citations})
    if options.json:
        reply = answer_json(answer, sources, session_id=None, turn_id=None)
        print(json.dumps(reply, ensure_ascii=False, indent=2))
    else:
        print_answer(answer, sources, sys.stdout)
    return 0
