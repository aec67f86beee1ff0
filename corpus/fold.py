"""Folding for matching: 繁體 meets 简体, `ABC` meets `abc`. Shown text is never folded."""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from opencc import OpenCC

_LATIN_END = 0x250  # below it, accents are dropped: a keyboard often lacks them


def _is_accent(character: str) -> bool:
    return "\u0300" <= character <= "\u036f"


class _FoldTable(dict[int, str]):
    """Code point to its folded form, filled as characters are met; for `str.translate`."""

    def __init__(self) -> None:
        super().__init__()
        self._simplify = OpenCC("t2s")

    def __missing__(self, point: int) -> str:
        plain = unicodedata.normalize("NFKC", chr(point))
        letters = [part for part in unicodedata.normalize("NFKD", plain) if not _is_accent(part)]
        if all(ord(letter) < _LATIN_END for letter in letters):
            plain = "".join(letters)
        # One character at a time: phrase rules would make the result depend on neighbours, and
        # a word would no longer fold alike in a question and in a text.
        folded = "".join(self._simplify.convert(character) for character in plain.casefold())
        self[point] = folded
        return folded


class _SimplifyTable(dict[int, str]):
    """Code point to its simplified form, filled as characters are met."""

    def __init__(self) -> None:
        super().__init__()
        self._simplify = OpenCC("t2s")

    def __missing__(self, point: int) -> str:
        simplified: str = self._simplify.convert(chr(point))
        self[point] = simplified
        return simplified


@lru_cache(maxsize=1)
def _simplify_table() -> _SimplifyTable:
    return _SimplifyTable()


def simplify(text: str) -> str:
    """Return `text` in simplified script, as it is embedded; width, case and accents stay.

    Character by character, like `fold`: 繁體 and 繁体 have the same vector.
    """
    return text.translate(_simplify_table())


@lru_cache(maxsize=1)
def _table() -> _FoldTable:
    return _FoldTable()


def fold(text: str) -> str:
    """Return `text` as it is matched: NFKC, no Latin accents, lower case, simplified.

    Works character by character, so `fold(a + b) == fold(a) + fold(b)`.
    """
    return text.translate(_table())


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text and the way back.

    Attributes:
        text: What `fold` gives.
        offsets: For each character of `text`, the offset of the character it came from; one more
            at the end, the length of the original.
    """

    text: str
    offsets: tuple[int, ...]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the original that holds the folded span `[start, end)`.

        Raises:
            ValueError: The span is empty or leaves the text.
        """
        if not 0 <= start < end <= len(self.text):
            message = f"[{start}, {end}) is no span of a folded text of {len(self.text)} characters"
            raise ValueError(message)
        return self.offsets[start], self.offsets[end - 1] + 1


def fold_with_offsets(text: str) -> Folded:
    """Fold `text` and keep where each folded character came from."""
    table = _table()
    parts: list[str] = []
    offsets: list[int] = []
    for at, character in enumerate(text):
        folded = table[ord(character)]
        parts.append(folded)
        offsets.extend([at] * len(folded))
    offsets.append(len(text))
    return Folded("".join(parts), tuple(offsets))
