"""A process that answers one question and ends: `python -m eval.bench.kits.cold STACK MODEL INDEX`.

It imports what its stack needs and nothing else; who starts it holds the clock. The question comes
by standard input. The first line it prints are the hits, the second its resident megabytes.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from eval.bench.kits.recipe import Tools, Words, open_recipe

HITS = 10


def main(argv: Sequence[str] | None = None) -> None:
    """Answer."""
    stack, model, index = argv or sys.argv[1:]
    recipe = open_recipe(stack, Tools(Path(model), Words()))
    recipe.load(Path(index))
    sys.stdout.write(f"{recipe.search(sys.stdin.readline().strip(), HITS)}\n")
    sys.stdout.flush()
    sys.stdout.write(f"{resident('self'):.1f}\n")


def resident(process: int | str) -> float:
    """Return the resident memory of a process in MB, files it has mapped included."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    found = re.search(r"VmRSS:\s+([0-9]+) kB", status)
    return int(found[1]) / 1000 if found else 0.0


if __name__ == "__main__":
    main()
