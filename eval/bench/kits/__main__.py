"""Measure wenqu beside the kits: `python -m eval.bench.kits [--quick]`, or `make bench`."""
# ruff: noqa: T201  # a command, which prints

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

from eval.bench.kits.child import Place
from eval.bench.kits.ledger import Ledger, work_off
from eval.bench.kits.outside import measure
from eval.bench.kits.plan import FULL, QUICK, Extent, jobs
from eval.bench.kits.plot import query_plot
from eval.bench.kits.summary import bars
from eval.bench.kits.table import as_json, markdown
from eval.errors import ResultsError

_ROOT = Path(__file__).parents[3]
_VERSIONS = (
    "bm25s", "faiss-cpu", "haystack-ai", "jieba", "langchain-classic", "langchain-community",
    "langchain-core", "llama-index-core", "llama-index-retrievers-bm25",
    "llama-index-vector-stores-faiss", "onnxruntime", "rank-bm25", "sentence-transformers", "torch",
    "wenqu",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is not measured yet and print the table; 1 if a measurement failed."""
    options = _parser().parse_args(argv)
    extent = QUICK if options.quick else FULL
    extent = replace(
        extent, sizes=tuple(options.sizes or extent.sizes), rounds=options.rounds or extent.rounds
    )
    here, missing = _sets(extent, options.data)
    about = {
        "versions": {name: version(name) for name in _VERSIONS},
        "extent": asdict(extent),
        "sets": here,
        "machine": _machine(),
    }
    try:
        ledger = Ledger(options.out / "ledger.jsonl", about)
    except ResultsError as error:
        print(error, file=sys.stderr)
        return 2
    for name in missing:
        print(f"{name}: not in {options.data}, left out", file=sys.stderr)
    place = Place(options.out, options.data, extent)
    wanted = [job for job in jobs(extent, here) if not options.only or job.measure in options.only]
    failed = work_off(wanted, ledger, partial(measure, place=place), _say)
    _write(ledger, about, extent, here, options.out)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m eval.bench.kits", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, about 5 minutes")
    parser.add_argument("--sizes", type=int, nargs="+", help="of the made-up corpora, in passages")
    parser.add_argument("--rounds", type=int, help="of each measurement")
    parser.add_argument("--only", nargs="+", metavar="MEASURE", help="embed build cold query …")
    parser.add_argument("--data", type=Path, default=_ROOT.parent / "shared" / "data")
    parser.add_argument("--out", type=Path, default=_ROOT / "build" / "bench")
    return parser


def _sets(extent: Extent, data: Path) -> tuple[list[str], list[str]]:
    """Return the sets that are there, the bundled one if there is no other, and the missing."""
    here = [name for name in extent.sets if name == "bundled" or (data / name).is_dir()]
    return here or ["bundled"], [name for name in extent.sets if name not in here]


def _machine() -> str:
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text(encoding="utf-8").splitlines() if cpus.exists() else []
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")
    return f"{os.cpu_count()} × {model or platform.machine()}, Python {platform.python_version()}"


def _say(line: str) -> None:
    print(line, flush=True)


def _write(
    ledger: Ledger, about: Mapping[str, object], extent: Extent, sets: Sequence[str], out: Path
) -> None:
    """Print the table and the bars, and write what is to be kept."""
    made = datetime.now(UTC).strftime("%Y-%m-%d")
    found = as_json({**about, "made": made}, ledger.values, extent, sets)
    (out / "results.json").write_text(
        json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8"
    )
    (out / "query.svg").write_text(query_plot(ledger.values, extent.sizes), encoding="utf-8")
    for language, chinese in (("zh", True), ("en", False)):
        table = markdown(ledger.values, extent, sets, chinese=chinese)
        (out / f"table.{language}.md").write_text(table, encoding="utf-8")
    print(f"\n{_machine()}, {made}\n")
    print(markdown(ledger.values, extent, sets, chinese=False))
    for bar in bars(ledger.values, extent.sizes, sets):
        mark = {True: "met   ", False: "MISSED", None: "–     "}[bar.met]
        print(f"{mark} {bar.name}: {bar.said}")
    print(f"\n{out}/results.json, query.svg, table.zh.md, table.en.md")


if __name__ == "__main__":
    sys.exit(main())
