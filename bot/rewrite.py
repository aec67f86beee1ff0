"""From a question that leans on the conversation to one that stands alone, by rules."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.answer import Turn
from bot.lexicon import lexicon
from bot.verify import without_markers
from corpus.fold import fold
from corpus.words import Segmenter, names
from index.vocabulary import Mention, Vocabulary

LOOK_BACK = 8
"""Turns in which a pronoun may find what it stands for."""


@dataclass(frozen=True, slots=True)
class _Focus:
    """What the conversation is about, newest first."""

    names: tuple[str, ...]
    question: str


def standalone(
    question: str, turns: Sequence[Turn], vocabulary: Vocabulary, segmenter: Segmenter
) -> str:
    """Return `question` with what it leaves to the conversation filled in.

    A pronoun becomes what was last spoken of; «那 X 呢？» becomes the last question about X; a
    bare «哪一年？» or «为什么？» is put to the last question; a question without any subject gets
    the last one. A question with a subject of its own is left as it is: the topic has changed.

    Args:
        question: As typed, not blank.
        turns: Oldest first.
        vocabulary: Names of the corpus.
        segmenter: Cuts the question into words.
    """
    if not turns:
        return question
    focus = _focus(turns, vocabulary)
    own = _subjects(question, vocabulary)
    about = lexicon().what_about.match(question)
    if about and (own or names(about["topic"])) and not lexicon().pronoun.search(about["topic"]):
        return _asked_about(about["topic"].strip(" ，,的"), focus, vocabulary)
    if not focus.names and not focus.question:
        return question
    pronoun = lexicon().pronoun.search(question)
    if pronoun and not own:
        return _filled(question, pronoun, focus)
    if own:
        return question
    return _completed(question, focus, segmenter)


def _focus(turns: Sequence[Turn], vocabulary: Vocabulary) -> _Focus:
    names: dict[str, None] = {}
    for turn in reversed(turns[-LOOK_BACK:]):
        asked = turn.answer.standalone_question or turn.question
        for text in (asked, without_markers(turn.answer.text)):
            for mention in _ordered(vocabulary.find(text)):
                names.setdefault(mention.name)
    last = turns[-1]
    return _Focus(tuple(names), last.answer.standalone_question or last.question)


def _ordered(mentions: Sequence[Mention]) -> list[Mention]:
    rank = {"title": 0, "name": 1, "heading": 2}
    return sorted(mentions, key=lambda mention: (rank[mention.source], mention.start))


def _subjects(question: str, vocabulary: Vocabulary) -> list[Mention]:
    return vocabulary.find(question)


def _asked_about(topic: str, focus: _Focus, vocabulary: Vocabulary) -> str:
    """Return the last question with its subject replaced by `topic`."""
    mentions = _ordered(vocabulary.find(focus.question))
    if mentions:
        old = mentions[0]
        return focus.question[: old.start] + topic + focus.question[old.end :]
    return f"{topic} {focus.question}"


def _filled(question: str, pronoun: re.Match[str], focus: _Focus) -> str:
    name = focus.names[0] if focus.names else focus.question.rstrip("？?。 ")
    rest = question[pronoun.end() :]
    return lexicon().lead.sub("", question[: pronoun.start()]) + name + rest


def _completed(question: str, focus: _Focus, segmenter: Segmenter) -> str:
    words = [word.text for word in segmenter.words(question)]
    content = [word for word in words if word not in lexicon().asking]
    if not content:  # «哪一年？», «为什么？»
        stem = lexicon().asks.sub("", focus.question).rstrip("？?。！ ")
        return f"{stem} {question}" if fold(stem) else f"{focus.question} {question}"
    return f"{focus.names[0]} {question}" if focus.names else f"{focus.question} {question}"
