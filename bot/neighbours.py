"""What has to be said with a sentence so that it means what it means in its document."""

import re
from collections.abc import Sequence
from dataclasses import replace

from bot.evidence import Evidence, wanted
from bot.question import Question
from corpus.fold import fold
from corpus.sentences import Span, item_marker, sentences
from corpus.words import names

_LABEL = 8
"""Chinese characters and Latin words up to which the first sentence of an item is a label."""
_NAMED = 3
"""Things that a sentence names to be taken for a list in running text."""
_UNIT = re.compile(r"[A-Za-z0-9]+|\w")
_POINTS_BACK = re.compile(
    r"(?:但是?|而|所以|因此)?[,，]?(?:这些|上述|以上|它们|他们|这[两三四几]个)"
)
_HELD = re.compile(r"认为|以为|觉得|看来|号称|据说|声称|大家都说|被看作|被视为")
_REJECTED = re.compile(
    r"(?:但是?|然而|不过|可是?|其实|实际上|事实上|笔者|作者|我们?)?[,，]?(?:[^,，。]{0,6})"
    r"(?:不(?:太|大|完全|能)?(?:赞同|同意|认同|对|准确|正确|是这样|成立)|并非如此|并不(?:是|等于|对|准确)|未必|错了)"
)
_BETWEEN = re.compile(r"[、;；]|(?<=[0-9A-Za-z]),")


def told(question: Question, evidence: Evidence) -> list[Evidence]:
    """Return `evidence` with the neighbours without which it would say less, or something else.

    What follows a question is its answer; a label needs what is said of it; «这些平台…» needs what
    it points back to where a list is asked for; and an opinion that the text goes on to reject is
    never said alone.
    """
    following = _following(evidence)
    if evidence.text.endswith(("？", "?")):
        return following[:2] or [evidence]
    if _is_label(evidence.text):
        return [evidence, *following[:1]]
    found = [evidence]
    if question.kind == "list" and _POINTS_BACK.match(fold(evidence.text)):
        found = [*_before(evidence), evidence]
    if following and _HELD.search(evidence.text) and _REJECTED.match(fold(following[0].text)):
        found.append(following[0])
    return found


def behind(question: Question, evidence: Evidence) -> list[Evidence]:
    """Return the next sentence if it gives the reason, or names the things, that are asked for."""
    following = _following(evidence)[:1]
    for one in following:
        if question.kind == "why":
            gives = evidence.features["wanted"] != 1 and wanted(question, one.text) == 1
        else:
            gives = question.kind == "list" and _named(evidence.text) < _NAMED <= _named(one.text)
        if gives:
            return [one]
    return []


def _named(text: str) -> int:
    """Count what a sentence enumerates, or the Latin names in it if these are more."""
    marks = len(_BETWEEN.findall(text))
    return max(marks + bool(marks), len({name.text for name in names(text)}))


def _is_label(text: str) -> bool:
    marker = item_marker(text, Span(0, len(text)))
    return marker > 0 and len(_UNIT.findall(text[marker:])) <= _LABEL


def _following(evidence: Evidence) -> list[Evidence]:
    passage = evidence.passage
    return [_at(evidence, span) for span in sentences(passage.text, evidence.end - passage.start)]


def _before(evidence: Evidence) -> Sequence[Evidence]:
    passage = evidence.passage
    spans = sentences(passage.text, 0, evidence.start - passage.start)
    return [_at(evidence, spans[-1])] if spans else []


def _at(evidence: Evidence, span: Span) -> Evidence:
    start = evidence.passage.start
    return replace(evidence, start=start + span.start, end=start + span.end)
