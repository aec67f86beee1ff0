"""What the measurements come to: medians, ratios within a round, and the bars."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from eval.bench.kits.ledger import Job, Values
from eval.bench.kits.recipe import BARE, KITS, OURS

Measured = Mapping[Job, Values]

START_SECONDS = 2.0
MEMORY_MEGABYTES = 200.0
QUALITY_SLACK = 0.0005
"""Of MRR: what two ties out of a thousand questions may come to."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A number over the rounds."""

    median: float
    low: float
    high: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar, whether it was met, and by what; None where nothing was measured."""

    name: str
    met: bool | None
    said: str


def spread(measured: Measured, measure: str, case: str, stack: str, name: str) -> Spread | None:
    """Return a value over the rounds, None if it was not measured."""
    found = list(_rounds(measured, measure, case, stack, name).values())
    return Spread(median(found), min(found), max(found), len(found)) if found else None


def ratio(
    measured: Measured, measure: str, case: str, stacks: tuple[str, str], name: str
) -> float | None:
    """Return the median of the first stack over the second, round by round.

    A busy machine slows both turns of a round; what is left is less noisy than the medians.
    """
    first, second = (_rounds(measured, measure, case, stack, name) for stack in stacks)
    found = [first[turn] / second[turn] for turn in first if second.get(turn)]
    return median(found) if found else None


def best_kit(measured: Measured, measure: str, case: str, name: str) -> str:
    """Return the kit with the smallest value, "" if none was measured."""
    found = {kit: spread(measured, measure, case, kit, name) for kit in KITS}
    known = {kit: value.median for kit, value in found.items() if value}
    return min(known, key=lambda kit: known[kit], default="")


def bars(measured: Measured, sizes: Sequence[int], sets: Sequence[str]) -> list[Bar]:
    """Hold the measurements to the bars."""
    largest = f"{max(sizes)}/given"
    return [
        *_start(measured),
        *_query(measured, largest, f"query without embedding, {max(sizes):,} passages"),
        *_memory(measured),
        *(_quality(measured, name) for name in sets),
    ]


def _start(measured: Measured) -> Iterator[Bar]:
    ours = spread(measured, "cold", "served", OURS, "seconds")
    kit = best_kit(measured, "cold", "served", "seconds")
    name = f"cold start at most {START_SECONDS:g} s"
    yield _bar(name, ours.median if ours else None, START_SECONDS, "{:.2f} s")
    of = ratio(measured, "cold", "served", (OURS, kit), "seconds")
    yield _bar(f"cold start at most 1/3 of the best kit's ({kit})", of, 1 / 3, "{:.2f}")


def _query(measured: Measured, case: str, what: str) -> Iterator[Bar]:
    kit = best_kit(measured, "query", case, "p50")
    of = ratio(measured, "query", case, (OURS, kit), "p50")
    yield _bar(f"{what}: at most 1/10 of the best kit's ({kit})", of, 1 / 10, "{:.3f}")
    of = ratio(measured, "query", case, (OURS, BARE), "p50")
    yield _bar(f"{what}: at most twice the bare reference", of, 2.0, "{:.2f} times")


def _memory(measured: Measured) -> Iterator[Bar]:
    ours, bare = (_rounds(measured, "cold", "served", stack, "megabytes") for stack in (OURS, BARE))
    found = [ours[turn] - bare[turn] for turn in ours if turn in bare]
    name = f"memory at most the bare reference + {MEMORY_MEGABYTES:g} MB"
    yield _bar(name, median(found) if found else None, MEMORY_MEGABYTES, "{:+.0f} MB")


def _quality(measured: Measured, case: str) -> Bar:
    found = {
        stack: spread(measured, "quality", case, stack, "mrr") for stack in (OURS, BARE, *KITS)
    }
    known = {stack: value.median for stack, value in found.items() if value}
    name = f"MRR@10 on {case} not lower than any"
    if OURS not in known or len(known) == 1:
        return Bar(name, None, "not measured")
    best = max((stack for stack in known if stack != OURS), key=lambda stack: known[stack])
    said = f"{known[OURS]:.4f}, {best} {known[best]:.4f}"
    return Bar(name, known[OURS] >= known[best] - QUALITY_SLACK, said)


def _bar(name: str, value: float | None, most: float, form: str) -> Bar:
    if value is None:
        return Bar(name, None, "not measured")
    return Bar(name, value <= most, form.format(value))


def _rounds(measured: Measured, measure: str, case: str, stack: str, name: str) -> dict[int, float]:
    return {
        job.round: float(values[name])
        for job, values in sorted(measured.items())
        if (job.measure, job.case, job.stack) == (measure, case, stack) and name in values
    }
