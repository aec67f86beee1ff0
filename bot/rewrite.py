"""From a question that leans on the conversation to one that stands alone, by rules."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.answer import Turn
from bot.lexicon import lexicon
from bot.verify import without_markers
from corpus.fold import fold_with_offsets
from corpus.words import Segmenter, names
from index.gazetteer import Gazetteer, Mention

LOOK_BACK = 8
"""Turns in which a pronoun may find what it stands for."""


@dataclass(frozen=True, slots=True)
class _Focus:
    """What the conversation is about, newest first."""

    names: tuple[str, ...]
    question: str


def standalone(
    question: str, turns: Sequence[Turn], gazetteer: Gazetteer, segmenter: Segmenter
) -> str:
    """Return `question` with what it leaves to the conversation filled in.

    A pronoun becomes what was last spoken of; «那 X 呢？» becomes the last question about X; a
    bare «哪一年？» or «为什么？» is put to the last question; a question without any subject gets
    the last one. A question with a subject of its own is left as it is: the topic has changed.

    Args:
        question: As typed, not blank.
        turns: Oldest first.
        gazetteer: Names of the corpus.
        segmenter: Cuts the question into words.
    """
    if not turns:
        return question
    focus = _focus(turns, gazetteer)
    own = gazetteer.find(question)
    pronoun = _place(lexicon().pronoun, question)
    about = _place(lexicon().what_about, question, "topic")
    topic = question[slice(*about)].strip(" ，,的") if about else ""
    if topic and not pronoun and (own or names(topic)):
        return _asked_about(topic, focus, gazetteer)
    if own or not focus.question:
        return question
    if pronoun:
        return _filled(question, pronoun, focus)
    return _completed(question, focus, segmenter)


def _focus(turns: Sequence[Turn], gazetteer: Gazetteer) -> _Focus:
    names: dict[str, None] = {}
    for turn in reversed(turns[-LOOK_BACK:]):
        asked = turn.answer.standalone_question or turn.question
        for text in (asked, without_markers(turn.answer.text)):
            for mention in _ordered(gazetteer.find(text)):
                names.setdefault(mention.name)
    last = turns[-1]
    return _Focus(tuple(names), last.answer.standalone_question or last.question)


def _ordered(mentions: Sequence[Mention]) -> list[Mention]:
    rank = {"title": 0, "name": 1, "heading": 2}
    return sorted(mentions, key=lambda mention: (rank[mention.source], mention.start))


def _asked_about(topic: str, focus: _Focus, gazetteer: Gazetteer) -> str:
    """Return the last question with its subject replaced by `topic`."""
    mentions = _ordered(gazetteer.find(focus.question))
    if mentions:
        old = mentions[0]
        return focus.question[: old.start] + topic + focus.question[old.end :]
    return f"{topic} {focus.question}"


def _filled(question: str, pronoun: tuple[int, int], focus: _Focus) -> str:
    name = focus.names[0] if focus.names else focus.question.rstrip("？?。 ")
    start, end = pronoun
    return _without(lexicon().lead, question[:start]) + name + question[end:]


def _completed(question: str, focus: _Focus, segmenter: Segmenter) -> str:
    asking = lexicon().asking
    content = [word for word in segmenter.words(question) if word.text not in asking]
    if not content:
        stem = _without(lexicon().asks, focus.question).rstrip("？?。！ ")  # «哪一年？», «为什么？»
        return f"{stem or focus.question} {question}"
    if focus.names:
        return f"{focus.names[0]} {question}"
    # With two words of its own it says what it is about: «摩尔定律带来了什么？»
    return question if len(content) > 1 else f"{focus.question} {question}"


def _place(pattern: re.Pattern[str], text: str, group: str | int = 0) -> tuple[int, int] | None:
    """Return where `pattern`, which is over folded text, is found in `text`."""
    folded = fold_with_offsets(text)
    found = pattern.search(folded.text)
    return folded.original(*found.span(group)) if found and found.group(group) else None


def _without(pattern: re.Pattern[str], text: str) -> str:
    """Return `text` without what `pattern` finds in it."""
    folded = fold_with_offsets(text)
    places = [folded.original(*found.span()) for found in pattern.finditer(folded.text) if found[0]]
    for start, end in reversed(places):
        text = text[:start] + text[end:]
    return text
