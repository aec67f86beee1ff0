"""Which differences between two runs are real."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from eval.errors import ResultsError
from eval.intervals import Sample, difference, estimate, holm, permutation_p, resamples
from eval.measures import MEASURES, Measure, Unit, latencies, number_clusters, sample_of
from eval.outcome import Outcome
from eval.results import Results
from eval.table import columns, shown

_NOTE = """\
差 = B 减 A，同题配对；区间为 95 % 配对自助法。
p 为配对随机置换检验（双侧；p50、p90、p95 检验的是均值）。
“确有”指 p 经 Holm 法按表中全部指标校正后小于 0.05。"""

LEVEL = 0.05
"""A difference is called real if its adjusted p is below."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure in two runs over the same questions.

    Attributes:
        measure: What is compared.
        first: Its value in the first run.
        second: Its value in the second run.
        low: Lower end of the interval of second less first.
        high: Upper end.
        p: Probability of such a difference by chance.
        adjusted: The same in the company of all others compared; see `eval.intervals.holm`.
        changed: Questions on which the runs differ.
    """

    measure: Measure
    first: float
    second: float
    low: float
    high: float
    p: float
    adjusted: float
    changed: int

    @property
    def real(self) -> bool:
        """Whether it is there beyond what chance makes of so many comparisons."""
        return self.adjusted < LEVEL


def common(
    first: Results, second: Results, *, split: str = ""
) -> tuple[list[Outcome], list[Outcome]]:
    """Return the outcomes of the questions that both runs asked, in the same order.

    Args:
        first: One run.
        second: The other run.
        split: Only questions of this split; all if empty.

    Raises:
        ResultsError: There is none, or one of them expects other answers in both.
    """
    others = {outcome.question.id: outcome for outcome in second.outcomes}
    mine = [
        outcome
        for outcome in first.outcomes
        if outcome.question.id in others and split in {"", outcome.question.split}
    ]
    theirs = [others[outcome.question.id] for outcome in mine]
    if not mine:
        raise ResultsError(second.about.set, f"no question in common with {first.about.set}")
    for one, other in zip(mine, theirs, strict=True):
        if one.question != other.question:
            raise ResultsError(second.about.set, f"{one.question.id} is another question there")
    return mine, theirs


def compare(
    first: Sequence[Outcome], second: Sequence[Outcome], *, seed: int = 0
) -> list[Comparison]:
    """Compare every measure; those that no question could tell apart are left out.

    Such a measure could not have come out as real whatever the chance, and so counts nothing in
    the adjustment of the others (Tarone 1990).

    Args:
        first: Outcomes of the first run.
        second: Outcomes of the same questions in the second run, in the same order.
        seed: Of the resampling.
    """
    # of the stages, only their sum: twenty more comparisons would hide what matters
    total = [one for one in latencies([*first, *second]) if one.name.startswith("total")]
    clusters = number_clusters(first)
    weights = resamples(len(clusters), seed=seed)
    found = []
    for measure in (*MEASURES, *total):
        changed = sum(
            list(measure.measured(one)) != list(measure.measured(other))
            for one, other in zip(first, second, strict=True)
        )
        before, _ = sample_of(measure, first, clusters)
        after, _ = sample_of(measure, second, clusters)
        old, new = (estimate(measure.statistic, sample) for sample in (before, after))
        if changed and not np.isnan([old, new]).any() and _vary(before, after):
            gap = difference(measure.statistic, before, after, weights)
            tested = measure.tested or measure.statistic
            p = permutation_p(tested, before, after, len(clusters), seed=seed)
            found.append(Comparison(measure, old, new, gap.low, gap.high, p, p, changed))
    adjusted = holm([comparison.p for comparison in found])
    return [replace(comparison, adjusted=p) for comparison, p in zip(found, adjusted, strict=True)]


def _vary(first: Sample, second: Sample) -> bool:
    """Whether not all rows are the same: they differ in number, and in nothing else, if so."""
    return len(np.unique(np.concatenate([first.rows, second.rows]), axis=0)) > 1


def comparison_text(found: Sequence[Comparison]) -> str:
    """Return comparisons as a table, with a verdict on each."""
    if not found:
        return "没有一个问题的结果不同。"
    rows = [["", "A", "B", "差 [95 % 区间]", "不同的题", "p", "p (Holm)", ""]]
    for one in found:
        unit = one.measure.unit
        gap, low, high = (_gap(n, unit) for n in (one.second - one.first, one.low, one.high))
        rows.append(
            [
                one.measure.label,
                shown(one.first, unit),
                shown(one.second, unit),
                f"{gap} [{low}, {high}]",
                str(one.changed),
                f"{one.p:.4f}",
                f"{one.adjusted:.4f}",
                _verdict(one),
            ]
        )
    return f"{columns(rows)}\n\n{_NOTE}"


def _verdict(one: Comparison) -> str:
    if not one.real:
        return "可能是偶然" if one.p < LEVEL else ""
    better = one.measure.larger_is_better
    if better is None:
        return "确有不同"
    return "确有提高" if (one.second > one.first) == better else "确有下降"


def _gap(value: float, unit: Unit) -> str:
    return shown(value, "points") if unit in {"share", "points"} else f"{value:+.1f}"
