"""What the reader learns from: questions, with passages that answer them and some that do not."""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from bot.bot import Bot
from corpus.document import Document
from corpus.sentences import sentences
from eval.metrics import contains
from eval.questions import GoldQuestion, QuestionSet
from index.hit import Hit
from index.rows import search_path

HITS = 8
"""Passages looked at for a question: what the reader will be given."""
_DEEP = 50
_MOST = 0.6
"""Of a document that a passage has to be, for what is known of the one to be true of the other."""
_YEAR = re.compile(r"1[0-9]{3}|20[0-2][0-9]")
_SHORTEST = 40
"""Characters that a passage keeps when the answer is taken out of it."""
_SWAPPED = 0.2
"""Of the passages that do not answer: those that would, had the question not been changed."""
_ERASED = 0.25
"""Likewise: those that would, had the answer not been taken out."""
_TYPOS = 0.06
"""Of the questions."""
_LONG = 8
"""Characters of a question that may get a typo."""

Kind: TypeAlias = Literal["answers", "relevant", "retrieved", "erased", "swapped"]


@dataclass(frozen=True, slots=True)
class Target:
    """A passage, and where in it the answer stands.

    Attributes:
        path: Title and headings.
        text: Of the passage.
        spans: Of the answer, start and end in characters, as often as it is there.
    """

    path: str
    text: str
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """A question with what was found for it.

    Attributes:
        set: Where it is from.
        id: Within its set.
        question: That stands alone.
        answering: Passages with the answer; the first is the one it was asked about.
        relevant: Passages that answer without one span that could be named.
        others: Passages found for it that do not answer, best first.
        split: `train`, `tune` or `test`.
        article: What it is about; no article is in two splits.
        title: Of the document that answers, "" if none does.
    """

    set: str
    id: str
    split: str
    article: str
    question: str
    answering: tuple[Target, ...]
    relevant: tuple[Target, ...]
    others: tuple[Target, ...]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """One row to learn from.

    Attributes:
        kind: Why the passage is given with the question.
        question: Text of the question.
        target: The passage; with a span only where the kind is `answers`.
    """

    kind: Kind
    question: str
    target: Target

    @property
    def answered(self) -> bool:
        """Whether the passage answers."""
        return self.kind in {"answers", "relevant"}


def items(bot: Bot, questions: QuestionSet) -> Iterator[Item]:
    """Search for each question that leans on nothing and sort what is found."""
    documents = {document.id: document for document in questions.documents}
    for conversation in questions.conversations:
        gold = conversation.questions[0]
        if gold.expected == "chat" or conversation.history:
            continue
        hits = bot.search(gold.text, HITS)
        sorted_out = [_target(hit, gold, documents[hit.passage.document_id]) for hit in hits]
        if gold.spans and not any(kind == "answers" for _, kind in sorted_out):
            deeper = bot.search(gold.text, _DEEP)
            sorted_out += [_target(hit, gold, documents[hit.passage.document_id]) for hit in deeper]
        yield Item(
            set=questions.name,
            id=gold.id,
            split=gold.split,
            article=gold.documents[0].partition("-")[0] if gold.documents else gold.id,
            question=gold.text,
            answering=tuple(target for target, kind in sorted_out if kind == "answers"),
            relevant=tuple(target for target, kind in sorted_out if kind == "relevant"),
            others=tuple(target for target, kind in sorted_out[:HITS] if kind == "other"),
            title=documents[gold.documents[0]].title if gold.documents else "",
        )


def _target(hit: Hit, gold: GoldQuestion, document: Document) -> tuple[Target, str]:
    """Return a passage and whether it answers; what may answer by chance is `unsure`."""
    passage = hit.passage
    path = search_path(hit.title, passage.headings)
    right = passage.document_id in {*gold.documents, *gold.alternatives}
    exact = [
        (span.start - passage.start, span.end - passage.start)
        for span in gold.spans
        if span.document_id == passage.document_id
        and passage.start <= span.start
        and span.end <= passage.end
    ]
    if exact:
        return Target(path, passage.text, tuple(sorted(set(exact)))), "answers"
    holds = bool(gold.answers) and contains(passage.text, gold.answers)
    if right and not gold.spans and gold.answers:
        named = _occurrences(passage.text, gold.answers)
        if named:
            return Target(path, passage.text, named), "answers"
    target = Target(path, passage.text)
    whole = passage.end - passage.start >= _MOST * len(document.text)
    if right and not gold.spans and whole:
        return target, "relevant"
    return target, "unsure" if (right and not gold.spans) or holds or gold.answers_all else "other"


def _occurrences(text: str, answers: Sequence[str]) -> tuple[tuple[int, int], ...]:
    return tuple(
        (found.start(), found.end())
        for answer in answers
        for found in re.finditer(re.escape(answer), text)
    )


def epoch(found: Sequence[Item], *, seed: int) -> list[Example]:
    """Draw the examples of one epoch, shuffled.

    Of each question with an answer, a passage that answers and one that does not: another one
    found for it, or its own without the sentence of the answer, or its own with a question about
    another year or name. Of each question without an answer, one passage.
    """
    chance = random.Random(seed)  # noqa: S311  # no secret
    drawn: list[Example] = []
    by_title = sorted({item.title for item in found if len(item.title) > 1})
    for item in found:
        good = [*item.answering[:1] * 2, *item.answering[1:]]
        if good:
            target = chance.choice(good)
            drawn.append(Example("answers", _typo(item.question, chance), target))
            drawn.append(_without(item, target, by_title, chance))
        elif item.relevant:
            drawn.append(Example("relevant", item.question, chance.choice(item.relevant)))
            drawn.extend(_other(item, chance))
        else:
            drawn.extend(_other(item, chance))
    chance.shuffle(drawn)
    return drawn


def _other(item: Item, chance: random.Random) -> list[Example]:
    """Draw one of the passages that do not answer, the better ones more often."""
    if not item.others:
        return []
    at = min(int(chance.expovariate(0.6)), len(item.others) - 1)
    return [Example("retrieved", item.question, item.others[at])]


def _without(item: Item, target: Target, titles: Sequence[str], chance: random.Random) -> Example:
    draw = chance.random()
    if draw < _SWAPPED:
        swapped = swap(item.question, item.title, titles, chance)
        if swapped:
            return Example("swapped", swapped, replace(target, spans=()))
    if draw < _SWAPPED + _ERASED or not item.others:
        left = erase(target)
        if left:
            return Example("erased", item.question, left)
    others = _other(item, chance)
    if others:
        return others[0]
    swapped = swap(item.question, item.title, titles, chance) or f"{item.question[::-1]}"
    return Example("swapped", swapped, replace(target, spans=()))


def erase(target: Target) -> Target | None:
    """Return the passage without any sentence that says the answer; None if little is left."""
    said = {target.text[start:end] for start, end in target.spans}
    kept = [
        target.text[span.start : span.end]
        for span in sentences(target.text)
        if not any(answer in target.text[span.start : span.end] for answer in said)
        and not any(span.start < end and start < span.end for start, end in target.spans)
    ]
    text = "".join(kept)
    return Target(target.path, text) if len(text) >= _SHORTEST else None


def swap(question: str, title: str, titles: Sequence[str], chance: random.Random) -> str:
    """Ask about another year or another name; "" if the question has neither."""
    year = _YEAR.search(question)
    if year:
        other = int(year.group()) + chance.choice([-30, -12, -7, -3, -1, 1, 2, 5, 11, 20])
        return f"{question[: year.start()]}{other}{question[year.end() :]}"
    if len(title) > 1 and title in question and len(titles) > 1:
        other_title = chance.choice([name for name in titles if name != title])
        return question.replace(title, other_title)
    return ""


def _typo(question: str, chance: random.Random) -> str:
    """Drop, double or swap a character now and then, as fingers do."""
    if chance.random() > _TYPOS or len(question) < _LONG:
        return question
    at = chance.randrange(1, len(question) - 2)
    kept, letter, after = question[:at], question[at], question[at + 1 :]
    return chance.choice(
        [f"{kept}{after}", f"{kept}{letter}{letter}{after}", f"{kept}{after[0]}{letter}{after[1:]}"]
    )
