"""Numbers for a terminal."""

import unicodedata
from collections.abc import Iterable, Sequence
from itertools import groupby

from eval.measures import MEASURES, Measure, Score, Unit, latencies
from eval.outcome import Outcome
from eval.results import Results

SPLITS = {"": "结果", "train": "训练", "tune": "调参", "test": "测试"}


def shown(value: float, unit: Unit) -> str:
    """Return a value as the reader sees it: shares in per cent, differences with their sign."""
    if unit == "share":
        return f"{100 * value:.1f}"
    if unit == "points":
        return f"{100 * value:+.1f}"
    return f"{value:.1f}"


def scores_text(run: Results) -> str:
    """Return all scores of a run as a table, a column for each split."""
    splits = list(dict.fromkeys(score.split for score in run.scores))
    known = {(score.measure, score.split): score for score in run.scores}
    rows: list[list[str]] = [["", *(SPLITS.get(split, split) for split in splits)]]
    for group, measures in groupby(measures_of(run.outcomes), key=lambda measure: measure.group):
        lines = [
            [
                f"  {measure.label}",
                *(_cell(known.get((measure.name, split)), measure) for split in splits),
            ]
            for measure in measures
            if any((measure.name, split) in known for split in splits)
        ]
        if lines:
            rows.extend([[group, *("" for _ in splits)], *lines])
    return columns(rows)


def counted(score: Score) -> str:
    """Return the number of questions and, where they differ, of sentences or citations."""
    if score.rows == score.questions:
        return str(score.questions)
    return f"{score.questions}/{score.rows}"


def measures_of(outcomes: Iterable[Outcome]) -> tuple[Measure, ...]:
    """Return all measures that outcomes may have."""
    return (*MEASURES, *latencies(outcomes))


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as lines with aligned columns, the first to the left, the others to the right."""
    widths = [max(width(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell + " " * (wide - width(cell)) if at == 0 else " " * (wide - width(cell)) + cell
            for at, (cell, wide) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def width(text: str) -> int:
    """Return the columns that `text` takes in a terminal, two for a Chinese character."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _cell(score: Score | None, measure: Measure) -> str:
    if score is None:
        return "–"
    value, low, high = (shown(n, measure.unit) for n in (score.value, score.low, score.high))
    return f"{value} [{low}, {high}] n={counted(score)}"
