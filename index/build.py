"""From rows to vectors and term counts, made anew only where they are not known."""

from collections.abc import Sequence

import numpy as np

from corpus.words import Segmenter
from index.embed import Embedder, Progress, Vectors
from index.lexical import Bags
from index.rows import Row, search_text
from index.store import Generation

_AT_ONCE = 256


def features(
    previous: Generation | None,
    rows: Sequence[Row],
    embedder: Embedder,
    segmenter: Segmenter,
    progress: Progress,
) -> tuple[Vectors, Bags, int]:
    """Return the vector and the bag of each row, and how many had to be made.

    Args:
        previous: Made with the same embedder and segmenter; what it has is taken from there.
        rows: In the order of the result.
        embedder: Makes the missing vectors.
        segmenter: Makes the missing bags.
        progress: Told of the stage `embed`.
    """
    known: dict[str, int] = {}
    if previous is not None:
        known = {previous.rows[at].key: at for at in range(len(previous.rows))}
    texts: dict[str, str] = {}
    for row in rows:
        if row.key not in known and row.key not in texts:
            texts[row.key] = search_text(row.title, row.passage.headings, row.passage.text)
    vectors = _embed(list(texts.values()), embedder, progress)
    bags = Bags.count(segmenter.terms(text) for text in texts.values())
    if previous is not None:
        vectors = np.concatenate([previous.index.dense.vectors(range(len(previous.rows))), vectors])
        bags = previous.bags.joined(bags)
        known.update({key: len(previous.rows) + at for at, key in enumerate(texts)})
    else:
        known = {key: at for at, key in enumerate(texts)}
    order = [known[row.key] for row in rows]
    return vectors[order], bags.pick(order), len(texts)


def _embed(texts: list[str], embedder: Embedder, progress: Progress) -> Vectors:
    made = np.zeros((len(texts), embedder.dimension), np.float32)
    for at in range(0, len(texts), _AT_ONCE):
        progress("embed", at / len(texts))
        made[at : at + _AT_ONCE] = embedder.encode_passages(texts[at : at + _AT_ONCE])
    progress("embed", 1.0)
    return made
