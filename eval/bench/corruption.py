"""Damage to an index on disk: whether it is found before it does any harm."""

import json
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from eval.bench.figures import Figure
from eval.bench.opening import DIMENSION, ROWS, Fate, Opener, make
from index.manifest import MANIFEST, measure, name_of

_DENSE = "dense.faiss"
_CPU_KILLED = -24  # SIGXCPU
_SECONDS_AT_MOST = 1.0
_LINES = {
    "checksum": ("SHA-256", " bytes, not ", " bytes, at most "),
    "canary": ("test searches", "its vectors are not"),
    "counts": ("FAISS index of type", "(rows, dimension", "bytes of vectors", "lead nowhere"),
}
"""Line of defence to what it says; what FAISS itself says is none of these."""
_COUNTS = tuple(1 << power for power in (28, 30, 31, 32, 33))


def figures(*, full: bool, seed: int) -> Iterator[Figure]:
    """Damage an index in all ways and yield what came of it."""
    with TemporaryDirectory() as made, Opener() as opener:
        ground = Ground(Path(made), opener, seed)
        yield ground.damaged_files(flips=50 if full else 3)
        yield ground.foreign_manifests()
        yield ground.behind_the_checksum(500 if full else 40, forged=False)
        yield ground.behind_the_checksum(500 if full else 40, forged=True)
        yield ground.oversized(300 if full else 30)
        if full:  # a few do not always show it
            yield ground.oversized(20, bare=True)


@dataclass(frozen=True, slots=True)
class Ground:
    """Where indexes are damaged.

    Attributes:
        folder: Empty.
        opener: Opens them.
        seed: Of all that is random.
    """

    folder: Path
    opener: Opener
    seed: int

    def damaged_files(self, *, flips: int) -> Figure:
        """Damage each file of an index in each way."""
        started, chance = time.monotonic(), random.Random(self.seed)  # noqa: S311  # no secret
        whole = make(self.folder / "whole", graph=False, seed=self.seed)
        normal = self.opener.open(whole)
        files = sorted(path.name for path in whole.iterdir())
        refused, wrong = Counter[str](), list[str]()
        for file in files:
            for how, change in _changes(file, files, flips, chance):
                fate = self._opened(whole, change)
                named = {each for each in (file, *how.split()) if each in files}
                if any(each in fate.said for each in named) and _is_harmless(fate, normal):
                    refused[file] += 1
                else:
                    wrong.append(f"{file} {how}: {fate}")
        return Figure(
            "R4",
            f"{refused.total() + len(wrong)} times a file of an index damaged (seed {self.seed})",
            f"{refused.total()} refused with its name, {len(wrong)} not {wrong[:1] or ''}".strip(),
            held=normal.opened and not wrong,
            seconds=time.monotonic() - started,
        )

    def foreign_manifests(self) -> Figure:
        """Put manifests that are none of ours in place, under a name that fits."""
        started = time.monotonic()
        whole = make(self.folder / "foreign", graph=False, seed=self.seed)
        normal = self.opener.open(whole)
        manifests = _manifests(json.loads((whole / MANIFEST).read_bytes()))
        wrong = []
        for data in manifests:
            copy = self._copy(whole)
            (copy / MANIFEST).write_bytes(data)
            fate = self.opener.open(copy.rename(copy.with_name(name_of(data))))
            if fate.outside or not _is_harmless(fate, normal) or MANIFEST not in fate.said:
                wrong.append(f"{data[:80]!r}: {fate}")
            shutil.rmtree(self.folder / "case")
        return Figure(
            "R5",
            f"{len(manifests)} manifests that are none of ours",
            f"{len(manifests) - len(wrong)} refused, {len(wrong)} not {wrong[:1] or ''}".strip(),
            held=not wrong,
            seconds=time.monotonic() - started,
        )

    def behind_the_checksum(self, cases: int, *, forged: bool) -> Figure:
        """Damage the FAISS file of both kinds at random; `forged`: with a manifest that fits."""
        started, chance = time.monotonic(), random.Random(self.seed)  # noqa: S311  # no secret
        by = Counter[str]()
        for graph in (False, True):
            whole = make(self.folder / f"whole{graph}{forged}", graph=graph, seed=self.seed)
            normal = self.opener.open(whole)
            for _ in range(cases):
                fate = self._opened(
                    whole, lambda path: _damage(path / _DENSE, chance), forged=forged
                )
                by[_line(fate, normal)] += 1
        told = ", ".join(f"{name} {count}" for name, count in sorted(by.items()))
        lines = {"checksum"} if not forged else {"FAISS", "counts", "canary", "unharmed"}
        return Figure(
            "R61",
            f"{2 * cases} FAISS files damaged at random, "
            f"{'behind' if forged else 'before'} the checksum (seed {self.seed})",
            told,
            held=set(by) <= lines,
            seconds=time.monotonic() - started,
        )

    def oversized(self, cases: int, *, bare: bool = False) -> Figure:
        """Write counts into FAISS files that no memory could hold; `bare`: FAISS by itself."""
        started, chance = time.monotonic(), random.Random(self.seed)  # noqa: S311  # no secret
        whole = make(self.folder / f"oversized{bare}", graph=True, seed=self.seed)
        normal = self.opener.open(whole)
        places = _count_places((whole / _DENSE).read_bytes())
        fates = []
        for _ in range(cases):
            at, count = chance.choice(places), chance.choice(_COUNTS)

            def change(folder: Path, at: int = at, count: int = count) -> None:
                _overwrite(folder / _DENSE, at, count.to_bytes(8, "little"))

            fates.append(self._opened(whole, change, forged=True, bare=bare))
        most = max(fate.megabytes for fate in fates)
        slowest = max(fate.seconds for fate in fates)
        killed = sum(fate.status < 0 for fate in fates)
        bounded = not killed and most < 2 * normal.megabytes and slowest < _SECONDS_AT_MOST
        return Figure(
            "R62",
            f"{cases} oversized counts"
            + (", FAISS without limits (shows that the test can fail)" if bare else ""),
            f"{killed} killed, at most {most:.0f} MB (normal {normal.megabytes:.0f}), "
            f"{slowest:.2f} s",
            held=bounded is not bare,
            seconds=time.monotonic() - started,
        )

    def _opened(
        self,
        whole: Path,
        change: Callable[[Path], None],
        *,
        forged: bool = False,
        bare: bool = False,
    ) -> Fate:
        """Change a copy of an index and open it."""
        copy = self._copy(whole)
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, self.folder / "case")
            change(copy)
            if forged:
                copy = _forge(copy)
            return self.opener.open(copy, "faiss" if bare else "wenqu")

    def _copy(self, whole: Path) -> Path:
        return Path(shutil.copytree(whole, self.folder / "case" / whole.name))


def _is_harmless(fate: Fate, normal: Fate) -> bool:
    bounded = fate.megabytes < 2 * normal.megabytes and fate.seconds < _SECONDS_AT_MOST
    return fate.status == 0 and not fate.opened and bounded


def _line(fate: Fate, normal: Fate) -> str:
    """Return which line of defence a case met."""
    if fate.status != 0:
        return "timeout" if fate.status == _CPU_KILLED else f"ended with {fate.status}"
    if fate.opened:
        return "unharmed" if fate.said == normal.said else "WRONG"
    for line, words in _LINES.items():
        if any(word in fate.said for word in words):
            return line
    return "FAISS"


def _changes(
    file: str, files: Sequence[str], flips: int, chance: random.Random
) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Yield name and function of each way to damage a file of a folder."""
    for _ in range(flips):
        at, bit = chance.random(), chance.randrange(8)
        yield f"flip {at} {bit}", lambda path, at=at, bit=bit: _flip(path / file, at, bit)  # type: ignore[misc]
    for size in (0.0, 1.0, 0.5, -1.0):
        yield f"cut {size}", lambda path, size=size: _cut(path / file, size)  # type: ignore[misc]
    other = chance.choice([each for each in files if each != file])
    yield f"swap with {other}", lambda path: _swap(path / file, path / other)
    yield "delete", lambda path: (path / file).unlink()
    yield "append", lambda path: _append(path / file)


def _flip(path: Path, at: float, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[int(at * len(data))] ^= 1 << bit
    path.write_bytes(data)


def _cut(path: Path, size: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] if size == 0.5 else data[: int(size)])  # noqa: PLR2004


def _swap(one: Path, other: Path) -> None:
    data = one.read_bytes()
    shutil.copyfile(other, one)
    other.write_bytes(data)


def _append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def _overwrite(path: Path, at: int, data: bytes) -> None:
    whole = path.read_bytes()
    path.write_bytes((whole[:at] + data + whole[at + len(data) :])[: len(whole)])


def _damage(path: Path, chance: random.Random) -> None:
    """Change a file at random."""
    before = path.read_bytes()
    while path.read_bytes() == before:
        _damage_once(path, chance)


def _damage_once(path: Path, chance: random.Random) -> None:
    """Overwrite a field of the head, overwrite bytes, cut, or flip bits."""
    size = path.stat().st_size
    how = chance.randrange(4)
    if how == 0:
        value = chance.choice([0, 1, -1, 1 << 31, 1 << 40, chance.getrandbits(63)])
        width = chance.choice([4, 8])
        data = (value % (1 << 8 * width)).to_bytes(width, "little")
        _overwrite(path, chance.randrange(0, 120), data)
    elif how == 1:
        _overwrite(path, chance.randrange(size), chance.randbytes(chance.randint(1, 64)))
    elif how == 2:  # noqa: PLR2004
        path.write_bytes(path.read_bytes()[: chance.randrange(size)])
    else:
        for _ in range(chance.randint(1, 8)):
            _flip(path, chance.random(), chance.randrange(8))


def _forge(folder: Path) -> Path:
    """Have the manifest and the name of the folder fit what is in it, as no accident would."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    manifest["files"][_DENSE] = measure(folder / _DENSE).model_dump()
    data = json.dumps(manifest).encode()
    (folder / MANIFEST).write_bytes(data)
    return folder.rename(folder.with_name(name_of(data)))


def _count_places(data: bytes) -> list[int]:
    """Return where counts stand in a FAISS file, by what they are of."""
    known = {ROWS, ROWS + 1, ROWS * DIMENSION, ROWS * DIMENSION * 4}
    head = range(min(len(data) - 8, 200))
    return [at for at in head if int.from_bytes(data[at : at + 8], "little") in known] + [
        at
        for at in range(200, len(data) - 8, 4)
        if int.from_bytes(data[at : at + 8], "little") in known
    ][:20]


def _manifests(ours: dict[str, object]) -> list[bytes]:
    """Return what is no manifest of ours."""
    entry = {"size": 1, "sha256": "0" * 64}
    changes: list[dict[str, object]] = [
        {"format": 3},
        {"format": "2"},
        {"format": None},
        {"passages": -1},
        {"passages": 1.5},
        {"passages": 1 << 70},
        {"dimension": 0},
        {"dimension": True},
        {"documents": []},
        {"dense": "IVF"},
        {"embedder": 7},
        {"canary": {"best": [], "sums": [], "more": 1}},
        {"canary": {"best": "x", "sums": []}},
        {"keys": "../x"},
        {"more": 1},
    ]
    files: list[object] = [[], None, {}, {"passages.jsonl": entry}]
    files += [{path: entry} for path in ("../x", "/etc/passwd", "a/b", "", "x\0y")]
    changes += [{"files": what} for what in files]
    other = [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"\x80\x04K\x01.",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b" " * 100_000_000,
    ]
    return [*(json.dumps({**ours, **change}).encode() for change in changes), *other]
