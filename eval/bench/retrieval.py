"""How well passages are found by either retriever and by both: `python -m eval.bench.retrieval`.

Each folder is a set in the form that `wenqu eval --data` reads. All paragraphs of a set are one
corpus, a document each; a document counts as found at the rank of its best passage.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.runtime import Runtime
from bot.settings import Settings
from eval.indexing import apart, bot_over
from eval.metrics import recall, reciprocal_rank
from eval.questions import QuestionSet
from eval.session import Wish, question_set
from index.search import WEIGHTS, HybridIndex

DOCUMENTS = 10
_PASSAGES = 40
_WAYS: Mapping[str, Mapping[str, float]] = {
    "dense alone": {"dense": 1.0, "bm25": 0.0},
    "BM25 alone": {"dense": 0.0, "bm25": 1.0},
    "both": WEIGHTS,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table for each set."""
    parser = argparse.ArgumentParser(prog="python -m eval.bench.retrieval", description=__doc__)
    parser.add_argument("sets", type=Path, nargs="+")
    parser.add_argument("--limit", type=int, default=None, help="questions a set")
    options = parser.parse_args(argv)
    runtime = Runtime.open(apart(Settings()), threads=os.cpu_count() or 1)
    for folder in options.sets:
        questions = question_set(Wish(folder, limit=options.limit))
        generation = bot_over(runtime, questions).library.generation()
        if generation is None:
            message = f"{folder}: no documents"
            raise ValueError(message)
        size = len(questions.conversations)
        sys.stdout.write(f"\n{questions.name}: {size} questions, {len(generation.rows)} passages\n")
        sys.stdout.write(f"{'':12}  MRR@10   R@1      R@5      R@10\n")
        for way, weights in _WAYS.items():
            scores = _scores(questions, generation.index, weights)
            sys.stdout.write(f"{way:12}  {'   '.join(f'{score:.4f}' for score in scores)}\n")
            sys.stdout.flush()
    return 0


def _scores(
    questions: QuestionSet, index: HybridIndex, weights: Mapping[str, float]
) -> list[float]:
    rows = []
    for conversation in questions.conversations:
        question = conversation.questions[0]
        hits = index.search(question.text, _PASSAGES, weights=weights)
        found = list(dict.fromkeys(hit.passage.document_id for hit in hits))[:DOCUMENTS]
        right = {*question.documents, *question.alternatives}
        rows.append(
            [
                reciprocal_rank(found, right, k=DOCUMENTS),
                *(float(recall(found, right, k=k) > 0) for k in (1, 5, DOCUMENTS)),
            ]
        )
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


if __name__ == "__main__":
    sys.exit(main())
