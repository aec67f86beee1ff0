"""Repair mojibake: UTF-8 that somebody read as Windows-1252.

`æˆ‘` was `我`: each character of it stands for one byte (E6 88 91), and the bytes are UTF-8. Such
runs stand in the middle of healthy Chinese, next to healthy quotation marks that Windows-1252
knows too, so the text is searched for byte sequences, not converted as a whole.
"""

import re

# Characters that can stand for a byte of 0x80 or more: Latin-1 itself, C1 controls included (five
# bytes are undefined in Windows-1252 and come out as these), and what Windows-1252 has instead.
_UNDEFINED = {0x81, 0x8D, 0x8F, 0x90, 0x9D}
_BYTE_OF = {chr(byte): byte for byte in range(0x80, 0x100)} | {
    bytes([byte]).decode("cp1252"): byte for byte in range(0x80, 0xA0) if byte not in _UNDEFINED
}


def _class_of(first: int, last: int) -> str:
    return "[" + "".join(char for char, byte in _BYTE_OF.items() if first <= byte <= last) + "]"


_TAIL = _class_of(0x80, 0xBF)
_LONG = rf"{_class_of(0xE2, 0xEF)}{_TAIL}{{2}}|{_class_of(0xF0, 0xF0)}{_TAIL}{{3}}"
_SHORT = rf"{_class_of(0xC2, 0xDF)}{_TAIL}"
_SEQUENCE = re.compile(rf"{_LONG}|{_SHORT}")
_RUN = re.compile(rf"(?:{_LONG}|{_SHORT})+")

# Short sequences are letters in many languages, so they need a long neighbour; these do not.
_SURE = frozenset({"Â·", "Â°", "Â\u00a0"})

# `café”…` is healthy, and its last three characters are the bytes of 锗. So after a letter or an
# opening quotation mark, one long sequence alone whose tail is such marks is left as it is.
_ORDINARY = frozenset("“”‘’»…–—·™®\u00a0")
_OPENING = frozenset("“‘«")
_LAST_LATIN_LETTER = "\u024f"

_PLAUSIBLE = re.compile(
    "[\u2010-\u2027\u2030-\u205e\u20ac\u2100-\u23ff\u2460-\u27bf"  # marks and symbols
    "\u3000-\u312f\u3200-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"  # characters, kana, hangul
    "\ufe10-\ufe1f\ufe30-\ufe6f\uff01-\uffee"  # upright, small and full-width forms
    "\U0001f000-\U0001faff\U00020000-\U0003ffff]"  # emoji, rare characters
)


def repair(text: str) -> str:
    """Put right every run of mojibake in `text`, and change nothing else.

    A run is repaired if its characters, taken as bytes, are strictly UTF-8 and give a Chinese
    character, its punctuation or a symbol. Takes time linear in the length of `text`.
    """
    return text if text.isascii() else _RUN.sub(_repaired, text)


def _repaired(run: re.Match[str]) -> str:
    sequences: list[str] = _SEQUENCE.findall(run[0])
    before = run.string[run.start() - 1 : run.start()]
    if len(sequences) == 1 and _is_healthy(before, sequences[0]):
        return run[0]
    decoded = [_decoded(sequence) for sequence in sequences]
    sure = any(char != s for char, s in zip(decoded, sequences, strict=True) if _is_long(s))
    if sure:
        return "".join(decoded)
    return "".join(_decoded(s) if s in _SURE else s for s in sequences)


def _is_healthy(before: str, sequence: str) -> bool:
    after_word = before.isalpha() and before <= _LAST_LATIN_LETTER
    return (
        _is_long(sequence)
        and (after_word or before in _OPENING)
        and _ORDINARY.issuperset(sequence[1:])
    )


def _is_long(sequence: str) -> bool:
    return len(sequence) >= 3  # noqa: PLR2004 - bytes of a character from U+0800 on


def _decoded(sequence: str) -> str:
    try:
        char = bytes(_BYTE_OF[char] for char in sequence).decode("utf-8")
    except UnicodeDecodeError:  # an overlong form, or half of a surrogate pair
        return sequence
    return sequence if _is_long(sequence) and not _PLAUSIBLE.match(char) else char
