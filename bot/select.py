"""Which sentences make up an answer."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.dated import date_asked, told_of
from bot.direct import answer_pattern, direct_answer, other_version
from bot.evidence import Evidence
from bot.lists import announcement, announces, label, opens_item, whole_list
from bot.neighbours import behind, told
from bot.ordinals import ordinal_in
from bot.question import Question
from corpus.document import Document, Passage
from corpus.fold import fold
from corpus.opening import is_opening_line
from corpus.words import names

SENTENCES = 3
"""At most, outside lists."""
ENOUGH = 180
"""Characters after which no further sentence is added."""
NEARLY = 2.0
"""A further sentence is added while its score is within this of the best: odds of 1 to 7."""
_LIST_NEARLY = 3.0
_LISTS_TRIED = 6
_WANTED_NEARLY = 3.0
_DEFINITION_NEARLY = 8.0
"""One word is little to tell sentences by: what a sentence does with it tells more."""
_SPACE = re.compile(r"\s+")
_BETWEEN = re.compile(
    r"^(?P<one>.{1,20}?)(?:和|与|跟|同|以及|及|vs\.?)(?P<other>.{1,20}?)"
    r"(?:的|有|在|各|哪|谁|之间|相比|比|分别|这|两|区别|差别|不同|,|，|\?|？|$)"
)
_COUNTED = re.compile(
    r"(?:哪几|[哪的有]?[两二三四五六七八九十0-9]+)(?:大|个|种|类|代|项|点|条|方面)+"
    r"(?P<thing>[^是有呢吗的？?，,]{2,4}?)(?:是|有|呢|吗|$|\W)"
)
"""«哪几个阶段», «三种形态»: a list of these is meant, not any other."""


DocumentOf = Callable[[Passage], Document | None]
"""Gives the document that a passage is from, None if it has just been deleted."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Sentences in the order in which they are read.

    Attributes:
        evidence: At least one.
        is_list: Whether they are an announcement and the items of a list.
    """

    evidence: tuple[Evidence, ...]
    is_list: bool = False


def select(question: Question, evidence: Sequence[Evidence], document_of: DocumentOf) -> Selection:
    """Choose from `evidence`, best first and not empty.

    A question for a list gets the whole list, and so does any question whose best sentence
    announces one. A question that names only a date gets what happened then. A comparison gets a
    sentence about each side. All others get the best sentence and those about as good; where that
    is itself a question or only a label, what follows it.
    """
    evidence = _with_what_is_wanted_first(question, evidence)
    dated = told_of(date_asked(question), evidence)
    if dated:
        return Selection(tuple(_in_reading_order(dated)))
    items = [] if ordinal_in(question.text) else _list(question, evidence, document_of)
    if items:
        return Selection(tuple(items), is_list=True)
    sides = _sides(question, evidence) if question.kind == "compare" else []
    chosen = sides or _best(question, evidence)
    said = [further for one in chosen for further in told(question, one)]
    said += behind(question, chosen[0])
    return Selection(tuple(_in_reading_order(said)))


def _in_reading_order(said: Sequence[Evidence]) -> list[Evidence]:
    """Return the passage of the best sentence first, and each passage as it is read, once each."""
    passages = list(dict.fromkeys((one.passage.document_id, one.passage.start) for one in said))
    unique = {(one.passage.document_id, one.start): one for one in said}.values()
    return sorted(
        unique,
        key=lambda e: (passages.index((e.passage.document_id, e.passage.start)), e.start),
    )


def _list(
    question: Question, evidence: Sequence[Evidence], document_of: DocumentOf
) -> list[Evidence]:
    counted = _COUNTED.search(fold(question.text))
    thing = counted["thing"][-2:] if counted else ""
    best = evidence[0]
    nearly = _LIST_NEARLY if question.kind == "list" else NEARLY
    tried = [one for one in evidence[:_LISTS_TRIED] if best.score - one.score <= nearly]
    if thing:
        tried += [one for one in evidence if thing in fold(one.text) and one not in tried]
    found = []
    for one in (further for near in tried for further in told(question, near)):
        document = document_of(one.passage)
        if document is not None and _is_listed(question, document, one):
            found.append(whole_list(document, one))
    return next((one for one in found if thing and thing in fold(announcement(one))), []) or next(
        filter(None, found), []
    )


def _is_listed(question: Question, document: Document, evidence: Evidence) -> bool:
    if announces(document, evidence) or _counted_above(question, evidence):
        return True
    about_one = any(subject in fold(label(document, evidence)) for subject in question.subjects)
    inside = bool(label(document, evidence)) and not opens_item(document, evidence)
    return question.kind == "list" and not about_one and not inside


def _counted_above(question: Question, evidence: Evidence) -> bool:
    """Whether «有几个特点？» is answered by the heading, «三个特点», and the items below it."""
    pattern = answer_pattern(question) if question.kind == "count" else None
    headings = evidence.passage.headings[-1:]
    return pattern is not None and any(pattern.search(fold(heading)) for heading in headings)


def _with_what_is_wanted_first(
    question: Question, evidence: Sequence[Evidence]
) -> Sequence[Evidence]:
    """Move a sentence with a date or number about the subject up, if the best one has none.

    One about another version of the subject has none that is wanted.
    """
    best = evidence[0]
    if question.kind not in {"when", "count", "naming", "definition"} or _has_what_is_wanted(
        question, best
    ):
        return evidence
    nearly = _DEFINITION_NEARLY if question.kind == "definition" else _WANTED_NEARLY
    for other in evidence:
        if best.score - other.score > nearly:
            break
        if _names_subject(question, other) and _has_what_is_wanted(question, other):
            return [other, *(one for one in evidence if one is not other)]
    return evidence


def _has_what_is_wanted(question: Question, evidence: Evidence) -> bool:
    wanted = evidence.features["wanted"] == 1 and _is_about_subject(question, evidence)
    return wanted and not other_version(question, evidence.text)


def _is_about_subject(question: Question, evidence: Evidence) -> bool:
    """Whether the sentence names the subject or, where more is asked of it, stands below it.

    A date below the subject may still be that of another thing, or of the text.
    """
    if not question.subjects or _names_subject(question, evidence):
        return not question.rest or evidence.features["subject"] > 0
    of_another = question.kind == "when" and (
        bool(names(evidence.text)) or is_opening_line(evidence.text)
    )
    return bool(question.rest) and evidence.features["subject"] > 0 and not of_another


def _names_subject(question: Question, evidence: Evidence) -> bool:
    subjects = question.subjects or question.names
    return any(subject in fold(evidence.text) for subject in subjects)


def _best(question: Question, evidence: Sequence[Evidence]) -> list[Evidence]:
    chosen = [evidence[0]]
    if direct_answer(question, evidence[0].text) or question.kind == "naming":
        return chosen  # it says the date or number asked for, and needs nothing beside it
    for other in evidence[1:]:
        size = sum(len(one.text) for one in chosen) + len(other.text)
        if len(chosen) == SENTENCES or size > ENOUGH:
            break
        if evidence[0].score - other.score > NEARLY:
            break
        if other.text not in [one.text for one in chosen] and other.features.get("asks", 0) == 0:
            chosen.append(other)
    return chosen


def _sides(question: Question, evidence: Sequence[Evidence]) -> list[Evidence]:
    """Return the best sentence about each thing compared, fewer where one speaks of all.

    Any other that is about as good and speaks of all of them comes with it: what they share is
    often said in one sentence and what tells them apart in the next.
    """
    sides = _compared(question)
    chosen: list[Evidence] = []
    for side in sides[:SENTENCES]:
        if any(_about(side, one) for one in chosen):
            continue
        about = next((one for one in evidence if _about(side, one)), None)
        if about is not None:
            chosen.append(about)
    if len(sides) < 2 or not chosen:  # noqa: PLR2004 - it takes two
        return []
    further = (
        one
        for one in evidence
        if one not in chosen
        and evidence[0].score - one.score <= NEARLY
        and all(_about(side, one) for side in sides)
    )
    for one in further:
        if len(chosen) < SENTENCES and sum(len(said.text) for said in chosen) < ENOUGH:
            chosen.append(one)
    return chosen


def _compared(question: Question) -> Sequence[str]:
    """Return the things compared: names the corpus knows, or what stands on both sides of «和»."""
    for known in (question.subjects, question.names):
        if len(known) > 1:
            return known
    found = _BETWEEN.search(fold(question.text))
    return [side.strip() for side in found.group("one", "other")] if found else question.names


def _about(side: str, evidence: Evidence) -> bool:
    return _SPACE.sub("", side) in _SPACE.sub("", fold(evidence.text))
