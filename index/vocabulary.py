"""The Chinese and English part of a multilingual vocabulary, and its tokenizer.

A piece that is left out would only ever be used for other scripts, so Chinese and English texts
are cut into the same pieces as before, with half the rows in the embedding table.
"""

import re
from collections.abc import Sequence

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers
from tokenizers.pre_tokenizers import Metaspace
from tokenizers.processors import TemplateProcessing

from index.e5s1 import Pieces

_META = "▁"
_KEPT = re.compile(
    "["
    "\u0000-\u00ff"  # ASCII, and Latin-1 for names such as Müller
    "\u2000-\u2bff"  # punctuation, currencies, arrows, box drawing, symbols
    "\u2e80-\u312f"  # radicals, CJK punctuation, kana, bopomofo
    "\u3190-\u4dbf\u4e00-\u9fff"  # strokes, enclosed and squared CJK, Han
    "\uf900-\ufaff\ufe10-\ufe1f\ufe30-\ufe6f\uff00-\uffef"  # compatibility, vertical, full width
    "\U0001f000-\U0003ffff"  # emoji and the Han beyond the basic plane
    "]*"
)
_SENTINEL = "\ufdd0"  # a noncharacter: no text has it


def kept(texts: Sequence[str]) -> list[int]:
    """Return the rows of the pieces to keep, in order.

    Those are the pieces of Chinese, kana and Latin-1 letters, digits, punctuation and symbols,
    and single characters of all scripts, so that hardly anything is unknown.
    """
    return [
        row
        for row, text in enumerate(texts)
        if len(text.removeprefix(_META)) <= 1 or _KEPT.fullmatch(text)
    ]


def build_tokenizer(pieces: Pieces, rows: Sequence[int], length: int) -> Tokenizer:
    """Make a tokenizer whose ids count `rows` from 0.

    Args:
        pieces: The whole vocabulary.
        rows: Of the pieces to use; the special pieces are among them.
        length: Tokens after which a text is cut off, the special ones included.
    """
    ids = {row: at for at, row in enumerate(rows)}
    vocabulary = [(pieces.texts[row], pieces.scores[row]) for row in rows]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=ids[pieces.unknown]))
    tokenizer.normalizer = _normalizer(pieces)
    tokenizer.pre_tokenizer = Metaspace(_META, prepend_scheme="always")
    begin, end = pieces.texts[pieces.begin], pieces.texts[pieces.end]
    tokenizer.post_processor = TemplateProcessing(
        single=f"{begin} $A {end}",
        special_tokens=[(begin, ids[pieces.begin]), (end, ids[pieces.end])],
    )
    special = (pieces.begin, pieces.pad, pieces.end, pieces.unknown)
    tokenizer.add_special_tokens(
        [AddedToken(pieces.texts[row], special=True, normalized=False) for row in special]
    )
    tokenizer.enable_truncation(length)
    return tokenizer


def _normalizer(pieces: Pieces) -> normalizers.Normalizer:
    """Return NFKC with the exceptions that SentencePiece makes; blanks become one space."""
    dropped = [old for old, new in pieces.replacements.items() if not new]
    blank = [old for old, new in pieces.replacements.items() if new == " "]
    wave = "～"  # NFKC makes it a tilde, SentencePiece keeps it for Chinese and Japanese
    return normalizers.Sequence(
        [
            normalizers.Replace(wave, _SENTINEL),
            normalizers.NFKC(),
            normalizers.Replace(_SENTINEL, wave),
            normalizers.Replace(Regex(f"[{_escaped(dropped)}]"), ""),
            normalizers.Replace(Regex(f"[ {_escaped(blank)}]+"), " "),
            normalizers.Strip(),
        ]
    )


def _escaped(characters: list[str]) -> str:
    return "".join(f"\\x{{{ord(character):x}}}" for character in characters)
