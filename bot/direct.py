"""A short answer taken out of a sentence: the year, the number."""

import re

from bot.question import Question
from corpus.fold import fold, fold_with_offsets

_DATE = re.compile(
    r"(?:公元前?|约)?[0-9]{1,4} ?年"
    r"(?: ?(?:[0-9]{1,2} ?月(?: ?[0-9]{1,2} ?[日号])?|[底末初中春夏秋冬]))?"
    r"|[〇零一二三四五六七八九]{4}年"
    r"(?:[一二三四五六七八九十]{1,2}月(?:[一二三四五六七八九十]{1,3}[日号])?)?"
    r"|[0-9]{1,2} ?世纪(?:[0-9]{2} ?年代)?(?:初|末|中叶)?|[0-9]{4}-[0-9]{2}-[0-9]{2}"
)


def direct_answer(question: Question, sentence: str) -> str:
    """Return the words of `sentence` that answer a question for a date, or "".

    Only where there is exactly one candidate: with two dates in the sentence, a guess could stand
    at the head of the answer, and the sentence itself says it better.
    """
    if question.kind != "when":
        return ""
    folded = fold_with_offsets(sentence)
    asked = fold(question.text)
    spans = [found.span() for found in _DATE.finditer(folded.text) if found.group() not in asked]
    if len(spans) != 1:
        return ""
    start, end = folded.original(*spans[0])
    return sentence[start:end].strip()
