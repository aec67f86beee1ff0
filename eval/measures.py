"""All measures: what is counted of a question, which statistic is taken, how it is shown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from eval import measured, trust
from eval.intervals import Interval, Sample, interval, resamples
from eval.measured import Measured, milliseconds
from eval.outcome import Outcome
from eval.statistic import (
    Statistic,
    calibration_error,
    f1,
    gap,
    mean,
    precision,
    quantile,
    risk_area,
    sensitivity,
)

Unit: TypeAlias = Literal["share", "points", "count", "milliseconds"]
"""share: 0 to 1. points: a difference of shares. count: characters, sentences."""


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that is measured.

    Attributes:
        name: In files; never changes its meaning.
        label: For the reader.
        group: Measures that are shown together.
        measured: Gives the rows of one question.
        statistic: Taken over the rows of all questions.
        unit: Of the value.
        larger_is_better: None where neither is.
        tested: Taken instead when two runs are tested for a difference. Swapping the rows of two
            runs hardly moves their quantiles, so of these the mean is tested.
    """

    name: str
    label: str
    group: str
    measured: Measured
    statistic: Statistic = mean
    unit: Unit = "share"
    larger_is_better: bool | None = True
    tested: Statistic | None = None


RETRIEVAL, ANSWER, CITATION = "检索", "回答", "引文"
REFUSAL, TRUST, TALK, LENGTH, TIME = "拒答", "置信度", "对话与字形", "篇幅", "耗时（毫秒）"

MEASURES: tuple[Measure, ...] = (
    Measure("recall@1", "召回率 @1", RETRIEVAL, measured.recall_at(1)),
    Measure("recall@5", "召回率 @5", RETRIEVAL, measured.recall_at(5)),
    Measure("recall@10", "召回率 @10", RETRIEVAL, measured.recall_at(10)),
    Measure("mrr@10", "MRR@10", RETRIEVAL, measured.reciprocal_rank_10),
    Measure("ndcg@10", "nDCG@10", RETRIEVAL, measured.ndcg_10),
    Measure("passage@1", "首段含答案", RETRIEVAL, measured.passage_at(1)),
    Measure("passage@5", "前 5 段含答案", RETRIEVAL, measured.passage_at(5)),
    Measure("answer", "回答含答案", ANSWER, measured.answer_contains),
    Measure("answer_given", "作答时含答案", ANSWER, measured.answer_when_given),
    Measure("exact", "完全一致", ANSWER, measured.answer_exact),
    Measure("f1", "字符 F1", ANSWER, measured.answer_f1),
    Measure("sentence", "最佳单句含答案", ANSWER, measured.best_sentence_contains),
    Measure("sentence_span", "最佳单句与答案处重合", ANSWER, measured.best_sentence_overlaps),
    Measure("citation_recall", "引文含答案", CITATION, measured.citation_recall),
    Measure("citation_document", "引对文档", CITATION, measured.citation_document),
    Measure("supported", "句子有引文支持", CITATION, measured.sentence_supported),
    Measure("cited", "句子带引文", CITATION, measured.sentence_cited),
    Measure("faithful", "引文与原文逐字一致", CITATION, measured.quote_faithful),
    Measure("refusal_precision", "拒答准确率", REFUSAL, trust.refused, precision),
    Measure("refusal_recall", "拒答召回率", REFUSAL, trust.refused, sensitivity),
    Measure("refusal_f1", "拒答 F1", REFUSAL, trust.refused, f1),
    Measure("answered", "该答时作答", REFUSAL, trust.answered),
    Measure("refused_near_miss", "拒答：有此物无此事", REFUSAL, trust.refused_near_miss),
    Measure("refused_topic_absent", "拒答：无此物", REFUSAL, trust.refused_topic_absent),
    Measure("names_missing", "拒答时点明所缺", REFUSAL, trust.names_missing),
    Measure(
        "aurc", "风险-覆盖曲线下面积", TRUST, trust.confidence_and_loss, risk_area,
        larger_is_better=False,
    ),
    Measure(
        "ece", "校准误差 ECE", TRUST, trust.confidence_and_right, calibration_error,
        larger_is_better=False,
    ),
    Measure("brier", "Brier 分数", TRUST, trust.squared_error, larger_is_better=False),
    Measure("follow_up", "追问减首问（含答案）", TALK, measured.follow_up, gap, "points"),
    Measure("rewrite_entity", "改写补全所指", TALK, measured.rewrite_names_entity),
    Measure("rewrite_gain", "改写增益（召回率 @5）", TALK, measured.rewrite_gain_5, mean, "points"),
    Measure("script", "繁体减简体（含答案）", TALK, measured.traditional, gap, "points"),
    Measure("chat", "寒暄得体", TALK, trust.talked),
    Measure(
        "characters_p50", "字数 p50", LENGTH, measured.characters, quantile(0.5), "count",
        larger_is_better=None, tested=mean,
    ),
    Measure(
        "characters_p90", "字数 p90", LENGTH, measured.characters, quantile(0.9), "count",
        larger_is_better=None, tested=mean,
    ),
    Measure(
        "sentences", "平均句数", LENGTH, measured.sentence_count, mean, "count",
        larger_is_better=None,
    ),
)  # fmt: skip


def latencies(outcomes: Iterable[Outcome]) -> tuple[Measure, ...]:
    """Return the measures p50 and p95 of each stage that any of the outcomes names."""
    stages = dict.fromkeys(stage for outcome in outcomes for stage in outcome.reply.timings)
    return tuple(
        Measure(
            f"{stage}_p{percent}", f"{stage} p{percent}", TIME, milliseconds(stage),
            quantile(percent / 100), "milliseconds", larger_is_better=False, tested=mean,
        )
        for stage in sorted(stages, key=lambda stage: stage == "total")
        for percent in (50, 95)
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Score:
    """A measured value.

    Attributes:
        measure: Name of the measure.
        split: `tune` or `test`; empty where there are no halves.
        value: What was measured.
        low: Lower end of its interval.
        high: Upper end.
        questions: How many it was measured on.
        rows: How many sentences or citations of these; one a question for most measures.
    """

    measure: str
    split: str
    value: float
    low: float
    high: float
    questions: int
    rows: int


def scores(
    outcomes: Sequence[Outcome], measures: Iterable[Measure], *, split: str = "", seed: int = 0
) -> list[Score]:
    """Measure the outcomes of one split; measures that do not apply are left out.

    Args:
        outcomes: Of all its questions.
        measures: To be taken.
        split: Its name.
        seed: Of the resampling.
    """
    clusters = number_clusters(outcomes)
    weights = resamples(len(set(clusters.values())), seed=seed) if clusters else np.ones((1, 0))
    found = []
    for measure in measures:
        sample, questions = sample_of(measure, outcomes, clusters)
        known = interval(measure.statistic, sample, weights)
        if not np.isnan(known.value):
            found.append(_score(measure, split, known, questions, len(sample.rows)))
    return found


def number_clusters(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Return the clusters of the outcomes, numbered from 0 in the order they come."""
    names = dict.fromkeys(outcome.question.cluster for outcome in outcomes)
    return {name: number for number, name in enumerate(names)}


def sample_of(
    measure: Measure, outcomes: Iterable[Outcome], clusters: dict[str, int]
) -> tuple[Sample, int]:
    """Return the rows of a measure with their clusters, and how many questions gave any."""
    rows: list[tuple[float, ...]] = []
    owners: list[int] = []
    questions = 0
    for outcome in outcomes:
        measured_rows = measure.measured(outcome)
        rows.extend(measured_rows)
        owners.extend([clusters[outcome.question.cluster]] * len(measured_rows))
        questions += bool(measured_rows)
    table = np.array(rows, np.float64).reshape(len(rows), -1 if rows else 1)
    return Sample(table, np.array(owners, np.int64)), questions


def _score(measure: Measure, split: str, known: Interval, questions: int, rows: int) -> Score:
    return Score(measure.name, split, known.value, known.low, known.high, questions, rows)
