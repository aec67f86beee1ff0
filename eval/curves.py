"""The curves of a report, as numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.outcome import Outcome
from eval.statistic import bin_of
from eval.trust import confidence_and_loss, confidence_and_right

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Replies of about the same confidence.

    Attributes:
        confidence: Their mean confidence.
        right: The share of them that is right.
        count: How many there are.
    """

    confidence: float
    right: float
    count: int


def reliability(outcomes: Sequence[Outcome], bins: int = BINS) -> list[Bin]:
    """Return the bins of a reliability diagram, of equal width; empty ones are left out.

    On the diagonal, confidence is what it says: of replies at 0.8, four in five are right.
    """
    rows = np.array([row for outcome in outcomes for row in confidence_and_right(outcome)])
    if not len(rows):
        return []
    into = bin_of(rows[:, 0], bins)
    found = []
    for number in np.unique(into):
        inside = rows[into == number]
        confidence, good = inside.mean(axis=0)
        found.append(Bin(float(confidence), float(good), len(inside)))
    return found


def risk_coverage(outcomes: Sequence[Outcome]) -> list[tuple[float, float]]:
    """Return coverage and risk for each threshold that tells replies apart, least coverage first.

    Coverage is the share of the questions that are answered if those below the threshold are
    refused, risk the share of wrong answers among them (El-Yaniv, Wiener 2010).
    """
    rows = sorted(
        (row for outcome in outcomes for row in confidence_and_loss(outcome)), reverse=True
    )
    curve = []
    lost = 0.0
    for taken, (confidence, loss) in enumerate(rows, start=1):
        lost += loss
        if taken == len(rows) or rows[taken][0] != confidence:
            curve.append((taken / len(rows), lost / taken))
    return curve


@dataclass(frozen=True, slots=True)
class Threshold:
    """What a threshold of confidence would do.

    Attributes:
        at: Replies below are refused.
        answered: Share of the answerable questions that are answered.
        refused: Share of the unanswerable questions that are refused.
        f1: Of refusing; see `eval.trust.refused`.
    """

    at: float
    answered: float
    refused: float
    f1: float


def trade_off(outcomes: Sequence[Outcome]) -> list[Threshold]:
    """Return what each threshold would do, the lowest first; empty unless both kinds were asked.

    A reply without a confidence, such as small talk, is none that a threshold decides on.
    """
    asked = [
        (outcome.reply.confidence, outcome.question.expected == "refusal")
        for outcome in outcomes
        if outcome.question.expected != "chat" and outcome.reply.kind in {"grounded", "refusal"}
    ]
    should = sum(bad for _, bad in asked)
    if not 0 < should < len(asked):
        return []
    found = []
    for at in sorted({0.0, *(confidence for confidence, _ in asked)}):
        refused = [bad for confidence, bad in asked if confidence < at]
        wrongly = len(refused) - sum(refused)
        found.append(
            Threshold(
                at,
                answered=1 - wrongly / (len(asked) - should),
                refused=sum(refused) / should,
                f1=2 * sum(refused) / (len(refused) + should),
            )
        )
    return found
