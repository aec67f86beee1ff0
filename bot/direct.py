"""A short answer taken out of a sentence: the date, the number of what was counted."""

import re

from bot.question import Question
from corpus.fold import fold, fold_with_offsets

_DATE = re.compile(
    r"(?:公元前?|约)?(?:[0-9]{4} ?[-–—~至到] ?)?[0-9]{1,4} ?年"
    r"(?: ?(?:[0-9]{1,2} ?月(?: ?[0-9]{1,2} ?[日号])?|[底末初中春夏秋冬]))?"
    r"|[〇零一二三四五六七八九]{4}年"
    r"(?:[一二三四五六七八九十]{1,2}月(?:[一二三四五六七八九十]{1,3}[日号])?)?"
    r"|[0-9]{1,2} ?世纪(?:[0-9]{2} ?年代)?(?:初|末|中叶)?|[0-9]{4}-[0-9]{2}-[0-9]{2}"
)
_MEASURE = "个名位家种类台项人年岁次层座条部集届天代章卷期间所架辆艘颗片"
_COUNTED = re.compile(rf"(?:几|多少) ?(?:[{_MEASURE}](?=\w))?(?P<thing>\w{{1,2}})")
_NUMBER = (
    r"(?:约|近|大约|超过|不到|至少|最多)? ?[数上几]?"
    r"[0-9零一二两三四五六七八九十百千万亿]+(?:[.,][0-9]+)*"
)


def direct_answer(question: Question, sentence: str) -> str:
    """Return the words of `sentence` that answer a question for a date or a number, or "".

    Only where the sentence names what is asked about and has exactly one candidate: with two
    dates in it, a guess could stand at the head of the answer, and the sentence says it better.
    """
    pattern = answer_pattern(question)
    folded = fold_with_offsets(sentence)
    if pattern is None or any(subject not in folded.text for subject in question.subjects):
        return ""
    if other_version(question, sentence):
        return ""
    asked = fold(question.text)
    found = [match for match in pattern.finditer(folded.text) if match.group() not in asked]
    if len({match.group() for match in found}) != 1:
        return ""
    start, end = folded.original(*found[0].span())
    return sentence[start:end].strip()


def other_version(question: Question, text: str) -> bool:
    """Whether `text` is about a version of the subject that the question does not ask for.

    «Docker 是哪一年发布的？» is not answered by «Docker 1.12 发布于 2015 年。».
    """
    asked, folded = fold(question.text), fold(text)
    found = [
        match.group()
        for subject in question.subjects
        for match in re.finditer(rf"{re.escape(subject)} ?v?[0-9]+(?:\.[0-9]+)+", folded)
    ]
    return any(version not in asked for version in found)


def answer_pattern(question: Question) -> re.Pattern[str] | None:
    """Return what the answer to a question for a date or a number looks like, in folded text."""
    if question.kind == "when":
        return _DATE
    counted = _COUNTED.search(fold(question.text)) if question.kind == "count" else None
    if counted is None:
        return None
    thing = re.escape(counted["thing"])
    return re.compile(rf"{_NUMBER} ?[多余]? ?[{_MEASURE}]? ?{thing}")
