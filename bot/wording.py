"""A question in the words of the corpus: slips in Latin names, words of another region."""

from collections.abc import Iterator
from functools import lru_cache

from opencc import OpenCC
from rapidfuzz import process
from rapidfuzz.distance import OSA

from bot.lexicon import lexicon
from bot.messages import in_script_of
from corpus.fold import fold
from corpus.words import Word
from index.search import HybridIndex

_SHORTEST = 5
"""Letters; «LXD» is not «LXC» with a slip."""
_LETTERS_TO_A_SLIP = 9


def in_words_of(index: HybridIndex, question: str) -> str:
    """Return `question` with what no text has replaced by what it may stand for there.

    A Latin word one slip away from a single name of the corpus, two from 18 letters on, becomes
    that name: «dokcer», «Docker». A word of Taiwan or of the mainland becomes the other's, «軟體»,
    «软件», if the corpus has that one. What the corpus knows is never touched.
    """
    said = question
    for word in reversed(index.segmenter.words(question)):
        if word.text in lexicon().asking or index.lexical.knows(word.text):
            continue
        typed = question[word.start : word.end]
        meant = _name_meant(index, word) if typed.isascii() else _regional(index, typed)
        if meant:
            said = said[: word.start] + in_script_of(question, meant) + said[word.end :]
    return said


def _name_meant(index: HybridIndex, word: Word) -> str:
    """Return the only name of the corpus that `word` is a slip of, or "".

    A slip is a letter too many, missing, wrong or swapped with its neighbour (optimal string
    alignment); the first letter is nearly always right.
    """
    if len(word.text) < _SHORTEST or not word.text.isalpha():
        return ""
    known = index.gazetteer.words
    near = process.extract(
        word.text,
        [name for name in known if name[0] == word.text[0] and len(name) >= _SHORTEST],
        scorer=OSA.distance,
        score_cutoff=max(1, len(word.text) // _LETTERS_TO_A_SLIP),
        limit=2,
    )
    nearest = [name for name, slips, _ in near if slips == near[0][1]]
    return known[nearest[0]] if len(nearest) == 1 else ""


def _regional(index: HybridIndex, word: str) -> str:
    known = (
        other
        for other in _elsewhere(word)
        if all(index.lexical.knows(term) for term in index.segmenter.terms(other))
    )
    return next(known, "")


def _elsewhere(word: str) -> Iterator[str]:
    """Yield what the mainland and Taiwan say for `word` where that is another word, simplified."""
    to_mainland, to_taiwan = _phrases()
    for converted in (to_mainland.convert(word), fold(to_taiwan.convert(fold(word)))):
        if fold(converted) != fold(word):
            yield converted


@lru_cache(maxsize=1)
def _phrases() -> tuple[OpenCC, OpenCC]:
    return OpenCC("tw2sp"), OpenCC("s2twp")
