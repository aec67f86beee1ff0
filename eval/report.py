"""A run as one HTML page that needs nothing beside it."""

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from bot.errors import ExtraNotInstalledError
from eval.curves import reliability, risk_coverage, trade_off
from eval.measures import MEASURES, Measure, Score, scores
from eval.outcome import Outcome
from eval.plots import reliability_plot, risk_plot, stages_plot, trade_off_plot
from eval.questions import GoldQuestion
from eval.results import Results, splits
from eval.table import SPLITS, counted, measures_of, shown
from eval.worst import verdict, worst

FILE = "report.html"
_WORST = 60
_IN_BREAKDOWNS = (
    "passage@5",
    "answer",
    "sentence",
    "citation_recall",
    "answered",
    "refusal_recall",
)
_KEYS: Sequence[tuple[str, Callable[[GoldQuestion], str]]] = (
    ("按问题类型", lambda question: question.type),
    ("按说法", lambda question: question.style),
    ("按对话中的位置", lambda question: question.follow),
    ("按该拒的缘由", lambda question: question.kind if question.expected == "refusal" else ""),
)
_HINT = "没有画曲线：需要 matplotlib，请运行 pip install 'wenqu[eval]'。"


def report_html(run: Results) -> str:
    """Return the page. Everything that came from documents or questions is escaped."""
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True
    )
    bad = worst(run.outcomes)
    plots, hint = _plots(run)
    return pages.get_template("report.html").render(
        about=run.about,
        questions=len(run.outcomes),
        splits=[SPLITS.get(split, split) for split in splits(run.outcomes)],
        groups=_groups(run),
        plots=plots,
        hint=hint,
        breakdowns=[
            table for title, key in _KEYS for table in [_breakdown(title, key, run)] if table
        ],
        wrong=len(bad),
        worst=[_shown(outcome) for outcome in bad[:_WORST]],
    )


def _groups(run: Results) -> list[dict[str, Any]]:
    known = {(score.measure, score.split): score for score in run.scores}
    groups = []
    for name, measures in groupby(measures_of(run.outcomes), key=lambda measure: measure.group):
        rows = []
        for measure in measures:
            found = [known.get((measure.name, split)) for split in splits(run.outcomes)]
            if any(found):
                cells = [_cell(score, measure) for score in found]
                rows.append({"label": measure.label, "cells": cells})
        if rows:
            groups.append({"name": name, "rows": rows})
    return groups


def _breakdown(
    title: str, key: Callable[[GoldQuestion], str], run: Results
) -> dict[str, Any] | None:
    names = sorted({key(outcome.question) for outcome in run.outcomes} - {""})
    if not names:
        return None
    chosen = [measure for measure in MEASURES if measure.name in _IN_BREAKDOWNS]
    found = {
        name: {
            score.measure: score
            for score in scores(
                [outcome for outcome in run.outcomes if key(outcome.question) == name],
                chosen,
                seed=run.about.seed,
            )
        }
        for name in names
    }
    used = [measure for measure in chosen if any(measure.name in row for row in found.values())]
    return {
        "title": title,
        "labels": [measure.label for measure in used],
        "rows": [
            {
                "name": name,
                "questions": sum(key(outcome.question) == name for outcome in run.outcomes),
                "cells": [_cell(found[name].get(measure.name), measure) for measure in used],
            }
            for name in names
        ],
    }


def _cell(score: Score | None, measure: Measure) -> dict[str, Any] | None:
    if score is None:
        return None
    ends = {"value": score.value, "low": score.low, "high": score.high}
    return {name: shown(n, measure.unit) for name, n in ends.items()} | {"n": counted(score)}


def _plots(run: Results) -> tuple[list[dict[str, Any]], str]:
    drawn = []
    try:
        bins = reliability(run.outcomes)
        if bins:
            drawn.append((reliability_plot(bins), "置信度是否可信：点落在虚线上，说八成就对八成。"))
        curve = risk_coverage(run.outcomes)
        if curve:
            drawn.append((risk_plot(curve), "从最有把握的答起：答得越多（右），错得越多（上）。"))
        thresholds = trade_off(run.outcomes)
        if thresholds:
            drawn.append(
                (
                    trade_off_plot(thresholds, _now(run.outcomes)),
                    "拒答的取舍：移动阈值，该答的答了多少（右），该拒的拒了多少（上）。红点是现在。",
                )
            )
        stages = _stages(run)
        if stages:
            drawn.append((stages_plot(stages), "各环节耗时。"))
    except ExtraNotInstalledError:
        return [], _HINT
    # Markup: drawn by us from numbers and names of stages, which matplotlib escapes
    return [{"svg": Markup(svg), "caption": caption} for svg, caption in drawn], ""  # noqa: S704


def _now(outcomes: Sequence[Outcome]) -> tuple[float, float]:
    kinds = [(outcome.question.expected, outcome.reply.kind) for outcome in outcomes]
    answerable = [kind for expected, kind in kinds if expected == "answer"]
    others = [kind for expected, kind in kinds if expected == "refusal"]
    return answerable.count("grounded") / len(answerable), others.count("refusal") / len(others)


def _stages(run: Results) -> list[tuple[str, float, float]]:
    values: dict[str, dict[str, float]] = {}
    for score in scores(run.outcomes, measures_of(run.outcomes)[len(MEASURES) :]):
        stage, _, percent = score.measure.rpartition("_")
        values.setdefault(stage, {})[percent] = score.value
    return [(stage, found["p50"], found["p95"]) for stage, found in values.items()]


def _shown(outcome: Outcome) -> dict[str, Any]:
    question = outcome.question
    if question.expected == "refusal":
        expected = f"拒答（{question.kind}）"
    elif question.expected == "chat":
        expected = "寒暄"
    else:
        expected = "；".join(question.answers_all) or " 或 ".join(question.answers)
    return {
        "question": question,
        "reply": outcome.reply,
        "expected": expected,
        "verdict": verdict(outcome),
        "right_documents": {*question.documents, *question.alternatives},
    }
