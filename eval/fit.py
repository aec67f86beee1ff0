"""Learns the weights of evidence and refusal: `python -m eval.fit --data DIR … --out weights.toml`.

They are learnt twice, for passages that the reader has read and for others. The bundled questions
and each set given take part with their tuning half, all sets with the same weight. The test halves
are not looked at.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import get_args

import numpy as np

from bot.bot import Bot, Weighed
from bot.reading import Use
from bot.runtime import Runtime
from bot.settings import Settings
from bot.weights import Weights, weights
from corpus.document import Passage
from eval.indexing import apart, bot_over
from eval.learn import Example, fit_evidence, fit_reader, fit_refusal, written
from eval.metrics import contains
from eval.questions import GoldQuestion, QuestionSet
from eval.session import Wish, question_set


def main(argv: Sequence[str] | None = None) -> int:
    """Fit and write the weights."""
    parser = argparse.ArgumentParser(prog="python -m eval.fit", description=__doc__)
    parser.add_argument("--data", type=Path, nargs="*", default=[])
    parser.add_argument("--limit", type=int, default=400, help="questions a set")
    parser.add_argument("--out", type=Path, default=Path("weights.toml"))
    options = parser.parse_args(argv)
    every = frozenset(get_args(Use))
    settings = apart(Settings()).model_copy(update={"reader": tuple(every)})
    runtime = Runtime.open(settings, threads=os.cpu_count() or 1)
    wishes = [Wish(split="tune"), *(Wish(data, "tune", options.limit) for data in options.data)]
    plain, read = [], []
    for wish in wishes:
        questions = question_set(wish)
        library = bot_over(runtime, questions).library
        plain += _examples(Bot(library), questions)
        read += _examples(Bot(library, runtime.reader, every), questions)
    text = written(_fitted(plain, read=False), _fitted(read, read=True), fit_reader(read))
    options.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0


def _fitted(examples: Sequence[Example], *, read: bool) -> Weights:
    known = weights(read=read)
    evidence = fit_evidence(examples)
    signals, bias, threshold = fit_refusal(examples)
    return Weights(
        dict(zip(known.evidence, evidence, strict=True)),
        dict(zip(known.signals, signals, strict=True)),
        bias,
        threshold,
    )


def _examples(bot: Bot, questions: QuestionSet) -> list[Example]:
    found = []
    for conversation in questions.conversations:
        question = conversation.questions[0]
        if question.expected != "chat" and not conversation.history:
            found.extend(_example(bot, question, questions.name))
    sys.stderr.write(f"{questions.name}: {len(found)} questions\n")
    return found


def _example(bot: Bot, gold: GoldQuestion, name: str) -> list[Example]:
    prepared = bot.prepare(gold.text)
    weighed = bot.weigh(prepared) if prepared.hits else None
    if weighed is None or not weighed.evidence:
        return []
    right = {*gold.documents, *gold.alternatives}
    known = weights(read=bool(weighed.readings.by_id))
    readings = weighed.readings.by_id
    return [
        Example(
            name,
            gold.expected == "answer",
            np.array(
                [[e.features[f] for f in known.evidence] for e in weighed.evidence], np.float32
            ),
            np.array([_holds(e.passage, e.text, gold, right) for e in weighed.evidence], np.bool_),
            np.array([weighed.judgement.signals[s] for s in known.signals], np.float32),
            [
                (hit.score, readings[hit.passage.id].relevance, hit.passage.document_id in right)
                for hit in prepared.hits
                if hit.passage.id in readings
            ],
            _span(weighed, gold, right),
        )
    ]


def _holds(passage: Passage, text: str, gold: GoldQuestion, right: AbstractSet[str]) -> bool:
    return passage.document_id in right and bool(gold.answers) and contains(text, gold.answers)


def _span(
    weighed: Weighed, gold: GoldQuestion, right: AbstractSet[str]
) -> tuple[float, bool] | None:
    """Return how sure the reader is of its words in the first passage, and whether they answer."""
    passage = weighed.evidence[0].passage
    reading = weighed.readings.by_id.get(passage.id)
    best = reading.best() if reading else None
    if best is None:
        return None
    words = passage.text[best.start : best.end]
    return best.probability, _holds(passage, words, gold, right)


if __name__ == "__main__":
    sys.exit(main())
