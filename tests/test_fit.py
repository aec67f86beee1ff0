import tomllib
from dataclasses import replace

import numpy as np
import pytest

from bot.weights import reader_weights, weights
from eval.learn import Example, fit_evidence, fit_reader, fit_refusal, written

pytestmark = pytest.mark.slow  # imports torch


def examples(seed: int) -> list[Example]:
    """Sentences whose first feature tells the answer, signals whose first tells an answer."""
    dice = np.random.default_rng(seed)
    made = []
    for at in range(120):
        answerable = at % 2 == 0
        features = dice.normal(size=(6, 3)).astype(np.float32)
        holds = np.zeros(6, np.bool_)
        if answerable:
            holds[np.argmax(features[:, 0])] = True
        order = np.argsort(~holds, kind="stable")
        signals = np.array([3.0 if answerable else -3.0, dice.normal()], np.float32)
        made.append(
            Example("set", answerable, features[order], holds[order], signals + dice.normal())
        )
    return made


def test_the_feature_that_tells_gets_the_weight() -> None:
    first, second, third = fit_evidence(examples(0))
    assert first > 3
    assert abs(second) < first / 5
    assert abs(third) < first / 5


def test_the_signal_that_tells_decides_and_few_answers_are_lost() -> None:
    train, test = examples(1), examples(2)
    learnt, bias, threshold = fit_refusal(train)
    odds = np.stack([example.signals for example in test]) @ np.array(learnt) + bias
    refused = 1 / (1 + np.exp(-odds)) < threshold
    answerable = np.array([example.answerable for example in test])
    assert refused[~answerable].mean() > 0.8
    assert refused[answerable].mean() < 0.15


def test_relevance_counts_as_much_as_it_helps_the_right_document_up() -> None:
    helps = [(1.0, 0.1, False), (0.7, 0.9, True)]
    assert fit_reader([made_with(helps, None)]).rerank == 0.5  # 1.05 against 1.15
    hurts = [(1.0, 0.1, True), (0.8, 0.9, False)]
    assert fit_reader([made_with(hurts, None)]).rerank == 0


def test_words_are_said_alone_from_where_most_of_them_are_right() -> None:
    sure = [made_with([], (0.9 - at / 1000, True)) for at in range(20)]
    unsure = [made_with([], (0.4, False)) for _ in range(20)]
    assert fit_reader([*sure, *unsure]).direct == pytest.approx(0.9 - 19 / 1000)
    assert fit_reader(unsure).direct == 1.0


def made_with(hits: list[tuple[float, float, bool]], span: tuple[float, bool] | None) -> Example:
    return replace(examples(0)[0], hits=hits, span=span)


def test_what_is_written_is_what_the_bot_reads() -> None:
    plain, read, reader = weights(), weights(read=True), reader_weights()
    data = tomllib.loads(written(plain, read, reader))
    for known, said in ((plain, data), (read, data["reader"])):
        assert said["evidence"] == known.evidence
        assert said["refusal"]["signals"] == known.signals
        assert said["refusal"]["bias"] == known.bias
        assert said["refusal"]["threshold"] == known.threshold
    assert data["reader"]["rerank"] == reader.rerank
    assert data["reader"]["direct"] == reader.direct
