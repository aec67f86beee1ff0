"""Whether a follow-up that a model completed may be searched for."""

import re
from collections.abc import Sequence

from bot.answer import Turn
from bot.errors import QuestionError
from bot.llm.figures import figures
from bot.llm.plain import plain
from bot.question import check
from bot.verify import without_markers
from corpus.fold import fold
from corpus.words import names

MOST_TOKENS = 160
_LONGEST = 200
_LABEL = re.compile(
    r"^(?:(?:改写后|改寫後|最后|最後)的)?(?:问题|問題)\s*[:：]\s*|^(?:rewritten )?question\s*:\s*",
    re.IGNORECASE,
)
_QUOTES = "「」『』“”\"'"


def rewritten(said: str, question: str, turns: Sequence[Turn]) -> str | None:
    """Return the first line that the model said if it is a question about the same, else None.

    It must keep every name and number of `question`, and have none that neither the question nor
    the conversation has: what it makes up would be searched for and answered.

    Args:
        said: By the model.
        question: As typed.
        turns: Of the conversation, oldest first.
    """
    lines = said.strip().splitlines()
    line = _LABEL.sub("", plain(lines[0])).strip(_QUOTES + " ") if lines else ""
    known = [question]
    for turn in turns:
        answer = turn.answer
        known += [turn.question, answer.standalone_question, without_markers(answer.text)]
    mine, all_of_it = _marks(question), _marks("\n".join(known))
    if len(line) > _LONGEST or not mine <= _marks(line) <= all_of_it:
        return None
    try:
        return check(line)
    except QuestionError:
        return None


def _marks(text: str) -> frozenset[str]:
    """Return the Latin words and the numbers in `text`."""
    latin = {part for name in names(text) for part in name.text.split()}
    return frozenset(latin | {figure.value for figure in figures(fold(text))})
