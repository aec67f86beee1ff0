"""The summary as a table in Markdown, in Chinese or English, and as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from eval.bench.kits.ledger import Job, Values
from eval.bench.kits.outside import CLIENTS
from eval.bench.kits.plan import GRAPH, GRAPH_FROM, LABELS, Extent
from eval.bench.kits.recipe import OURS, STACKS
from eval.bench.kits.summary import bars, ratio, spread

_WORDS: Mapping[str, tuple[str, str]] = {
    "cold": ("冷启动到第一次搜到，秒", "cold start to first hits, s"),
    "processor": ("其中处理器的时间，秒", "processor time of it, s"),
    "memory": ("此时的内存，MB", "memory then, MB"),
    "query/given": (
        "搜索，不算嵌入，{} 段，毫秒，p50",
        "query without embedding, {} passages, ms, p50",
    ),
    "query/p95": ("p95，{} 段，毫秒", "p95, {} passages, ms"),
    "query/work": ("处理器时间，{} 段，毫秒", "processor time, {} passages, ms"),
    "query/model": ("搜索，含嵌入，{} 段，毫秒，p50", "query with embedding, {} passages, ms, p50"),
    "ingest/given": ("收录，不算嵌入，段/秒", "ingest without embedding, passages/s"),
    "ingest/model": ("收录，含嵌入，段/秒", "ingest with embedding, passages/s"),
    "load": ("{} 个客户端，次/秒", "{} clients, requests/s"),
    "mrr": ("{} MRR@10", "{} MRR@10"),
    "recall5": ("{} 前 5 篇召回", "{} recall@5"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One row: its name in both languages, and where its values are.

    Attributes:
        names: Chinese, English.
        measure: Of the jobs.
        case: Likewise.
        value: Name of the value.
        digits: Behind the point.
    """

    names: tuple[str, str]
    measure: str
    case: str
    value: str
    digits: int


def lines(extent: Extent, sets: Sequence[str]) -> Iterator[Line]:
    """Yield the rows of the table."""
    yield Line(_WORDS["cold"], "cold", "served", "seconds", 2)
    yield Line(_WORDS["processor"], "cold", "served", "processor", 2)
    yield Line(_WORDS["memory"], "cold", "served", "megabytes", 0)
    for way in ("given", "model"):
        for size in extent.sizes:
            names = _named(f"query/{way}", f"{size:,}")
            digits = 2 if way == "given" else 1
            yield Line(names, "query", f"{size}/{way}", "p50", digits)
            for value, key in (("p95", "query/p95"), ("processor", "query/work")):
                yield Line(_named(key, f"{size:,}"), "query", f"{size}/{way}", value, digits)
    for way in ("given", "model"):
        yield Line(_WORDS[f"ingest/{way}"], "ingest", way, "per_second", 0 if way == "given" else 1)
    for clients in CLIENTS:
        names = _named("load", str(clients))
        yield Line(names, "load", "served", f"per_second_{clients}", 0)
    for name in sets:
        for value, digits in (("mrr", 4), ("recall5", 4)):
            yield Line(_named(value, name), "quality", name, value, digits)


def markdown(
    measured: Mapping[Job, Values], extent: Extent, sets: Sequence[str], *, chinese: bool
) -> str:
    """Return the table; behind each number of another stack, how often it is ours."""
    stacks = [*STACKS, *([GRAPH] if max(extent.sizes) >= GRAPH_FROM else [])]
    rows = [["", *(LABELS[stack] for stack in stacks)], ["---", *("---:" for _ in stacks)]]
    for line in lines(extent, sets):
        cells = [_cell(measured, line, stack) for stack in stacks]
        rows.append([line.names[0 if chinese else 1], *cells])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def as_json(
    about: Mapping[str, object],
    measured: Mapping[Job, Values],
    extent: Extent,
    sets: Sequence[str],
) -> dict[str, object]:
    """Return all of it: what was run, each value over the rounds, ratios to ours, the bars."""
    groups = sorted({(job.measure, job.case, job.stack) for job in measured})
    cells = []
    for measure, case, stack in groups:
        names = sorted(
            {
                name
                for job, of in measured.items()
                if (job.measure, job.case, job.stack) == (measure, case, stack)
                for name in of
            }
        )
        for name in names:
            found = spread(measured, measure, case, stack, name)
            cells.append(
                {
                    "measure": measure,
                    "case": case,
                    "stack": stack,
                    "value": name,
                    **(asdict(found) if found else {}),
                    "to_wenqu": ratio(measured, measure, case, (stack, OURS), name),
                }
            )
    held = [asdict(bar) for bar in bars(measured, extent.sizes, sets)]
    return {"about": dict(about), "extent": asdict(extent), "cells": cells, "bars": held}


def _cell(measured: Mapping[Job, Values], line: Line, stack: str) -> str:
    found = spread(measured, line.measure, line.case, stack, line.value)
    if found is None:
        return "–"
    said = f"{found.median:,.{line.digits}f}"
    if found.rounds > 1:
        said = f"{said} ({found.low:,.{line.digits}f}–{found.high:,.{line.digits}f})"
    if stack == OURS or line.measure == "quality":
        return said
    of = ratio(measured, line.measure, line.case, (stack, OURS), line.value)
    return said if of is None else f"{said} ×{of:.3g}"


def _named(key: str, what: str) -> tuple[str, str]:
    chinese, english = _WORDS[key]
    return chinese.format(what), english.format(what)
