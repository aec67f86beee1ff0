"""Greetings, thanks and questions about the bot: answered as a person would, without a search."""

import re

from bot.lexicon import lexicon
from bot.messages import CHAT, in_script_of
from corpus.fold import fold

_BETWEEN = re.compile(r"[,，。.!！?？~～、\s]+")


def small_talk(text: str) -> str | None:
    """Return the reply to a message that asks nothing of the documents, None for all others.

    Only a message that is small talk as a whole counts, in one part or several, as in «谢谢，再见»:
    «你好，chroot 是什么？» is a question.
    """
    folded = fold(text).strip()
    whole = _topic(folded)
    parts = [part for part in _BETWEEN.split(folded) if part]
    topics = [whole] if whole else [_topic(part) for part in parts]
    if not topics or None in topics:
        return None
    return in_script_of(text, CHAT[topics[0] or ""])


def _topic(said: str) -> str | None:
    return next((topic for topic, way in lexicon().talk.items() if way.fullmatch(said)), None)
