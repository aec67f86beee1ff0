"""«第二代» where the texts have a list of «两代» and do not number its items in words."""

import re
from dataclasses import dataclass

from bot.question import Question
from corpus.document import Document, Passage
from corpus.fold import fold
from corpus.lists import ListAt, lists_of

_DIGITS = "零一二三四五六七八九"
_NUMBER = r"[0-9]{1,2}|[一二两三四五六七八九十]{1,3}"
_ASKED = re.compile(
    rf"第(?P<number>{_NUMBER})(?P<measure>[个种类代项点条步层期批轮])"
    r"(?P<thing>[^\W\d_a-z是的有呢吗在会和与]{0,4})"
)
_DESCRIPTION = "特点 特征 内容 情况 名称 名字"
_TELLING = frozenset("种类代步层期批轮")
"""Measure words that say by themselves what is counted."""


@dataclass(frozen=True, slots=True)
class Ordinal:
    """An item as a question counts it.

    Attributes:
        number: From 1.
        measure: The measure word, such as `代`.
        thing: The first characters of what is counted, may be "".
        text: All of it, folded.
    """

    number: int
    measure: str
    thing: str
    text: str


def ordinal_in(question: str) -> Ordinal | None:
    """Return the first ordinal of a question, None without one."""
    found = _ASKED.search(fold(question))
    if found is None:
        return None
    return Ordinal(_value(found["number"]), found["measure"], found["thing"], found.group())


@dataclass(frozen=True, slots=True)
class Item:
    """The item that a question means.

    Attributes:
        passage: All of it.
        announcement: What stands above its list, folded.
    """

    passage: Passage
    announcement: str

    def is_all_asked(self, question: Question, ordinal: Ordinal) -> bool:
        """Whether the question asks for nothing but the item: «第二代容器引擎是什么？»."""
        said = f"{ordinal.text} {self.announcement} {_DESCRIPTION}"
        return all(word in said for word in question.content)


def item_meant(document: Document, ordinal: Ordinal) -> Item | None:
    """Return the list item that `ordinal` means, None if no list or more than one fits.

    A list fits that has as many items as its announcement counts in the same measure, such as
    «划分为两代：» and two items, and names the thing, if that is not clear from the measure.
    """
    found = [each for each in lists_of(document) if _fits(document, each, ordinal)]
    named = [each for each in found if _names(document, each, ordinal)]
    if not named and ordinal.measure in _TELLING:
        named = found
    if len(named) != 1:
        return None
    item = named[0].items[ordinal.number - 1]
    return Item(Passage.cut(document, item.start, item.end), _above(document, named[0]))


def _fits(document: Document, found: ListAt, ordinal: Ordinal) -> bool:
    counted = re.finditer(
        rf"(?<!第)(?P<number>{_NUMBER})\w{{0,2}}?{ordinal.measure}", _above(document, found)
    )
    size = len(found.items)
    return size >= ordinal.number and any(_value(one["number"]) == size for one in counted)


def _names(document: Document, found: ListAt, ordinal: Ordinal) -> bool:
    return bool(ordinal.thing) and ordinal.thing[:2] in _above(document, found)


def _above(document: Document, found: ListAt) -> str:
    above = found.announcement
    return fold(document.text[above.start : above.end]) if above else ""


def _value(written: str) -> int:
    """Return the value of a number from 1 to 99 in digits or in Chinese."""
    if written.isdecimal():
        return int(written)
    tens, ten, ones = written.replace("两", "二").rpartition("十")
    value = _DIGITS.index(ones) if ones else 0
    return value + 10 * (_DIGITS.index(tens) if tens else 1) if ten else value
