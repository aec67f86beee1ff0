"""A sentence taken apart for comparison: clauses with their words, numbers and negations."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from bot.llm.figures import Figure, figures
from bot.llm.wording import wording
from corpus.fold import fold
from corpus.words import Segmenter, Word

_COMMA = re.compile(r"[，；：;。！？!?…\n]|——|(?<![0-9])[,:]|[,:](?![0-9])")
_HAN = re.compile(r"[\u3400-\u9fff]")
_PHRASE = re.compile(r"[a-z0-9][!-~]*(?: [a-z0-9][!-~]*)+")
_LATIN = re.compile(r"[a-z]")
_DIGITS = re.compile(r"[0-9.,:%‰〇零一二两三四五六七八九十百千万亿]+")
_LETTER = re.compile(r"[a-z0-9]")


@dataclass(frozen=True)
class Clause:
    """A part of a sentence between commas.

    Attributes:
        text: Folded.
        words: In order, folded, with their places in `text`.
    """

    text: str
    words: tuple[Word, ...]

    @cached_property
    def figures(self) -> tuple[Figure, ...]:
        """The numbers in it."""
        return tuple(figures(self.text))

    @cached_property
    def telling(self) -> tuple[Word, ...]:
        """The words that carry a fact; those of numbers are left out, which `figures` has."""
        places = [(figure.start, figure.end) for figure in self.figures]
        return tuple(
            word
            for word in self.words
            if word.text not in wording().glue
            and not any(start <= word.start and word.end <= end for start, end in places)
            and not _DIGITS.fullmatch(word.text)
        )

    @property
    def phrases(self) -> list[str]:
        """Latin words that follow each other among Chinese: such a name stays in one piece."""
        if not _HAN.search(self.text):
            return []
        starts = [figure.start for figure in self.figures if figure.unit]  # «Docker 2013 年»
        found = []
        for phrase in _PHRASE.finditer(self.text):
            end = min([at for at in starts if at > phrase.start()] + [phrase.end()])
            found.append(self.text[phrase.start() : min(end, phrase.end())].strip())
        return [phrase for phrase in found if " " in phrase]

    @property
    def lead(self) -> str:
        """Its first telling word, most often what it speaks of; "" if there is none."""
        return self.telling[0].text if self.telling else ""

    @cached_property
    def negated(self) -> tuple[tuple[str, ...], ...]:
        """What it says is not so: the one or two telling words after each negator."""
        return tuple(
            tuple(word.text[max(at - word.start, 0) :] for word in self.telling if word.end > at)[
                :2
            ]
            for at in _negators(self.text)
        )

    def followed_by(self, other: "Clause") -> "Clause":
        """Return this clause and `other` as one."""
        shift = len(self.text) + 1
        moved = (Word(word.text, word.start + shift, word.end + shift) for word in other.words)
        return Clause(f"{self.text},{other.text}", (*self.words, *moved))


def clauses(text: str, segmenter: Segmenter) -> list[Clause]:
    """Take a sentence apart."""
    parts = [fold(part).strip() for part in _COMMA.split(text)]
    return [Clause(part, tuple(segmenter.words(part))) for part in parts if part]


def is_name(word: str) -> bool:
    """Whether a folded word is written in Latin letters."""
    return bool(_LATIN.search(word))


def place(word: str, text: str, start: int = 0) -> int:
    """Return where folded `text` has `word`, a Latin one only as a whole; -1 if nowhere."""
    at = text.find(word, start)
    while at >= 0 and not _is_whole(word, text, at):
        at = text.find(word, at + 1)
    return at


def _is_whole(word: str, text: str, at: int) -> bool:
    end = at + len(word)
    begins = not (_LETTER.match(word[0]) and at and _LETTER.match(text[at - 1]))
    ends = not (_LETTER.match(word[-1]) and end < len(text) and _LETTER.match(text[end]))
    return begins and ends


def _negators(folded: str) -> Iterator[int]:
    """Yield where each negator ends."""
    known = wording()
    for harmless in known.positive:
        folded = folded.replace(harmless, "·" * len(harmless))
    at = 0
    while at < len(folded):
        negator = _begin(folded, at, known.negators)
        at += len(negator) or 1
        if negator:
            yield at


def _begin(folded: str, at: int, words: Sequence[str]) -> str:
    """Return the first of `words` that stands at `at`, a Latin one only as a whole."""
    return next(
        (word for word in words if folded.startswith(word, at) and _is_whole(word, folded, at)), ""
    )
