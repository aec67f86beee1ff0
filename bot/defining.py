"""Where a text says what a thing is."""

import re
from collections.abc import Sequence

from bot.question import Question
from corpus.fold import fold
from corpus.sentences import sentences
from index.hit import Hit
from index.search import DEPTH, HybridIndex

_ASIDE = r"(?:\s?[（(][^）)]{1,30}[）)])?"
_SORT = "(?:服务|项目|公司|系统|技术|组织|平台|产品|工具)?"
_IS = "(?:可以说|可谓|就|通常|一般)?是(?!否|不|谁|哪|如何|理所)"
_SAYS = f"(?:{_IS}|即|指的?是|一[种个项款套类]|用于|用来|旨在)"
_FIRST = 3


def defines(subject: str, sentence: str) -> bool:
    """Whether a sentence says what `subject`, folded, is: «X（简称 Y），用于……», «X 是一种……»."""
    said = rf"(?<![a-z0-9]){re.escape(subject)}{_ASIDE}\s?{_SORT}[，,]?\s?{_SAYS}"
    return re.search(said, fold(sentence)) is not None


def with_definition(question: Question, hits: Sequence[Hit], index: HybridIndex) -> Sequence[Hit]:
    """Have a passage that says what the only subject of a question is among the first hits.

    «Kubernetes 是什么？» has one word to search by, and many passages have it.
    """
    if question.kind != "definition" or len(question.subjects) != 1 or question.rest:
        return hits
    (subject,) = question.subjects
    if any(_in(subject, hit) for hit in hits[:_FIRST]):
        return hits
    found = (hit for hit in index.search(question.text, DEPTH) if _in(subject, hit))
    best = next(found, None)
    if best is None:
        return hits
    others = [hit for hit in hits if hit.passage != best.passage]
    return [*others[:1], best, *others[1:]]


def _in(subject: str, hit: Hit) -> bool:
    text = hit.passage.text
    return any(defines(subject, text[span.start : span.end]) for span in sentences(text))
