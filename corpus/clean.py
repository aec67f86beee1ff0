"""Clean text, line by line: mojibake, line ends, invisible characters, soft wraps.

What a reader sees is kept as it is: full-width letters stay full-width, NFC is not applied.
"""

import re

from corpus.mojibake import repair

_LINE_END = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_INVISIBLE = {
    code: None
    for first, last in (
        (0x00, 0x09),
        (0x0B, 0x20),
        (0x7F, 0xA0),
        (0xAD, 0xAE),  # soft hyphen
        (0x200B, 0x200C),  # zero-width space; the joiners after it shape emoji
        (0x200E, 0x2010),  # direction marks, and the overrides that hide or turn text
        (0x202A, 0x202F),
        (0x2060, 0x2065),
        (0x2066, 0x2070),
        (0xFEFF, 0xFF00),
        (0xFFF9, 0xFFFC),
        (0xE0000, 0xE0080),  # tags: text that nobody sees
    )
    for code in range(first, last)
} | {0x09: " ", 0xA0: " "}
_WIDE = (
    "\u2e80-\u312f\u3190-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff"
)
_QUOTES = "“”‘’…—·"
_MARKS = "，。、；：？！（）《》〈〉「」『』【】\u3014\u3015～"
_FULL = re.compile(f"[{_WIDE}{_QUOTES}]")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_WRAP = re.compile(r"[ ]*\n[ \n]*")
_SPACES = re.compile(r"[ ]{2,}")
_TIGHT = re.compile(f"[{_WIDE}{_QUOTES}]{{2}}|[{_MARKS}].|.[{_MARKS}]", re.DOTALL)


def clean(text: str) -> str:
    """Repair mojibake, make every line end LF, drop controls and what is invisible.

    A tab or no-break space becomes a space. Blank lines and indentation stay.
    """
    return _LINE_END.sub("\n", repair(text)).translate(_INVISIBLE)


def one_line(text: str) -> str:
    """Join soft-wrapped lines and collapse spaces: what a browser shows as one paragraph.

    A wrap between Chinese characters, or beside a full-width mark, leaves nothing, any other
    wrap one space. `text` is clean; ideographic spaces are trimmed from its ends only.
    """
    text = text.strip()
    if "\n" in text:
        text = _WRAP.sub(
            lambda wrap: joint(wrap.string[wrap.start() - 1], wrap.string[wrap.end()]), text
        )
    return _SPACES.sub(" ", text)


def joint(before: str, after: str) -> str:
    """Say what stands between two lines that belong together: nothing, or a space.

    Args:
        before: Last character of the first line.
        after: First character of the second line.
    """
    return "" if _TIGHT.fullmatch(before + after) else " "


def has_han(text: str) -> bool:
    """Tell whether there is a Chinese character in `text`."""
    return _HAN.search(text) is not None


def columns(text: str) -> int:
    """Count the width of `text` on a terminal: a wide character takes two columns."""
    return 2 * len(text) - len(_FULL.sub("", text))
