"""What is measured of one question about refusing and about confidence, as in `eval.measured`."""

from corpus.fold import fold
from eval.measured import Row
from eval.outcome import Outcome, right
from eval.questions import NEAR_MISSES


def refused(outcome: Outcome) -> list[Row]:
    """Whether it was refused, and whether it should have been: rows for precision, recall, F1.

    Questions that cannot be answered are the positive class (as in SQuAD 2.0, Rajpurkar, Jia,
    Liang 2018, and for selective answering in Kamath, Jia, Liang 2020).
    """
    if outcome.question.expected == "chat":
        return []
    should = outcome.question.expected == "refusal"
    return [(float(outcome.reply.kind == "refusal"), float(should))]


def answered(outcome: Outcome) -> list[Row]:
    """Whether a question that can be answered got an answer with sources."""
    if outcome.question.expected != "answer":
        return []
    return [(float(outcome.reply.kind == "grounded"),)]


def refused_near_miss(outcome: Outcome) -> list[Row]:
    """Whether a question about a known subject, for a fact that is nowhere, was refused."""
    return _refusal_rows(outcome, near=True)


def refused_topic_absent(outcome: Outcome) -> list[Row]:
    """Whether a question about a subject that is nowhere was refused."""
    return _refusal_rows(outcome, near=False)


def names_missing(outcome: Outcome) -> list[Row]:
    """Whether a refusal that is due names what is missing, where the question itself does."""
    question, reply = outcome.question, outcome.reply
    asked = [word for word in question.missing if fold(word) in fold(question.text)]
    if question.expected != "refusal" or reply.kind != "refusal" or not asked:
        return []
    return [(float(any(fold(word) in fold(reply.text) for word in asked)),)]


def confidence_and_loss(outcome: Outcome) -> list[Row]:
    """The confidence and 1 if the answer is wrong; see `outcome.right`."""
    good = None if outcome.question.expected == "chat" else right(outcome)
    return [] if good is None else [(outcome.reply.confidence, float(not good))]


def confidence_and_right(outcome: Outcome) -> list[Row]:
    """The confidence and 1 if the answer is right; see `outcome.right`."""
    return [(confidence, 1 - loss) for confidence, loss in confidence_and_loss(outcome)]


def squared_error(outcome: Outcome) -> list[Row]:
    """`(confidence - right)^2`, whose mean is the score of Brier 1950."""
    return [((confidence - good) ** 2,) for confidence, good in confidence_and_right(outcome)]


def talked(outcome: Outcome) -> list[Row]:
    """Whether small talk got a few words instead of a search."""
    if outcome.question.expected != "chat":
        return []
    return [(float(outcome.reply.kind == "chat"),)]


def _refusal_rows(outcome: Outcome, *, near: bool) -> list[Row]:
    question = outcome.question
    if question.expected != "refusal" or (question.kind in NEAR_MISSES) != near:
        return []
    return [(float(outcome.reply.kind == "refusal"),)]
