"""Learns the weights of evidence and refusal: `python -m eval.fit --data DIR … --out weights.toml`.

The bundled questions and each set given take part with their tuning half, all sets with the same
weight. The test halves are not looked at.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bot.bot import Bot
from bot.evidence import gather
from bot.question import understand
from bot.refuse import measure
from bot.runtime import Runtime
from bot.settings import Settings
from bot.weights import weights
from eval.indexing import apart, bot_over
from eval.metrics import contains
from eval.questions import GoldQuestion
from eval.session import Wish, question_set

if TYPE_CHECKING:
    from torch import Tensor

Matrix = NDArray[np.float32]
ANSWERED_AT_LEAST = 0.955
_STEPS = 600
_RATE = 0.05
_DECAY = 3e-3


@dataclass(frozen=True, slots=True)
class Example:
    """A question with what the bot saw.

    Attributes:
        set: Name of its set.
        answerable: Whether it has an answer.
        features: Shape (sentences, features), best first by the weights in use.
        holds: Shape (sentences,), whether a sentence of a right document holds the answer.
        signals: Shape (signals,).
    """

    set: str
    answerable: bool
    features: Matrix
    holds: NDArray[np.bool_]
    signals: Matrix


def main(argv: Sequence[str] | None = None) -> int:
    """Fit and write the weights."""
    parser = argparse.ArgumentParser(prog="python -m eval.fit", description=__doc__)
    parser.add_argument("--data", type=Path, nargs="*", default=[])
    parser.add_argument("--limit", type=int, default=400, help="questions a set")
    parser.add_argument("--out", type=Path, default=Path("weights.toml"))
    options = parser.parse_args(argv)
    runtime = Runtime.open(apart(Settings()), threads=os.cpu_count() or 1)
    wishes = [Wish(split="tune"), *(Wish(data, "tune", options.limit) for data in options.data)]
    examples: list[Example] = []
    for wish in wishes:
        examples.extend(_examples(runtime, wish))
    names, signals = list(weights().evidence), list(weights().signals)
    evidence = fit_evidence(examples)
    refusal, bias, threshold = fit_refusal(examples)
    text = written(
        dict(zip(names, evidence, strict=True)),
        dict(zip(signals, refusal, strict=True)),
        bias,
        threshold,
    )
    options.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0


def _examples(runtime: Runtime, wish: Wish) -> list[Example]:
    questions = question_set(wish)
    bot = bot_over(runtime, questions)
    found = []
    for conversation in questions.conversations:
        question = conversation.questions[0]
        if question.expected != "chat" and not conversation.history:
            found.extend(_example(bot, question, questions.name))
    sys.stderr.write(f"{questions.name}: {len(found)} questions\n")
    return found


def _example(bot: Bot, gold: GoldQuestion, name: str) -> list[Example]:
    prepared = bot.prepare(gold.text)
    if prepared.index is None or not prepared.hits:
        return []
    question = understand(gold.text, prepared.index.segmenter, prepared.index.gazetteer)
    evidence = gather(question, prepared.hits, prepared.index)
    right = {*gold.documents, *gold.alternatives}
    holds = [
        e.passage.document_id in right and bool(gold.answers) and contains(e.text, gold.answers)
        for e in evidence
    ]
    signals = measure(question, prepared.hits, evidence, prepared.index)
    known = weights()
    return [
        Example(
            name,
            gold.expected == "answer",
            np.array([[e.features[f] for f in known.evidence] for e in evidence], np.float32),
            np.array(holds, np.bool_),
            np.array([signals[s] for s in known.signals], np.float32),
        )
    ]


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


def written(
    evidence: Mapping[str, float], signals: Mapping[str, float], bias: float, threshold: float
) -> str:
    """Return the content of `bot/weights.toml`."""

    def rows(values: Mapping[str, float]) -> str:
        return "".join(f"{name} = {value:.3f}\n" for name, value in values.items())

    return (
        "# Fitted by `python -m eval.fit`; docs/evaluation.md says on what.\n\n"
        "# How much each feature of a sentence counts; see bot/evidence.py.\n"
        f"[evidence]\n{rows(evidence)}\n"
        "# How much each signal counts for an answer; see bot/refuse.py. Below the threshold, it "
        "is refused.\n"
        f"[refusal]\nthreshold = {threshold:.3f}\nbias = {bias:.3f}\n\n"
        f"[refusal.signals]\n{rows(signals)}"
    )


if __name__ == "__main__":
    sys.exit(main())
