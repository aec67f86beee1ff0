"""The last measurement, as `wenqu eval --out` wrote it. Questions and answers in it stay there."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.errors import ReportError
from bot.wire import Json

Unit = Literal["share", "points", "count", "milliseconds"]

_LARGEST_BYTES = 200_000_000
_TIME = "耗时（毫秒）"

# Names are those in the file; tests/test_report_view.py holds the rest to eval.measures.
MEASURES: dict[str, tuple[str, str, Unit]] = {
    "recall@1": ("检索", "召回率 @1", "share"),
    "recall@5": ("检索", "召回率 @5", "share"),
    "recall@10": ("检索", "召回率 @10", "share"),
    "mrr@10": ("检索", "MRR@10", "share"),
    "ndcg@10": ("检索", "nDCG@10", "share"),
    "passage@1": ("检索", "首段含答案", "share"),
    "passage@5": ("检索", "前 5 段含答案", "share"),
    "answer": ("回答", "回答含答案", "share"),
    "answer_given": ("回答", "作答时含答案", "share"),
    "exact": ("回答", "完全一致", "share"),
    "f1": ("回答", "字符 F1", "share"),
    "sentence": ("回答", "最佳单句含答案", "share"),
    "sentence_span": ("回答", "最佳单句与答案处重合", "share"),
    "citation_recall": ("引文", "引文含答案", "share"),
    "citation_document": ("引文", "引对文档", "share"),
    "supported": ("引文", "句子有引文支持", "share"),
    "cited": ("引文", "句子带引文", "share"),
    "faithful": ("引文", "引文与原文逐字一致", "share"),
    "refusal_precision": ("拒答", "拒答准确率", "share"),
    "refusal_recall": ("拒答", "拒答召回率", "share"),
    "refusal_f1": ("拒答", "拒答 F1", "share"),
    "answered": ("拒答", "该答时作答", "share"),
    "refused_near_miss": ("拒答", "拒答：有此物无此事", "share"),
    "refused_topic_absent": ("拒答", "拒答：无此物", "share"),
    "names_missing": ("拒答", "拒答时点明所缺", "share"),
    "aurc": ("置信度", "风险-覆盖曲线下面积", "share"),
    "ece": ("置信度", "校准误差 ECE", "share"),
    "brier": ("置信度", "Brier 分数", "share"),
    "follow_up": ("对话与字形", "追问减首问（含答案）", "points"),
    "rewrite_entity": ("对话与字形", "改写补全所指", "share"),
    "rewrite_gain": ("对话与字形", "改写增益（召回率 @5）", "points"),
    "script": ("对话与字形", "繁体减简体（含答案）", "points"),
    "chat": ("对话与字形", "寒暄得体", "share"),
    "characters_p50": ("篇幅", "字数 p50", "count"),
    "characters_p90": ("篇幅", "字数 p90", "count"),
    "sentences": ("篇幅", "平均句数", "count"),
}


class _About(BaseModel):
    model_config = ConfigDict(extra="ignore")

    set: str
    made: str
    wenqu: str
    model: str
    machine: str
    documents: int
    passages: int


class _Score(BaseModel):
    model_config = ConfigDict(extra="ignore")

    measure: str
    split: str
    value: float
    low: float
    high: float
    questions: int


class _Report(BaseModel):
    model_config = ConfigDict(extra="ignore")

    format: Literal[1]
    about: _About
    scores: list[_Score]


def report_json(path: Path | None) -> Json:
    """Return where the numbers come from, and the measures in groups, each with its scores.

    A score is of one half of the questions (`tune` or `test`, "" where there are no halves), with
    the ends of its 95 % interval.

    Raises:
        ReportError: None is named, or it cannot be read.
    """
    if path is None:
        name, reason = "", "no report is named: set WENQU_EVAL_REPORT to a results.json"
        raise ReportError(name, reason)
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise ReportError(path.name, f"it has more than {_LARGEST_BYTES} bytes")
        report = _Report.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ReportError(path.name, error.strerror or str(error)) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise ReportError(path.name, f"{where}: {first['msg']}") from error
    return {"about": report.about.model_dump(), "groups": list(_groups(report.scores))}


def _groups(scores: list[_Score]) -> Iterator[Json]:
    known: dict[str, list[_Score]] = {}
    for score in scores:
        known.setdefault(score.measure, []).append(score)
    for group, names in groupby(known, key=lambda name: _described(name)[0]):
        yield {"group": group, "measures": [_measure(name, known[name]) for name in names]}


def _measure(name: str, scores: list[_Score]) -> Json:
    _, label, unit = _described(name)
    said = [score.model_dump(exclude={"measure"}) for score in scores]
    return {"name": name, "label": label, "unit": unit, "scores": said}


def _described(name: str) -> tuple[str, str, Unit]:
    """Return group, label and unit; what is not listed is the time of a stage: `total_p50`."""
    return MEASURES.get(name) or (_TIME, name.replace("_p", " p"), "milliseconds")
