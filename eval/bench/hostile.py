"""Files that are made to harm: each ends in a document or a reason, and the others are read."""

import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from corpus.document import Document
from corpus.errors import UnreadableSourceError
from corpus.read import read
from corpus.readers.sandbox import Sandbox
from eval.bench.figures import Figure
from eval.bench.hostile_files import Hostile, hostile_files

_GOOD = "好文件照常读。"
_BOMB_MEGABYTES = 500
_MEGABYTES = 1600


def wrong_with(hostile: Hostile, found: list[Document | UnreadableSourceError]) -> list[str]:
    """Return what must not be with what came of a file, nothing if all is well."""
    wrong = []
    for each in found:
        trouble = each.trouble if isinstance(each, UnreadableSourceError) else ""
        if trouble not in hostile.may:
            wrong.append(f"{hostile.name}: {trouble or 'read'}: {str(each)[:200]}")
    text = "".join(each.text for each in found if isinstance(each, Document))
    if text and hostile.shows not in text:
        wrong.append(f"{hostile.name}: {hostile.shows} is missing")
    wrong += [f"{hostile.name}: {word} is shown" for word in hostile.hides if word in text]
    return wrong if found else [f"{hostile.name}: nothing came of it"]


def tried(hostile: Hostile, sandbox: Sandbox, folder: Path) -> list[str]:
    """Read a folder with the file and a good one, and return what is wrong with what came of it."""
    for old in folder.iterdir():
        old.unlink()
    path = folder / hostile.name
    path.write_bytes(hostile.make())
    (folder / "好.txt").write_text(_GOOD, encoding="utf-8")
    *found, last = read(folder, base=folder, sandbox=sandbox)
    good = isinstance(last, Document) and last.text == _GOOD
    return wrong_with(hostile, found) + ([] if good else [f"{hostile.name}: stops the next file"])


def figures(*, full: bool, seed: int) -> Iterator[Figure]:
    """Read every hostile file, in a folder with a good one."""
    del seed  # nothing is drawn
    wrong: dict[str, list[str]] = defaultdict(list)
    count: dict[str, int] = defaultdict(int)
    spent: dict[str, float] = defaultdict(float)
    slowest: dict[str, tuple[float, str]] = {}
    peak: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as name:
        for hostile in hostile_files(full=full):
            started = time.monotonic()
            with Sandbox() as sandbox:  # a fresh child for each: its peak is that of the file
                wrong[hostile.case] += tried(hostile, sandbox, Path(name))
            seconds = time.monotonic() - started
            count[hostile.case] += 1
            spent[hostile.case] += seconds
            slowest[hostile.case] = max(
                slowest.get(hostile.case, (0.0, "")), (seconds, hostile.name)
            )
            peak[hostile.case] = peak_megabytes()
    for case, files in count.items():
        most = _BOMB_MEGABYTES if case == "R18" else _MEGABYTES
        seconds, which = slowest[case]
        value = f"{files - len(wrong[case])} as they should, slowest {which} {seconds:.1f} s"
        yield Figure(
            case,
            f"{files} hostile files",
            "; ".join([value, f"peak {peak[case]} MB", *wrong[case]]),
            not wrong[case] and peak[case] < most,
            spent[case],
        )


def peak_megabytes() -> int:
    """Return the most memory that a child of this process has had so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return used // (1_000_000 if sys.platform == "darwin" else 1000)
