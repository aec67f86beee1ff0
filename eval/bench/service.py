"""How soon a server answers and how much memory it takes: `python -m eval.bench.service DATA`.

DATA is a data folder with an index, as `wenqu ingest --bundled --data DATA` makes it.
"""

import argparse
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx2
import numpy as np

from bot.testing import Server
from eval.bundled import GOLD

_STARTS = 3
_QUESTIONS = 100
_QUESTION = re.compile(r'"question": "([^"]+)"')


def main(argv: Sequence[str] | None = None) -> int:
    """Start a server some times and print what it takes."""
    parser = argparse.ArgumentParser(prog="python -m eval.bench.service", description=__doc__)
    parser.add_argument("data", type=Path)
    options = parser.parse_args(argv)
    asked = _QUESTION.findall((GOLD / "singles.jsonl").read_text(encoding="utf-8"))[:_QUESTIONS]
    for _ in range(_STARTS):
        started = time.perf_counter()
        with Server(options.data) as server, httpx2.Client(base_url=server.url) as client:
            _ask(client, asked[0])
            first = time.perf_counter() - started
            early = _resident(server.process.pid)
            spent = [_ask(client, question) for question in asked]
            p50, p95 = np.percentile(spent, [50, 95])
            sys.stdout.write(
                f"first answer {first:.2f} s after the start, {early:.0f} MB resident; "
                f"after {len(asked)} questions {_resident(server.process.pid):.0f} MB, "
                f"p50 {p50:.0f} ms, p95 {p95:.0f} ms\n"
            )
    return 0


def _ask(client: httpx2.Client, question: str) -> float:
    started = time.perf_counter()
    client.post("/api/chat", json={"question": question}, timeout=60).raise_for_status()
    return (time.perf_counter() - started) * 1000


def _resident(process: int) -> float:
    """Return the resident memory of a process in MB; 0 where there is no /proc."""
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return 0.0
    found = re.search(r"VmRSS:\s+([0-9]+) kB", status.read_text(encoding="utf-8"))
    return int(found[1]) / 1000 if found else 0.0


if __name__ == "__main__":
    sys.exit(main())
