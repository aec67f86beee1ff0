"""From rows to vectors and term counts, made anew only where they are not known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from corpus.words import Segmenter
from index.dense import Dense
from index.embed import Embedder, Progress, Vectors
from index.lexical import Bags
from index.rows import Row, search_text

_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Known:
    """Vectors and bags that were made before, with the embedder and segmenter of now.

    Attributes:
        keys: Of rows; equal keys have equal vectors and terms.
        dense: Their vectors in the same order, None if these are lost.
        bags: Their bags, likewise.
    """

    keys: Sequence[str]
    dense: Dense | None = None
    bags: Bags | None = None


def features(
    known: Sequence[Known],
    rows: Sequence[Row],
    embedder: Embedder,
    segmenter: Segmenter,
    progress: Progress,
) -> tuple[Vectors, Bags, int]:
    """Return the vector and the bag of each row, and how many vectors had to be made.

    Args:
        known: What is in the first of these is taken from there, then from the next.
        rows: In the order of the result.
        embedder: Makes the missing vectors.
        segmenter: Makes the missing bags.
        progress: Told of the stage `embed`.
    """
    keys = [row.key for row in rows]
    by_key = {row.key: row for row in rows}
    dense = [(each.keys, each.dense) for each in known if each.dense is not None]
    lost = _missing(keys, [of for of, _ in dense])
    made = _embed([_text(by_key[key]) for key in lost], embedder, progress)
    places = _places([*(of for of, _ in dense), lost])
    every = [each.vectors(range(len(each))) for _, each in dense]
    vectors = np.concatenate([*every, made])[[places[key] for key in keys]]

    counted = [(each.keys, each.bags) for each in known if each.bags is not None]
    uncounted = _missing(keys, [of for of, _ in counted])
    bags = Bags.count(segmenter.terms(_text(by_key[key])) for key in uncounted)
    places = _places([uncounted, *(of for of, _ in counted)])
    for _, each in counted:
        bags = bags.joined(each)
    return vectors, bags.pick([places[key] for key in keys]), len(lost)


def _text(row: Row) -> str:
    return search_text(row.title, row.passage.headings, row.passage.text)


def _missing(keys: Sequence[str], known: Sequence[Sequence[str]]) -> list[str]:
    there = {key for of_one in known for key in of_one}
    return [key for key in dict.fromkeys(keys) if key not in there]


def _places(parts: Sequence[Sequence[str]]) -> dict[str, int]:
    """Return key to where it stands in all parts, one after the other; the first counts."""
    every = [key for part in parts for key in part]
    return {key: at for at, key in reversed(list(enumerate(every)))}


def _embed(texts: list[str], embedder: Embedder, progress: Progress) -> Vectors:
    made = np.zeros((len(texts), embedder.dimension), np.float32)
    for at in range(0, len(texts), _AT_ONCE):
        progress("embed", at / len(texts))
        made[at : at + _AT_ONCE] = embedder.encode_passages(texts[at : at + _AT_ONCE])
    progress("embed", 1.0)
    return made
