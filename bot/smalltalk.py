"""Greetings, thanks and questions about the bot: answered as a person would, without a search."""

from bot.lexicon import lexicon
from bot.messages import CHAT, in_script_of
from corpus.fold import fold


def small_talk(text: str) -> str | None:
    """Return the reply to a message that asks nothing of the documents, None for all others.

    Only a message that is small talk as a whole counts: «你好，chroot 是什么？» is a question.
    """
    folded = fold(text).strip()
    for topic, pattern in lexicon().talk.items():
        if pattern.fullmatch(folded):
            return in_script_of(text, CHAT[topic])
    return None
