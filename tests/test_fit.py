import tomllib

import numpy as np
import pytest

from bot.weights import weights
from eval.fit import Example, fit_evidence, fit_refusal, written

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


def test_what_is_written_is_what_the_bot_reads() -> None:
    known = weights()
    text = written(known.evidence, known.signals, known.bias, known.threshold)
    data = tomllib.loads(text)
    assert data["evidence"] == known.evidence
    assert data["refusal"]["signals"] == known.signals
    assert (data["refusal"]["bias"], data["refusal"]["threshold"]) == (known.bias, known.threshold)
