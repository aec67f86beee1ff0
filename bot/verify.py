"""Whether a quotation carries the sentence that cites it."""

import re
from collections.abc import Sequence

from corpus.fold import fold
from corpus.words import names

MARKER = re.compile(r"\[([0-9]+)\]")
_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]+)*")
_DATE = re.compile(r" (?=[0-9]{1,4} ?(?:年|月|日|世纪))")
_SIGNS = re.compile(r"[^\w]+")


def without_markers(text: str) -> str:
    """Return `text` without its `[n]`."""
    return MARKER.sub("", text)


def supported(claim: str, quotes: Sequence[str]) -> bool:
    """Whether the quotes say what `claim` says.

    Every number and every Latin name of the claim has to stand in a quote as a whole, and two
    thirds of the bigrams of its Chinese have to. Exact words pass; a changed year does not.

    Args:
        claim: One sentence, with or without markers.
        quotes: What it cites, as in the documents.
    """
    said = fold(without_markers(claim))
    evidence = fold("\n".join(quotes))
    if _SIGNS.sub("", said) in _SIGNS.sub("", evidence):
        return _SIGNS.sub("", said) != ""
    numbers = set(_NUMBER.findall(said)) - set(_NUMBER.findall(evidence))
    latin = _latin(said) - _latin(evidence)
    if numbers or any(name not in evidence for name in latin):
        return False
    pairs = _bigrams(said)
    return bool(pairs) and len(pairs & _bigrams(evidence)) / len(pairs) >= 2 / 3


def _latin(folded: str) -> set[str]:
    # the number of «Docker 2013 年» is no part of the name, that of «Solaris 10» is
    return {name.text for name in names(_DATE.sub(", ", folded))}


def _bigrams(text: str) -> set[str]:
    plain = _SIGNS.sub("", text)
    return {plain[at : at + 2] for at in range(len(plain) - 1)}
