"""Which questions went wrong, and how badly."""

from collections.abc import Sequence

from eval.outcome import Outcome, right

_VERDICTS = {
    ("answer", "grounded"): "答错",
    ("answer", "refusal"): "误拒",
    ("answer", "chat"): "当成寒暄",
    ("refusal", "grounded"): "该拒未拒",
    ("refusal", "chat"): "当成寒暄",
    ("chat", "grounded"): "把寒暄当成提问",
    ("chat", "refusal"): "把寒暄当成提问",
}


def regret(outcome: Outcome) -> float:
    """Return how bad the reply is: 0 if it is as it should be, more the surer it was of itself.

    From the worst: an error; an answer that is wrong or should not be; a refusal that should not
    be. Without a known wording, an answer is taken to be right.
    """
    question, reply = outcome.question, outcome.reply
    if reply.kind == "error":
        return 3.0
    if question.expected == "chat":
        return float(reply.kind != "chat")
    if question.expected == "refusal":
        return 0.0 if reply.kind == "refusal" else 1 + reply.confidence
    if reply.kind == "refusal":
        return 1 - reply.confidence / 2
    worded = bool(question.answers or question.answers_all)
    return 1 + reply.confidence if worded and not right(outcome) else 0.0


def worst(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes that are not as they should be, the worst first, equal ones by id."""
    bad = [outcome for outcome in outcomes if regret(outcome) > 0]
    return sorted(bad, key=lambda outcome: (-regret(outcome), outcome.question.id))


def verdict(outcome: Outcome) -> str:
    """Return in a word what went wrong."""
    return _VERDICTS.get((outcome.question.expected, outcome.reply.kind), "出错")
