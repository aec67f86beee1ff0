"""Training: one loop, resumable at any step."""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from eval.reader.examples import Example, Item, epoch
from eval.reader.network import Batch, ReaderNetwork
from index.pair import Pair, pair

CHECKPOINT = "checkpoint.pt"
CURVE = "curve.jsonl"
_SORTED = 64
"""Batches whose examples are sorted by length together, so that little is padded."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train.

    Attributes:
        epochs: Times that every question is seen.
        batch: Pairs a step.
        rate: Highest learning rate, of the last layer.
        decay_by_layer: Share of the rate that the layer below has.
        warm: Share of the steps in which the rate rises.
        head_rate: Learning rate of the heads.
        seed: Of everything drawn.
        every: Steps between checkpoints.
    """

    epochs: int = 4
    batch: int = 16
    rate: float = 2e-4
    decay_by_layer: float = 0.9
    warm: float = 0.1
    head_rate: float = 1e-3
    seed: int = 7
    every: int = 100


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where training is: the mean loss since the one before, seconds since it began or went on."""

    step: int
    steps: int
    loss: float
    seconds: float


@dataclass(frozen=True, slots=True)
class _Row:
    example: Example
    pair: Pair
    start: int
    end: int


def train(
    network: ReaderNetwork,
    tokenizer: Tokenizer,
    found: Sequence[Item],
    plan: Plan,
    work: Path,
    told: Callable[[Checkpoint], Mapping[str, float]],
) -> None:
    """Train `network`; an earlier run in `work` with the same plan is gone on with.

    Args:
        network: Changed in place.
        tokenizer: Of the embedding model.
        found: To learn from.
        plan: How.
        work: Folder for checkpoints and the curve.
        told: Of each checkpoint; what it returns is kept beside it in the curve.
    """
    torch.manual_seed(plan.seed)
    device = str(next(network.parameters()).device)
    optimizer = _optimizer(network, plan)
    epochs = [epoch(found, seed=plan.seed + at) for at in range(plan.epochs)]
    batches = [b for at, drawn in enumerate(epochs) for b in _batches(tokenizer, drawn, plan, at)]
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda at: _share(at, len(batches), plan)
    )
    done = _resume(work / CHECKPOINT, network, optimizer, schedule)
    losses: list[float] = []
    network.train()
    started = time.monotonic()
    for step, rows in enumerate(batches[done:], start=done + 1):
        loss = _loss(network, rows, device)
        network.zero_grad(set_to_none=True)  # all of it: what is not trained counts in the norm
        loss.backward()  # type: ignore[no-untyped-call]  # torch types it not
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if step % plan.every == 0 or step == len(batches):
            _save(work / CHECKPOINT, network, optimizer, schedule, step)
            passed = round(time.monotonic() - started, 1)
            row = Checkpoint(step, len(batches), sum(losses) / len(losses), passed)
            losses.clear()
            with (work / CURVE).open("a", encoding="utf-8") as file:
                file.write(json.dumps({**asdict(row), **told(row)}) + "\n")


def _optimizer(network: ReaderNetwork, plan: Plan) -> torch.optim.AdamW:
    layers = list(network.encoder.encoder.layer)
    groups = [
        {
            "params": list(layer.parameters()),
            "lr": plan.rate * plan.decay_by_layer ** (len(layers) - 1 - at),
        }
        for at, layer in enumerate(layers)
    ]
    heads = [*network.span.parameters(), *network.relevance.parameters()]
    groups.append({"params": heads, "lr": plan.head_rate})
    return torch.optim.AdamW(groups, weight_decay=0.01)


def _share(step: int, steps: int, plan: Plan) -> float:
    warm = max(1, round(plan.warm * steps))
    if step < warm:
        return (step + 1) / warm
    return max(0.0, (steps - step) / max(1, steps - warm))


def _batches(
    tokenizer: Tokenizer, drawn: Sequence[Example], plan: Plan, at: int
) -> Iterator[list[_Row]]:
    """Group examples of about the same length, in random order."""
    chance = random.Random(plan.seed * 1000 + at)  # noqa: S311  # no secret
    size = plan.batch * _SORTED
    for begin in range(0, len(drawn), size):
        rows = [_row(tokenizer, example) for example in drawn[begin : begin + size]]
        rows.sort(key=lambda row: len(row.pair.ids))
        grouped = [rows[i : i + plan.batch] for i in range(0, len(rows), plan.batch)]
        chance.shuffle(grouped)
        yield from grouped


def _row(tokenizer: Tokenizer, example: Example) -> _Row:
    encoded = pair(tokenizer, example.question, example.target.path, example.target.text)
    span = encoded.tokens_of(*example.target.spans[0]) if example.target.spans else None
    return _Row(example, encoded, *(span or (0, 0)))


def _loss(network: ReaderNetwork, rows: Sequence[_Row], device: str) -> Tensor:
    """Cross entropy of start and end, the first token being «not here», and of relevance.

    Where a passage is known to answer and not where, only its relevance is learnt.
    """
    start, end, relevance = network(Batch.of([row.pair for row in rows], device))
    known = torch.tensor([row.example.kind != "relevant" for row in rows], device=device)
    answered = torch.tensor([float(row.example.answered) for row in rows], device=device)
    entropy = nn.functional.cross_entropy
    loss = nn.functional.binary_cross_entropy_with_logits(relevance, answered)
    if known.any():
        starts = torch.tensor([row.start for row in rows], device=device)
        ends = torch.tensor([row.end for row in rows], device=device)
        spans = entropy(start[known], starts[known]) + entropy(end[known], ends[known])
        loss = loss + spans / 2
    return loss


def _save(path: Path, network: nn.Module, optimizer: Any, schedule: Any, step: int) -> None:  # noqa: ANN401
    part = path.with_suffix(".part")
    torch.save(
        {
            "network": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
            "step": step,
        },
        part,
    )
    part.replace(path)


def _resume(path: Path, network: nn.Module, optimizer: Any, schedule: Any) -> int:  # noqa: ANN401
    if not path.exists():
        return 0
    kept = torch.load(path, weights_only=True, map_location="cpu")
    network.load_state_dict(kept["network"])
    optimizer.load_state_dict(kept["optimizer"])
    schedule.load_state_dict(kept["schedule"])
    return int(kept["step"])
