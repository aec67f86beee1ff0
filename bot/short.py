"""The short answer that stands before its sentence."""

from bot.direct import direct_answer, other_version
from bot.evidence import Evidence
from bot.lexicon import Kind
from bot.naming import other_name
from bot.question import Question
from bot.reading import Readings
from bot.weights import reader_weights
from corpus.fold import fold

_SENTENCES: frozenset[Kind] = frozenset({"list", "compare", "why", "how", "definition", "yesno"})
"""Kinds of questions that a few words do not answer."""
_LONGEST = 24
"""Characters of a short answer."""
_SHARE = 0.7
"""Of its sentence; where the answer is nearly all of it, it is not said twice."""
_AROUND = " ，。、；：,.;:"


def short_answer(question: Question, evidence: Evidence, readings: Readings) -> str:
    """Return the words of `evidence` that answer, or "" where the sentence says it better.

    A date or a number is found by its form; anything else, and these where the form leaves a
    choice, by the reader if it is sure.
    """
    if question.kind == "naming":
        named = (other_name(name, evidence.text) for name in (*question.subjects, *question.names))
        return next(filter(None, named), "")
    found = direct_answer(question, evidence.text)
    if found or not readings.used_for("direct") or question.kind in _SENTENCES:
        return found
    if other_version(question, evidence.text):
        return ""
    reading = readings.by_id.get(evidence.passage.id)
    span = reading.best() if reading else None
    if span is None or span.probability < reader_weights().direct:
        return ""
    start, end = (evidence.passage.start + at for at in (span.start, span.end))
    if not evidence.start <= start < end <= evidence.end:
        return ""
    words = evidence.text[start - evidence.start : end - evidence.start].strip(_AROUND)
    short = 0 < len(words) <= min(_LONGEST, _SHARE * len(evidence.text))
    return words if short and fold(words) not in fold(question.text) else ""
