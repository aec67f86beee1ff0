"""From bytes to text: strict, and never by guessing in silence.

A byte order mark decides; then what the source declares; then strict UTF-8; then what a server
said, unless that is a default that servers give to every page. What is left is
GB18030 or Big5, and nearly every Big5 text is also valid GB18030, so order alone cannot tell
them apart: both are decoded, and the reading that looks more like Chinese wins.
"""

import codecs
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from corpus.errors import Trouble, UnreadableSourceError

_MARKS = (  # UTF-32 before UTF-16: the mark of the one begins with the mark of the other
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MAGIC = (
    (b"\x89PNG\r\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"BM", "a BMP image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"RIFF", "a RIFF file (WebP, WAV or AVI)"),
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive (such as docx, xlsx or epub)"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "an old Office file (doc, xls or ppt)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
    (b"SQLite format 3", "an SQLite database"),
    (b"OggS", "an Ogg recording"),
    (b"ID3", "an MP3 recording"),
)
# Names that pages use for a smaller set than they write: GBK calls itself gb2312, and so on.
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs", "cp950": "big5hkscs"}
_SERVER_DEFAULTS = frozenset({"iso8859-1", "cp1252"})
# Python takes these for encodings of text; no page is written in them, and some fail in other ways.
_NOT_OF_FILES = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_PUNCTUATION = frozenset("，。、；：？！“”‘’（）《》〈〉「」『』【】\u3014\u3015—…·～\u3000")

_CHARSET = re.compile(
    rb"<(?:meta|\?xml)\b[^>]{0,300}?(?:charset|encoding)\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE
)

_HEAD = 4096  # bytes in which a page declares its charset
_SAMPLE = 200_000  # characters scored: enough to be sure, and the same time for a file of any size
_FLOOR = 0.5  # the worst real text measured scores .75, UTF-8 read as GB18030 or Big5 at most .4
_CLOSE = 0.15


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text and how it was read.

    Attributes:
        text: Without its byte order mark; line ends as they were.
        encoding: Python's name of the encoding, such as `utf-8`, `gb18030` or `big5hkscs`.
        rival: Another encoding that reads nearly as well, which only short texts have.
    """

    text: str
    encoding: str
    rival: str | None = None


def decode(
    data: bytes,
    *,
    declared: str | None = None,
    served: str | None = None,
    source: str = "bytes",
) -> Decoded:
    """Decode `data`, strictly: no character is replaced or left out.

    Args:
        data: All bytes of the source.
        declared: What the source or the user says it is, such as `gbk` from an HTML page. Holds
            if the bytes decode that way, unless they are UTF-8 that makes better sense.
        served: What the server said that it came from, the charset of the HTTP header.
        source: Named in errors.

    Raises:
        UnreadableSourceError: It is binary, or no encoding fits; `reason` gives the byte offset,
            counted from 0, and what to do.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return Decoded(_strictly(data, encoding, source, skip=len(mark)), encoding)
    _refuse_binary(data, source)
    utf8 = _attempt(data, "utf-8")
    wanted = _codec(declared)
    text = _attempt(data, wanted) if wanted != "utf-8" else None
    better = text is not None and (utf8 is None or _plausibility(utf8) <= _plausibility(text))
    if wanted and text is not None and better:
        return Decoded(text, wanted)
    if utf8 is not None:
        return Decoded(utf8, "utf-8")
    return _served(data, _codec(served), source) or _best_chinese(data, source)


def declared_charset(head: bytes) -> str | None:
    """Find the charset that the first bytes of an HTML or XML page declare."""
    found = _CHARSET.search(head[:_HEAD])
    return found[1].decode("ascii") if found else None


def _kind_of_binary(data: bytes) -> str | None:
    """Name what `data` is by its first bytes, such as `a PNG image`; None if they say nothing."""
    return next((name for magic, name in _MAGIC if data.startswith(magic)), None)


def _refuse_binary(data: bytes, source: str) -> None:
    control = _CONTROL.search(data)
    known = _kind_of_binary(data)
    if known and (control or known == "a PDF" or not data[:3].isascii()):  # `BMW` is a word
        reason = f"it is {known}, not text; give the file its real suffix or convert it to text"
        raise UnreadableSourceError(source, reason, trouble="binary")
    if (nul := data.find(b"\x00")) >= 0:
        reason = (
            f"a binary file: NUL at byte {nul}; if it is UTF-16 text, save it as UTF-8 "
            "or with a byte order mark"
        )
        raise UnreadableSourceError(source, reason, trouble="binary")
    if control and len(_CONTROL.findall(data)) * 20 > len(data):
        reason = f"a binary file: control characters from byte {control.start()} on"
        raise UnreadableSourceError(source, reason, trouble="binary")


def _served(data: bytes, encoding: str | None, source: str) -> Decoded | None:
    """Read it as the server said; a default of servers only if it makes no sense in Chinese."""
    text = _attempt(data, encoding)
    if encoding is None or text is None:
        return None
    if encoding in _SERVER_DEFAULTS:
        with suppress(UnreadableSourceError):
            return _best_chinese(data, source)
    return Decoded(text, encoding)


def _best_chinese(data: bytes, source: str) -> Decoded:
    broken = _broken_utf8(data)
    if broken is not None:
        raise UnreadableSourceError(source, broken, trouble="encoding")
    readings = [
        (_plausibility(text), encoding, text)
        for encoding in ("gb18030", "big5hkscs")
        if (text := _attempt(data, encoding)) is not None
    ]
    readings.sort(key=lambda reading: -reading[0])  # stable: GB18030 first when equal
    if not readings or readings[0][0] < _FLOOR:
        reason = (
            f"neither UTF-8 (invalid at byte {_first_error(data, 'utf-8')}) nor GB18030 (byte "
            f"{_first_error(data, 'gb18030')}) nor Big5 (byte {_first_error(data, 'big5hkscs')}) "
            "gives Chinese text; save it as UTF-8"
        )
        raise UnreadableSourceError(source, reason, trouble="encoding")
    score, encoding, text = readings[0]
    close = len(readings) > 1 and score - readings[1][0] < _CLOSE
    return Decoded(text, encoding, readings[1][1] if close else None)


def _broken_utf8(data: bytes) -> str | None:
    """Say where UTF-8 with a few bad bytes breaks; None if it is not UTF-8 at all."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        cut_off = error.reason == "unexpected end of data" and not data[: error.start].isascii()
        if cut_off:
            return f"UTF-8 text that breaks off within a character at byte {error.start}"
        sample = data[: 3 * _SAMPLE].decode("utf-8", errors="replace")
        wrong = sample.count("\ufffd")
        if sum(char > "\u07ff" for char in sample) - wrong >= 2 * wrong:
            return f"UTF-8 text with an invalid byte at {error.start}; save it again as UTF-8"
    return None


def _plausibility(text: str) -> float:
    """Score a reading: about 1 for Chinese text, near 0 or below for a wrong reading of it.

    The mean over the characters outside ASCII: 1 for a common one, 1.5 for Chinese punctuation,
    -2 for private use and for characters beyond the basic plane, 0 for the rest.
    """
    counts = Counter(text[:_SAMPLE])
    total = score = 0.0
    for char, count in counts.items():
        if char < "\x80":
            continue
        total += count
        if char in _PUNCTUATION:
            score += 1.5 * count
        elif char in _common():
            score += count
        elif char > "\uffff" or "\ue000" <= char <= "\uf8ff":
            score -= 2 * count
    return score / total if total else 0.0


@cache
def _common() -> frozenset[str]:
    """Collect the everyday characters: level 1 of GB2312 and of Big5, by Python's own codecs."""
    gb2312 = bytes(
        byte for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF) for byte in (row, cell)
    )
    cells = [*range(0x40, 0x7F), *range(0xA1, 0xFF)]
    big5 = bytes(byte for row in range(0xA4, 0xC7) for cell in cells for byte in (row, cell))
    return frozenset(gb2312.decode("gb2312", "ignore") + big5.decode("big5", "ignore"))


def _codec(name: str | None) -> str | None:
    if not name:
        return None
    try:
        known = codecs.lookup(name)
    except LookupError:
        return None
    return None if known.name in _NOT_OF_FILES else _WIDER.get(known.name, known.name)


def _attempt(data: bytes, encoding: str | None) -> str | None:
    if encoding is None:
        return None
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):  # a declared name may be no text encoding: base64
        return None


def _first_error(data: bytes, encoding: str) -> str:
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        return str(error.start)
    return "none"


def _strictly(data: bytes, encoding: str, source: str, *, skip: int) -> str:
    try:
        return data[skip:].decode(encoding)
    except UnicodeDecodeError as error:
        trouble: Trouble = "encoding"
        reason = f"its byte order mark says {encoding}, but byte {error.start + skip} is invalid"
        raise UnreadableSourceError(source, reason, trouble=trouble) from error
