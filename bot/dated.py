"""What happened at a date: «2008 年有哪些大事？» names nothing but the date."""

import re
from collections.abc import Sequence

from bot.evidence import Evidence
from bot.question import Question
from corpus.fold import fold
from corpus.sentences import Span, item_marker

MOST = 5
"""Sentences in an answer."""
_DATE = re.compile(
    r"(?<![0-9])[0-9]{4}\s?年(?:\s?[0-9]{1,2}\s?月(?:\s?[0-9]{1,2}\s?[日号])?)?(?!之?[前后]|以|[代至到起])"
)
_SPACE = re.compile(r"\s+")


def date_asked(question: Question) -> str:
    """Return the date that is all the question names, folded and without spaces, or ""."""
    found = _DATE.findall(fold(question.text))
    only = all(word.isdigit() for word in question.content)
    return _SPACE.sub("", found[0]) if only and len(found) == 1 else ""


def told_of(date: str, evidence: Sequence[Evidence]) -> list[Evidence]:
    """Return the sentences that begin with `date`, in the order given, at most `MOST`."""
    return [one for one in evidence if date and _begins(date, one.text)][:MOST]


def _begins(date: str, sentence: str) -> bool:
    said = fold(sentence[item_marker(sentence, Span(0, len(sentence))) :])
    found = _DATE.match(said.lstrip())
    return found is not None and _SPACE.sub("", found.group()).startswith(date)
