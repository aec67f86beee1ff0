"""Every promise of docs/reliability.md tried in one run: `python -m eval.bench.reliability`.

Takes an hour or two in full; `--short` a few minutes. Exits with 1 if a promise was not kept.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from importlib import import_module
from pathlib import Path

from eval.bench.figures import Figure

CAMPAIGNS = (
    "kills", "corruption", "disk", "changes", "database", "replicas", "hostile", "encodings",
    "door", "fuzz_readers", "fuzz_api", "fuzz_protocols", "fuzz_model", "fuzz_orders", "idle",
    "load", "soak",
)  # fmt: skip
"""Modules of `eval.bench` with a function `figures`."""

Campaign = Callable[[], Iterator[Figure]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the campaigns that are named, all if none is, and print what came of each."""
    parser = argparse.ArgumentParser(prog="python -m eval.bench.reliability", description=__doc__)
    parser.add_argument("only", nargs="*", choices=[[], *CAMPAIGNS], metavar="CAMPAIGN")
    parser.add_argument("--short", action="store_true", help="the size that the tests use")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write the figures as JSON too")
    options = parser.parse_args(argv)
    chosen = options.only or CAMPAIGNS
    campaigns = {
        name: _campaign(name, full=not options.short, seed=options.seed) for name in chosen
    }
    sys.stdout.write(f"seed {options.seed}\n")
    found = list(run(campaigns))
    if options.out:
        rows = [asdict(figure) for figure in found]
        options.out.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
    return 0 if all(figure.held for figure in found) else 1


def run(campaigns: dict[str, Campaign]) -> Iterator[Figure]:
    """Run each, print its figures as they come, and count one that breaks off as not kept."""
    for name, campaign in campaigns.items():
        started = time.monotonic()
        try:
            for figure in campaign():
                sys.stdout.write(line(figure))
                sys.stdout.flush()
                yield figure
        except Exception as error:  # noqa: BLE001  # the others are tried, and this is told
            broken = Figure(name, "broke off", repr(error)[:300], False, time.monotonic() - started)  # noqa: FBT003
            sys.stdout.write(line(broken))
            yield broken


def line(figure: Figure) -> str:
    """Return a figure as one line of the table."""
    mark = "ok " if figure.held else "NOT"
    return f"{mark} {figure.case:<10} {figure.what}: {figure.value} ({figure.seconds:.0f} s)\n"


def _campaign(name: str, *, full: bool, seed: int) -> Campaign:
    return partial(import_module(f"eval.bench.{name}").figures, full=full, seed=seed)


if __name__ == "__main__":
    sys.exit(main())
