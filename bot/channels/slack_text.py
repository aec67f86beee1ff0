"""Slack's way of writing text, in both directions.

It marks users, channels and links by `<…>` and writes `&`, `<` and `>` as entities:
https://docs.slack.dev/messaging/formatting-message-text
"""

import html
import re

_MARKED = re.compile(r"<([^<>|]*)(?:\|([^<>]*))?>")
_ENTITY = re.compile(r"&(?:lt|gt|amp);")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def question_in(text: str) -> str:
    """Return what somebody asked, without the mention of the bot or of anybody else.

    A link reads as its label, a channel as `#name`.
    """
    unmarked = _MARKED.sub(_plain, text)
    return _ENTITY.sub(lambda found: html.unescape(found[0]), unmarked).strip()


def escaped(text: str) -> str:
    """Return `text` so that Slack shows it and obeys nothing in it: no mention, no link."""
    return text.translate(_ESCAPES)


def _plain(found: re.Match[str]) -> str:
    target, label = found[1], found[2] or ""
    if target.startswith("#"):
        return f"#{label}" if label else ""
    if target.startswith(("@", "!")):
        return label.removeprefix("@") if target.startswith("!") else ""
    return label or target
