"""The numbers of the bot, learnt from what it saw of questions whose answers are known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bot.weights import ReaderWeights, Weights

if TYPE_CHECKING:
    from torch import Tensor

Matrix = NDArray[np.float32]
ANSWERED_AT_LEAST = 0.955
_STEPS = 600
_RATE = 0.05
_DECAY = 3e-3
_RERANK = (0.0, 0.25, 0.5, 1.0)  # beyond it, differences are of single questions
_SPANS_RIGHT = 0.88
"""Share of the short answers that are to hold a right one."""


@dataclass(frozen=True, slots=True)
class Example:
    """A question with what the bot saw.

    Attributes:
        set: Name of its set.
        answerable: Whether it has an answer.
        features: Shape (sentences, features), best first by the weights in use.
        holds: Shape (sentences,), whether a sentence of a right document holds the answer.
        signals: Shape (signals,).
        hits: Score, relevance, and whether it is from a right document, of each passage read.
        span: Probability of the words the reader would say, and whether they answer.
    """

    set: str
    answerable: bool
    features: Matrix
    holds: NDArray[np.bool_]
    signals: Matrix
    hits: Sequence[tuple[float, float, bool]] = ()
    span: tuple[float, bool] | None = None


def fit_reader(examples: Sequence[Example]) -> ReaderWeights:
    """Choose the weight of relevance, and from when a span is said alone.

    The first is that with the highest MRR, all sets alike; the second the lowest probability above
    which the wanted share of spans is right.
    """
    used = [example for example in examples if any(right for *_, right in example.hits)]
    shares = _shares([example.set for example in used])
    rerank = max(
        _RERANK,
        key=lambda weight: sum(
            share * _reciprocal(e.hits, weight) for e, share in zip(used, shares, strict=True)
        ),
    )
    spans = sorted((e.span for e in examples if e.span and e.answerable), reverse=True)
    direct, correct = 1.0, 0
    for count, (probability, right) in enumerate(spans, start=1):
        correct += right
        last = count == len(spans) or spans[count][0] < probability  # of equal ones
        if last and correct >= _SPANS_RIGHT * count:
            direct = probability
    return ReaderWeights(rerank, direct)


def _reciprocal(hits: Sequence[tuple[float, float, bool]], weight: float) -> float:
    ranked = sorted(hits, key=lambda hit: -(hit[0] + weight * hit[1]))
    return 1 / (1 + next(at for at, hit in enumerate(ranked) if hit[2]))


def fit_evidence(examples: Sequence[Example]) -> list[float]:
    """Maximise the likelihood that a sentence with the answer is chosen among all, by softmax."""
    import torch  # noqa: PLC0415  # a second to import, and only fitting needs it

    used = [example for example in examples if example.holds.any()]
    mean, deviation = _moments(np.concatenate([example.features for example in used]))
    share = _shares([example.set for example in used])
    longest = max(len(example.holds) for example in used)
    inputs = torch.zeros(len(used), longest, len(mean))
    hidden = torch.full((len(used), longest), -1e9)
    target = torch.zeros(len(used), longest)
    for row, example in enumerate(used):
        size = len(example.holds)
        inputs[row, :size] = torch.tensor((example.features - mean) / deviation)
        hidden[row, :size] = 0
        target[row, :size] = torch.tensor(example.holds.astype(np.float32))

    def loss(weight: "Tensor", _bias: "Tensor") -> "Tensor":
        likely = torch.log_softmax(inputs @ weight + hidden, 1) + torch.log(target + 1e-12)
        return -(torch.logsumexp(likely, 1) * torch.tensor(share)).sum()

    weight, _ = _minimise(loss, len(mean))
    return [float(value) for value in weight / deviation]


def fit_refusal(examples: Sequence[Example]) -> tuple[list[float], float, float]:
    """Fit a logistic regression for «has an answer», scaled to the chance of a right one.

    Returns:
        Weights, bias, and the threshold with the highest F1 of refusals among those at which the
        wanted share of answerable questions of every set is answered on average.
    """
    import torch  # noqa: PLC0415

    used = list(examples)
    inputs = np.stack([example.signals for example in used])
    answerable = np.array([example.answerable for example in used])
    right = np.array([example.answerable and bool(example.holds[:1].any()) for example in used])
    mean, deviation = _moments(inputs)
    share = torch.tensor(_shares([f"{e.set} {e.answerable}" for e in used]))
    scaled = torch.tensor((inputs - mean) / deviation)

    def logistic(values: "Tensor", target: NDArray[np.bool_]) -> "Tensor":
        wanted = torch.tensor(target.astype(np.float32))
        each = torch.nn.functional.binary_cross_entropy_with_logits(
            values, wanted, reduction="none"
        )
        return (each * share).sum()

    weight, bias = _minimise(lambda w, b: logistic(scaled @ w + b, answerable), len(mean))
    logits = torch.tensor(((inputs - mean) / deviation) @ weight + bias)
    slope, offset = _minimise(lambda w, b: logistic(logits * w + b, right), 1, decay=0.0)
    final = weight * slope[0] / deviation
    constant = float(bias * slope[0] + offset - (final * mean).sum())
    odds = inputs @ final + constant
    return [float(value) for value in final], constant, _threshold(odds, answerable, used)


def _threshold(
    odds: NDArray[np.float64], answerable: NDArray[np.bool_], examples: Sequence[Example]
) -> float:
    confidence = 1 / (1 + np.exp(-odds))
    share = np.array(_shares([f"{e.set} {e.answerable}" for e in examples]))
    best, chosen = -1.0, 0.5
    for threshold in np.unique(confidence.round(3)):
        refused = confidence < threshold
        answered = share[answerable & ~refused].sum() / share[answerable].sum()
        caught = share[~answerable & refused].sum() / share[~answerable].sum()
        wrongly = 1 - answered
        f1 = 2 * caught / (1 + caught + wrongly)
        if answered >= ANSWERED_AT_LEAST and f1 > best:
            best, chosen = f1, float(threshold)
    return chosen


def _minimise(
    loss: "Callable[[Tensor, Tensor], Tensor]", size: int, *, decay: float = _DECAY
) -> tuple[Matrix, float]:
    import torch  # noqa: PLC0415

    weight, bias = torch.zeros(size, requires_grad=True), torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([weight, bias], lr=_RATE)
    for _ in range(_STEPS):
        optimizer.zero_grad()
        total = loss(weight, bias) + decay * (weight**2).sum()
        total.backward()  # type: ignore[no-untyped-call]  # torch types it not
        optimizer.step()
    return weight.detach().numpy(), float(bias.detach()[0])


def _moments(rows: Matrix) -> tuple[Matrix, Matrix]:
    return rows.mean(axis=0), rows.std(axis=0) + 1e-6


def _shares(groups: Sequence[str]) -> list[float]:
    """Return weights that sum to 1 and give each group the same."""
    counts = {group: groups.count(group) for group in set(groups)}
    return [1 / (len(counts) * counts[group]) for group in groups]


def written(plain: Weights, read: Weights, reader: ReaderWeights) -> str:
    """Return the content of `bot/weights.toml`."""
    return (
        "# Fitted by `python -m eval.fit`; docs/evaluation.md says on what.\n\n"
        "# How much each feature of a sentence counts; see bot/evidence.py.\n"
        f"{_table(plain, '')}\n"
        "# The reader's own numbers; see bot/reading.py.\n"
        f"[reader]\nrerank = {reader.rerank:.3f}\ndirect = {reader.direct:.3f}\n\n"
        "# The same as above for passages that were read.\n"
        f"{_table(read, 'reader.')}"
    )


def _table(known: Weights, prefix: str) -> str:
    def rows(values: Mapping[str, float]) -> str:
        return "".join(f"{name} = {value:.3f}\n" for name, value in values.items())

    return (
        f"[{prefix}evidence]\n{rows(known.evidence)}\n"
        "# How much each signal counts for an answer; see bot/refuse.py. Below the threshold, it "
        "is refused.\n"
        f"[{prefix}refusal]\nthreshold = {known.threshold:.3f}\nbias = {known.bias:.3f}\n\n"
        f"[{prefix}refusal.signals]\n{rows(known.signals)}"
    )
