"""How long a search takes as the corpus grows, without the embedding: `python -m eval.bench.scale`.

Texts are made from the sentences of a set in the form that `wenqu eval --data` reads, vectors are
random around as many centres; so times are real and quality is not measured here.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import faiss
import numpy as np

from bot.settings import Settings
from corpus.document import Document
from corpus.sentences import sentences
from corpus.words import Segmenter
from eval.folder import folder_set
from index.dense import Dense
from index.embed import Vectors
from index.gazetteer import Gazetteer
from index.lexical import Bags, Lexical
from index.rows import Row, rows_of
from index.search import HybridIndex

COLUMNS = 384
_CENTRES = 800
_QUESTIONS = 300
_SENTENCES = 6


class Known:
    """An embedder that costs nothing: it has the vector of each question already."""

    id = "known"
    dimension = COLUMNS

    def __init__(self, vectors: dict[str, Vectors]) -> None:
        """Answer with `vectors`."""
        self._vectors = vectors

    def encode_questions(self, texts: Sequence[str]) -> Vectors:
        """Look the vectors up."""
        return np.stack([self._vectors[text] for text in texts])

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Make none: the index gets its vectors as they are."""
        return np.zeros((len(texts), COLUMNS), np.float32)


def main(argv: Sequence[str] | None = None) -> int:
    """Print p50 and p95 for each size."""
    parser = argparse.ArgumentParser(prog="python -m eval.bench.scale", description=__doc__)
    parser.add_argument("set", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    options = parser.parse_args(argv)
    questions = folder_set(options.set)
    asked = [one.questions[0].text for one in questions.conversations][:_QUESTIONS]
    segmenter = Segmenter(Settings().cache / "jieba")
    dice = np.random.default_rng(0)
    said = [
        document.text[span.start : span.end]
        for document in questions.documents
        for span in sentences(document.text)
    ]
    terms = [segmenter.terms(sentence) for sentence in said]
    centres = _unit(dice.normal(size=(_CENTRES, COLUMNS)))
    near = dict(zip(asked, _near(centres, len(asked), dice), strict=True))
    for size in options.sizes:
        picks = dice.integers(len(said), size=(size, _SENTENCES)).tolist()
        rows = [_row(at, "".join(said[pick] for pick in of_one)) for at, of_one in enumerate(picks)]
        started = time.perf_counter()
        dense = Dense.build(_near(centres, size, dice))
        built = time.perf_counter() - started
        bags = Bags.count([term for pick in of_one for term in terms[pick]] for of_one in picks)
        index = HybridIndex(rows, dense, Lexical.build(bags), Known(near), segmenter, Gazetteer({}))
        p50, p95 = np.percentile(_milliseconds(index, asked), [50, 95])
        sys.stdout.write(
            f"{size:>8} passages, {dense.kind:4} built in {built:6.1f} s: "
            f"p50 {p50:6.2f} ms, p95 {p95:6.2f} ms\n"
        )
        sys.stdout.flush()
    return 0


def _milliseconds(index: HybridIndex, asked: Sequence[str]) -> list[float]:
    faiss.omp_set_num_threads(1)
    spent = []
    for text in asked:
        started = time.perf_counter()
        index.search(text, 10)
        spent.append((time.perf_counter() - started) * 1000)
    return spent


def _row(at: int, text: str) -> Row:
    return rows_of(Document(id=f"{at:07}", title="", text=text, source=""))[0]


def _near(centres: Vectors, count: int, dice: np.random.Generator) -> Vectors:
    noise = dice.normal(size=(count, COLUMNS), scale=0.03)
    return _unit(centres[dice.integers(len(centres), size=count)] + noise)


def _unit(vectors: np.ndarray) -> Vectors:
    scaled: Vectors = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)
    return scaled


if __name__ == "__main__":
    sys.exit(main())
