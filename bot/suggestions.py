"""Questions to begin with, drawn from the documents and answered by them.

Headings and plain statements are turned into questions by pattern. A suggestion is worth nothing
if its answer is a refusal, so each is asked before it is shown: the answer has to come from the
very section that the question was made of.
"""

import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice, zip_longest

from bot.bot import Bot
from corpus.sentences import item_marker, sentences
from index.gazetteer import Gazetteer
from index.rows import Row
from index.store import Generation

COUNT = 4
_TRIED = 24
"""At most so many are asked: an answer takes a good part of a second."""
_LOOKED_AT = 2000
"""Passages, evenly spread, that questions are made of: reading 100,000 takes seconds."""
_CONFIDENT = 0.6
_SHORTEST = 5
_LONGEST = 24

_VAGUE = re.compile(r"两者|二者|各|其|本|该|上述|以上|.*[：:《]")
"""How a heading begins, or what it has, that makes no sense away from its place."""
_ASKS = re.compile(r".*(?:为什么|为何|如何|怎样|怎么|什么|哪些|多少|谁|何来).*")
_TWO = re.compile(r"(.+[与和跟].+)的(比较|对比|异同|区别|差异|不同|关系|分工)")
_CAME = re.compile(r"(.+)的(诞生|兴起|发展|演变|形成|崛起)")
_LAST_WORDS = {
    "是怎样的": "由来|起源|历程|历史|流程|步骤|过程|架构|结构|前景|态势|现状|规模",
    "是什么": "特点|优点|缺点|优势|不足|原因|意义|作用|目的|定义|含义|局限|任务|原理|职责|原则",
    "有哪些": "条件|要求|规定|材料|福利|种类|类型|类别|规范|产品|功能|场景|平台|系统",
}
_ENDINGS = tuple((asked, re.compile(f".+(?:{words})")) for asked, words in _LAST_WORDS.items())
_EVENT = "发布|成立|开源|出现|诞生|创立|推出|上线"
_YEAR_AFTER = re.compile(rf"[^，。；]{{0,6}}?([0-9]{{4}}) ?年[^，。；]{{0,12}}?({_EVENT})")
_YEAR_BEFORE = re.compile(rf"([0-9]{{4}}) ?年[^，。；]{{0,16}}?({_EVENT})了? ?$")


@dataclass(frozen=True, slots=True)
class Draft:
    """A question that may be worth suggesting.

    Attributes:
        question: As it would be shown.
        row: Where it was made from, and the answer has to come from.
        expected: What the answer has to say, or "".
    """

    question: str
    row: Row
    expected: str = ""


def suggest(bot: Bot, count: int = COUNT) -> tuple[str, ...]:
    """Return at most `count` questions that the documents answer well, of many documents.

    The same documents give the same questions.
    """
    generation = bot.library.generation()
    if generation is None:
        return ()
    chosen: list[str] = []
    for draft in _tried(generation):
        if len(chosen) == count:
            break
        if _answers(bot, draft):
            chosen.append(draft.question)
    return tuple(chosen)


class SuggestionCache:
    """The suggestions of each collection, made anew only after its documents changed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._making = threading.Lock()

    def of(self, bot: Bot, count: int = COUNT) -> tuple[str, ...]:
        """Return what `suggest` does."""
        generation = bot.library.generation()
        name = generation.name if generation else ""
        with self._making:
            known = self._known.get(bot.library.collection)
            if known is None or known[0] != name:
                known = (name, suggest(bot, count))
                self._known[bot.library.collection] = known
        return known[1]


def as_question(heading: str) -> str:
    """Turn a heading into a question a person would ask, or "" if no pattern fits."""
    heading = heading.rstrip("？?。：: ")
    if not _SHORTEST <= len(heading) <= _LONGEST or _VAGUE.match(heading):
        return ""
    if _ASKS.fullmatch(heading):
        return f"{heading}？"
    two = _TWO.fullmatch(heading)
    if two:
        kind = two[2] if two[2] in {"关系", "分工"} else "区别"
        return f"{two[1]}{_gap(two[1])}有什么{kind}？"
    came = _CAME.fullmatch(heading)
    if came:
        return f"{came[1]}{_gap(came[1])}是怎样{came[2]}的？"
    for asked, pattern in _ENDINGS:
        if pattern.fullmatch(heading):
            return f"{heading}{asked}？"
    return ""


def of_statement(text: str, gazetteer: Gazetteer) -> Iterator[tuple[str, str]]:
    """Yield questions that one sentence answers, each with what the answer has to say."""
    for mention in gazetteer.find(text)[:3]:
        if mention.source != "name":
            continue
        name, before, after = mention.name, text[: mention.start], text[mention.end :]
        dated = _YEAR_AFTER.match(after) if not before else None
        dated = dated or _YEAR_BEFORE.search(before)
        if dated:
            yield f"{name}{_gap(name)}是哪一年{dated[2]}的？", dated[1]
        if not before and re.match(r" ?是[^否不]", after):
            yield f"{name}{_gap(name)}是什么？", name


def _tried(generation: Generation) -> Iterator[Draft]:
    """Yield drafts, each document having its turn, the kinds mixed, no question twice."""
    total = len(generation.rows)
    step = -(-total // _LOOKED_AT)
    rows = [generation.rows[number] for number in range(0, total, max(1, step))]
    gazetteer = generation.index.gazetteer
    drafts: list[list[Draft]] = []
    for number, (_, group) in enumerate(groupby(rows, lambda row: row.passage.document_id)):
        own = list(group)
        kinds = _of_headings(own), _of_statements(own, gazetteer)
        drafts.append(_turns(*(reversed(kinds) if number % 2 else kinds)))
    once = {draft.question: draft for draft in reversed(_turns(*drafts))}
    yield from islice(reversed(once.values()), _TRIED)


def _turns(*lists: Iterable[Draft]) -> list[Draft]:
    """Take the first of each list, then the second of each, and so on."""
    return [draft for turn in zip_longest(*lists) for draft in turn if draft]


def _of_headings(rows: Iterable[Row]) -> Iterator[Draft]:
    for row in rows:
        asked = as_question(row.passage.headings[-1]) if row.passage.headings else ""
        if asked:
            yield Draft(asked, row)


def _of_statements(rows: Iterable[Row], gazetteer: Gazetteer) -> Iterator[Draft]:
    for row in rows:
        text = row.passage.text
        for span in sentences(text):
            said = text[span.start + item_marker(text, span) : span.end]
            for question, expected in of_statement(said, gazetteer):
                yield Draft(question, row, expected)


def _answers(bot: Bot, draft: Draft) -> bool:
    answer = bot.ask(draft.question)
    if answer.kind != "grounded" or answer.confidence < _CONFIDENT:
        return False
    where = answer.citations[0].passage
    own = draft.row.passage
    same = (where.document_id, where.headings) == (own.document_id, own.headings)
    return same and draft.expected in answer.text


def _gap(word: str) -> str:
    """Return the space that stands between a Latin word and Chinese."""
    return " " if word[-1].isascii() and word[-1].isalnum() else ""
