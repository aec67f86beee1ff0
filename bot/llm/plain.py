"""From what a model wrote to plain text: no link, picture, tag or Markdown is left."""

import html
import re

_PICTURE = re.compile(r"!\[[^\]]*\](?:\([^)]*\)?|\[[^\]]*\])?")
_LINK = re.compile(r"\[([^\]]*)\](?:\([^)]*\)?|\[[^\]]*\])")
_HIDDEN = re.compile(r"<(script|style|iframe|svg|object)\b.*?(?:</\1\s*>|$)", re.IGNORECASE)
_TAG = re.compile(r"<!--.*?(?:-->|$)|</?[A-Za-z!?][^<>]*(?:>|(?=<)|$)|<[/!?]")
_URL = re.compile(
    r"<?(?:\b(?:https?|ftp|file|javascript|vbscript|data|mailto):|//(?=[A-Za-z0-9])|\bwww\.)[!-~]*",
    re.IGNORECASE,
)
_LINE_MARK = re.compile(r"^(?:#{1,6}\s+|>\s?)+")
_BULLET = re.compile(r"^[*+•]\s+")
_EMPHASIS = re.compile(r"\*\*|__|~~|`+|(?<![0-9 ])\*|\*(?![0-9 ])")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_LEFTOVER = re.compile(r"!\[|\]\(|\(\s*\)|（\s*）|\[\s*\]|<\s*>")
_SPACES = re.compile(r"\s+")
_SPACE_BEFORE_STOP = re.compile(r" +(?=[。！？，；：、]|[.!?]$)")


def plain(text: str) -> str:
    """Return one sentence as plain text on one line; "" if nothing is left.

    Repeated until nothing changes: taking a tag out may put the halves of another together.
    """
    before = ""
    while text != before:
        before = text
        text = _step(text)
    return text


def _step(text: str) -> str:
    text = _UNSEEN.sub("", html.unescape(text))
    text = _HIDDEN.sub("", _PICTURE.sub("", text))
    text = _TAG.sub("", _LINK.sub(r"\1", text))
    text = _LEFTOVER.sub("", _URL.sub("", text))
    text = _BULLET.sub("- ", _LINE_MARK.sub("", text.strip()))
    text = _SPACES.sub(" ", _EMPHASIS.sub("", text)).strip()
    return _SPACE_BEFORE_STOP.sub("", text).strip(" |")
