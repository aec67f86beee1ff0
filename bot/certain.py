"""Where the form of a sentence says that it answers, whatever a model makes of it."""

import re
from collections.abc import Sequence

from bot.dated import date_asked, told_of
from bot.defining import defines
from bot.direct import direct_answer
from bot.evidence import Evidence
from bot.lexicon import lexicon
from bot.ordinals import Item, ordinal_in
from bot.question import Question
from corpus.fold import fold

CERTAIN = 0.6
"""Least confidence in such an answer."""
_LOOKED_AT = 5
_SHORTEST = 4
_NOT_SAID = re.compile(r"[\W_]+")
_PASSIVE = re.compile(
    r"(?P<object>[^，。,]+?)是?被(?:谁|哪[个家位]?(?:公司|厂商|组织|机构|国家?|人)?)(?P<verb>[^了的，。？?]{2,4})[了的]?[？?\s]*$"
)
"""«X 被谁接受了», which a text may say as «接受 X»."""
_RELATION = re.compile(r"关系|联系")


def is_certain(question: Question, evidence: Sequence[Evidence], meant: Item | None) -> bool:
    """Whether one of the first sentences answers by its form.

    The question is a heading, «参考文献有哪些？», or asks for a list item by its number; a sentence
    has the other name of a thing beside it; or the one date of a subject of which nothing else is
    asked; or the very words of the question, «Kubernetes 的前身»; or both things whose relation is
    asked for; or says what the only subject is; or begins with the date that the question is about
    and nothing else.

    Args:
        question: Taken apart.
        evidence: Best first, at least one.
        meant: The list item that the question means by its number.
    """
    ordinal = ordinal_in(question.text) if meant else None
    if meant and ordinal and meant.is_all_asked(question, ordinal):
        return True
    forms = (_gives_name, _gives_date, _repeats, _relates, _defines)
    first = evidence[:_LOOKED_AT]
    dated = told_of(date_asked(question), evidence)
    return (
        bool(dated)
        or _is_heading(question, evidence[0])
        or any(form(question, one) for one in first for form in forms)
    )


def _is_heading(question: Question, evidence: Evidence) -> bool:
    headings = [fold(heading) for heading in evidence.passage.headings[-1:]]
    return not question.rest and headings == list(question.subjects)


def _gives_name(question: Question, evidence: Evidence) -> bool:
    return question.kind == "naming" and evidence.features["wanted"] == 1


def _gives_date(question: Question, evidence: Evidence) -> bool:
    only = question.kind == "when" and bool(question.subjects) and not question.rest
    return only and bool(direct_answer(question, evidence.text))


def _repeats(question: Question, evidence: Evidence) -> bool:
    if not (question.subjects and question.rest):
        return False
    asked, text = fold(question.text), _NOT_SAID.sub("", fold(evidence.text))
    passive = _PASSIVE.search(asked)
    said = passive["verb"] + passive["object"] if passive else lexicon().asks.sub("", asked)
    stated = _NOT_SAID.sub("", said)
    return len(stated) >= _SHORTEST and stated in text


def _defines(question: Question, evidence: Evidence) -> bool:
    only = question.kind == "definition" and not question.rest and len(question.subjects) == 1
    return only and defines(question.subjects[0], evidence.text)


def _relates(question: Question, evidence: Evidence) -> bool:
    text = fold(evidence.text)
    asked = _RELATION.search(question.text) and len(question.subjects) > 1
    return bool(asked) and all(subject in text for subject in question.subjects)
