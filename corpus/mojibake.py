"""Repair mojibake: UTF-8 that somebody read as Windows-1252.

`å¼€å§‹` was `开始`: each character of it stands for one byte (E5 BC 80, E5 A7 8B), and the bytes
are UTF-8. Such runs stand in the middle of healthy Chinese, next to healthy quotation marks that
Windows-1252 knows too, so the text is searched for byte sequences, not converted as a whole.
"""

import re

# Characters that can stand for a byte of 0x80 or more: Latin-1 itself, C1 controls included (five
# bytes are undefined in Windows-1252 and come out as these), and what Windows-1252 has instead.
_BYTE_OF = {chr(byte): byte for byte in range(0x80, 0x100)} | {
    bytes([byte]).decode("cp1252"): byte
    for byte in range(0x80, 0xA0)
    if byte not in {0x81, 0x8D, 0x8F, 0x90, 0x9D}
}


def _class_of(first: int, last: int) -> str:
    chars = (char for char, byte in _BYTE_OF.items() if first <= byte <= last)
    return "[" + "".join(re.escape(char) for char in chars) + "]"


_TAIL = _class_of(0x80, 0xBF)
_LONG = rf"{_class_of(0xE2, 0xEF)}{_TAIL}{{2}}|{_class_of(0xF0, 0xF0)}{_TAIL}{{3}}"
_SHORT = rf"{_class_of(0xC2, 0xDF)}{_TAIL}"
_RUN = re.compile(rf"(?:{_SHORT})*(?:{_LONG})(?:{_LONG}|{_SHORT})*")
_SEQUENCE = re.compile(rf"{_LONG}|{_SHORT}")

# `café”…` is healthy, and its last three characters are the bytes of 锗. So after a letter or an
# opening mark, one sequence alone whose tail is such ordinary marks is left as it is.
_ORDINARY = frozenset("“”‘’«»‹›…–—·•°™®©\u00a0")
_OPENING = frozenset("“‘«‹(（")

_PLAUSIBLE = re.compile(
    "[\u2010-\u2027\u2030-\u205e\u20ac\u2100-\u214f\u2150-\u23ff\u2460-\u27bf"  # marks and symbols
    "\u3000-\u30ff\u3100-\u312f\u3200-\u33ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"
    "\ufe10-\ufe1f\ufe30-\ufe4f\uff01-\uffee"
    "\U0001f000-\U0001faff\U00020000-\U0003ffff]"
)


def repair(text: str) -> str:
    """Put right every run of mojibake in `text`, and change nothing else.

    A sequence is repaired if its characters, taken as bytes, are strictly UTF-8 for a Chinese
    character, its punctuation or a symbol. Short sequences, such as `Â·` for `·`, are repaired
    only beside such a one: alone they may be meant. Takes time linear in the length of `text`.
    """
    if text.isascii():
        return text
    return _RUN.sub(_repaired, text)


def _repaired(run: re.Match[str]) -> str:
    sequences = _SEQUENCE.findall(run[0])
    before = run.string[run.start() - 1] if run.start() else ""
    if len(sequences) == 1 and _is_ordinary(before, sequences[0]):
        return run[0]
    decoded = [_decoded(sequence) for sequence in sequences]
    if not any(len(s) > 2 and _PLAUSIBLE.match(d) for s, d in zip(sequences, decoded, strict=True)):
        return run[0]
    return "".join(decoded)


def _is_ordinary(before: str, sequence: str) -> bool:
    follows_word = before.isalpha() and before < "\u0250"
    return (follows_word or before in _OPENING) and _ORDINARY.issuperset(sequence[1:])


def _decoded(sequence: str) -> str:
    try:
        char = bytes(_BYTE_OF[char] for char in sequence).decode("utf-8")
    except UnicodeDecodeError:  # such as an overlong form, or half of a surrogate pair
        return sequence
    return char if len(sequence) == 2 or _PLAUSIBLE.match(char) else sequence  # noqa: PLR2004 - two bytes


