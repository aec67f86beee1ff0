"""Which sentences make up an answer."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bot.direct import answer_pattern, direct_answer, other_version
from bot.evidence import Evidence, wanted
from bot.lists import announces, label, whole_list
from bot.question import Question
from corpus.document import Document
from corpus.fold import fold
from corpus.sentences import Span, item_marker, sentences

SENTENCES = 3
"""At most, outside lists."""
ENOUGH = 180
"""Characters after which no further sentence is added."""
NEARLY = 2.0
"""A further sentence is added while its score is within this of the best: odds of 1 to 7."""
_LIST_NEARLY = 3.0
_LISTS_TRIED = 6
_WANTED_NEARLY = 3.0
_LABEL = 8
"""Chinese characters and Latin words up to which the first sentence of an item is a label."""
_SPACE = re.compile(r"\s+")
_BETWEEN = re.compile(
    r"^(?P<one>.{1,20}?)(?:和|与|跟|同|以及|及|vs\.?)(?P<other>.{1,20}?)"
    r"(?:的|有|在|各|哪|谁|之间|相比|比|分别|这|两|区别|差别|不同|,|，|\?|？|$)"
)
_UNIT = re.compile(r"[A-Za-z0-9]+|\w")

DocumentOf = Callable[[Evidence], Document | None]
"""Gives the document that some evidence is from, None if it has just been deleted."""


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
    announces one. A comparison gets a sentence about each side. All others get the best sentence
    and those about as good; where that is itself a question or only a label, what follows it.
    """
    evidence = _with_what_is_wanted_first(question, evidence)
    items = _list(question, evidence, document_of)
    if items:
        return Selection(tuple(items), is_list=True)
    sides = _sides(question, evidence) if question.kind == "compare" else []
    chosen = sides or _best(question, evidence)
    told = [further for one in chosen for further in _told(one)]
    if question.kind == "why":
        told += _reason_behind(question, chosen[0])
    first = told[0].passage.document_id
    unique = {(one.passage.document_id, one.start): one for one in told}.values()
    return Selection(
        tuple(
            sorted(
                unique,
                key=lambda e: (e.passage.document_id != first, e.passage.document_id, e.start),
            )
        )
    )


def _list(
    question: Question, evidence: Sequence[Evidence], document_of: DocumentOf
) -> list[Evidence]:
    best = evidence[0]
    nearly = _LIST_NEARLY if question.kind == "list" else NEARLY
    tried = [one for one in evidence[:_LISTS_TRIED] if best.score - one.score <= nearly]
    for one in (told for near in tried for told in _told(near)):
        document = document_of(one)
        if document is None:
            continue
        announced = announces(document, one)
        about_one = any(subject in fold(label(document, one)) for subject in question.subjects)
        listed = question.kind == "list" and not about_one
        if announced or listed or _counted_above(question, one):
            items = whole_list(document, one)
            if items:
                return items
    return []


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
    if question.kind not in {"when", "count"} or _has_what_is_wanted(question, best):
        return evidence
    subjects = question.subjects or question.names
    for other in evidence:
        if best.score - other.score > _WANTED_NEARLY:
            break
        about_it = any(subject in fold(other.text) for subject in subjects)
        if about_it and _has_what_is_wanted(question, other):
            return [other, *(one for one in evidence if one is not other)]
    return evidence


def _has_what_is_wanted(question: Question, evidence: Evidence) -> bool:
    return evidence.features["wanted"] == 1 and not other_version(question, evidence.text)


def _best(question: Question, evidence: Sequence[Evidence]) -> list[Evidence]:
    chosen = [evidence[0]]
    if direct_answer(question, evidence[0].text):
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
    """Return the best sentence about each thing compared, fewer where one speaks of all."""
    sides = _compared(question)
    chosen: list[Evidence] = []
    for side in sides[:SENTENCES]:
        if any(_about(side, one) for one in chosen):
            continue
        about = next((one for one in evidence if _about(side, one)), None)
        if about is not None:
            chosen.append(about)
    return chosen if len(sides) > 1 else []


def _compared(question: Question) -> Sequence[str]:
    """Return the things compared: names the corpus knows, or what stands on both sides of «和»."""
    for names in (question.subjects, question.names):
        if len(names) > 1:
            return names
    found = _BETWEEN.search(fold(question.text))
    return [side.strip() for side in found.group("one", "other")] if found else question.names


def _about(side: str, evidence: Evidence) -> bool:
    return _SPACE.sub("", side) in _SPACE.sub("", fold(evidence.text))


def _told(evidence: Evidence) -> list[Evidence]:
    """Return `evidence`, or what follows where it asks, or both where it is only a label."""
    text = evidence.text
    asks = text.endswith(("？", "?"))
    marker = item_marker(text, Span(0, len(text)))
    only_label = marker > 0 and _size(text[marker:]) <= _LABEL
    if not (asks or only_label):
        return [evidence]
    following = _following(evidence)
    if not following:
        return [evidence]
    return following[:2] if asks else [evidence, following[0]]


def _size(text: str) -> int:
    return len(_UNIT.findall(text))


def _reason_behind(question: Question, evidence: Evidence) -> list[Evidence]:
    """Return the next sentence if it gives the reason that `evidence` itself does not."""
    if evidence.features["wanted"] == 1:
        return []
    return [one for one in _following(evidence)[:1] if wanted(question, one.text) == 1]


def _following(evidence: Evidence) -> list[Evidence]:
    passage = evidence.passage
    return [
        replace(evidence, start=passage.start + span.start, end=passage.start + span.end)
        for span in sentences(passage.text, evidence.end - passage.start)
    ]
