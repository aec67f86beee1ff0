"""From a question that leans on the conversation to one that stands alone, by rules."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.answer import Turn
from bot.lexicon import lexicon
from bot.ordinals import ordinal_in
from bot.smalltalk import small_talk
from bot.verify import without_markers
from corpus.fold import fold, fold_with_offsets
from corpus.words import Segmenter, names
from index.gazetteer import Gazetteer, Mention

LOOK_BACK = 8
"""Turns in which a pronoun may find what it stands for."""
_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]+)*|[一二三四五六七八九十百两]+)")
_ORDINAL = re.compile(r"第(?:[0-9]{1,2}|[一二两三四五六七八九十]{1,3})[个种类代项点条步层期批轮]")
_SEVERAL = re.compile(r"[它他她牠]们|[二两]者|[这那][两几二]|前两")
_LEAD = re.compile(r"(?:那么?|请问|再问|然后|还有|另外)?[\s，,]*")


@dataclass(frozen=True, slots=True)
class _Focus:
    """What the conversation is about.

    Attributes:
        names: Spoken of, newest first.
        asked: Those of them that were asked about.
        question: The last one.
    """

    names: tuple[str, ...]
    asked: tuple[str, ...]
    question: str


def standalone(
    question: str, turns: Sequence[Turn], gazetteer: Gazetteer, segmenter: Segmenter
) -> str:
    """Return `question` with what it leaves to the conversation filled in.

    A pronoun becomes what was last spoken of; «那 X 呢？» becomes the last question about X, and
    «第一代呢？» the last question about the first generation; a bare «哪一年？» or «为什么？» is
    put to the last question; a question without any subject gets the last one. A question with a
    subject of its own is left as it is: the topic has changed.

    Args:
        question: As typed, not blank.
        turns: Oldest first.
        gazetteer: Names of the corpus.
        segmenter: Cuts the question into words.
    """
    turns = [turn for turn in turns if not small_talk(turn.question)]
    if not turns:
        return question
    focus = _focus(turns, gazetteer, segmenter)
    own = gazetteer.find(question)
    pronoun = _place(lexicon().pronoun, question)
    about = _place(lexicon().what_about, question, "topic")
    topic = question[slice(*about)].strip(" ，,的") if about else ""
    if topic and not pronoun:
        again = _renumbered(topic, focus.question)
        if again or own or names(topic):
            return again or _asked_about(topic, focus, gazetteer)
    if ordinal_in(question) and not (own or pronoun) and focus.asked:
        return f"{focus.asked[0]} {question}"  # «第一代是什么？»
    if pronoun and all(pronoun[1] <= mention.start for mention in own):
        return _filled(question, pronoun, focus, [mention.name for mention in own])
    if own or not focus.question or _opens_with_name(question):
        return question
    return _completed(question, focus, segmenter)


def _focus(turns: Sequence[Turn], gazetteer: Gazetteer, segmenter: Segmenter) -> _Focus:
    names: dict[str, None] = {}
    asked_about: dict[str, None] = {}
    for turn in reversed(turns[-LOOK_BACK:]):
        asked = turn.answer.standalone_question or turn.question
        said = without_markers(turn.answer.text)
        mentions = [mention.name for mention in _ordered(gazetteer.find(asked))]
        topic = "" if mentions else _topic(asked, said, segmenter)
        about = mentions or ([topic] if topic else [])
        asked_about |= dict.fromkeys(about)
        names |= dict.fromkeys(about)
        names |= dict.fromkeys(mention.name for mention in _ordered(gazetteer.find(said)))
    last = turns[-1]
    question = last.answer.standalone_question or last.question
    return _Focus(tuple(names), tuple(asked_about), question)


def _topic(question: str, answer: str, segmenter: Segmenter) -> str:
    """Return what a question begins with as far as its answer says it too, "" if it does not.

    «容器镜像有哪些特点？» is about «容器镜像», though no title or heading is called so.
    """
    begins = _LEAD.match(question)
    start = end = begins.end() if begins else 0
    said = fold(answer)
    for word in segmenter.words(question):
        if fold(question[start : word.end]) not in said:
            break
        end = word.end if word.text not in lexicon().asking else end
    return question[start:end].strip() if end - start > 1 else ""


def _ordered(mentions: Sequence[Mention]) -> list[Mention]:
    rank = {"title": 0, "name": 1, "heading": 2}
    return sorted(mentions, key=lambda mention: (rank[mention.source], mention.start))


def _asked_about(topic: str, focus: _Focus, gazetteer: Gazetteer) -> str:
    """Return the last question with its subject, or the item it counted, replaced by `topic`."""
    ordinal = _place(_ORDINAL, focus.question)
    if ordinal:
        return topic + focus.question[ordinal[1] :]
    mentions = _ordered(gazetteer.find(focus.question))
    known = [(mention.start, mention.end) for mention in mentions]
    for start, end in known or [(name.start, name.end) for name in names(focus.question)]:
        return focus.question[:start] + topic + focus.question[end:]
    return f"{topic} {focus.question}"


def _renumbered(topic: str, question: str) -> str:
    """Return `question` with the number that `topic` has another one for, or "" if it has none.

    «第二代是什么？», «第一代» -> «第一代是什么？»; what is around the numbers has to be alike.
    """
    parts = [re.escape(part) for part in _NUMBER.split(topic)]
    if len(parts) == 1:
        return ""
    alike = _NUMBER.pattern.join(parts)
    found = re.search(alike, question)
    return question[: found.start()] + topic + question[found.end() :] if found else ""


def _opens_with_name(question: str) -> bool:
    """Whether the question is about a Latin name, be it one that the corpus does not know."""
    return any(_LEAD.fullmatch(question[: name.start]) for name in names(question)[:1])


def _filled(question: str, pronoun: tuple[int, int], focus: _Focus, own: Sequence[str]) -> str:
    start, end = pronoun
    others = [name for name in focus.names if name not in own]
    name = others[0] if others else focus.question.rstrip("？?。 ")
    if _SEVERAL.match(fold(question[start:end])) and len(focus.asked) > 1 and not own:
        name = "和".join(reversed(focus.asked[:2]))
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
