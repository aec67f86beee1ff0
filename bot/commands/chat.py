"""`wenqu chat`: a conversation on the terminal, kept nowhere."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bot.commands.options import configured, opened, parser_for

if TYPE_CHECKING:
    from bot.runtime import OpenRuntime

_PROMPT = "问> "
_HELP = "直接提问，可以接着上文追问。/new 开始新的对话，/quit 或 Ctrl-D 结束。"


def run(
    argv: Sequence[str],
    open_runtime: "OpenRuntime | None" = None,
    *,
    ask_user: Callable[[str], str] = input,
) -> int:
    """Answer until the user has no more questions.

    Args:
        argv: Options.
        open_runtime: Opens another runtime than the settings say.
        ask_user: Shows a prompt and returns a line, or raises EOFError at the end of input.
    """
    options = parser_for("chat", _HELP).parse_args(argv)
    settings = configured(options).settings

    from bot.answer import Turn  # noqa: PLC0415  # after the options are right
    from bot.commands.asking import asking  # noqa: PLC0415
    from bot.commands.terminal import print_answer, styled  # noqa: PLC0415
    from bot.conversations import REMEMBERED  # noqa: PLC0415
    from bot.errors import QuestionError  # noqa: PLC0415
    from bot.problems import problem_of  # noqa: PLC0415

    _edit_lines()
    runtime = opened(settings, open_runtime)
    name = runtime.known(options.chosen)
    print(styled(_HELP, "faint", sys.stdout))
    turns: list[Turn] = []
    with asking(runtime, name) as answer_to:
        while True:
            try:
                question = ask_user(_PROMPT).strip()
            except EOFError:
                print()
                return 0
            if question == "/quit":
                return 0
            if question == "/new":
                turns.clear()
                print(styled("新的对话。", "faint", sys.stdout))
                continue
            if not question:
                continue
            try:
                answer = answer_to(question, turns[-REMEMBERED:])
            except QuestionError as error:
                print(problem_of(error).detail)
                continue
            turns.append(Turn(question, answer))
            sources = runtime.sources(name, {c.passage.document_id for c in answer.citations})
            print_answer(answer, sources, sys.stdout)
            print()


def _edit_lines() -> None:
    """Have `input` know the arrow keys and Chinese characters, where the system can."""
    try:
        import readline  # noqa: F401, PLC0415  # importing it is what does it
    except ImportError:
        return
