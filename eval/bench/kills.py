"""Changes of the documents that are killed: at random moments, and at every file operation."""

import random
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.runtime import Runtime, open_model, open_segmenter
from bot.settings import Settings
from eval.bench.figures import Figure
from eval.bench.trial import CHANGES, Change, Trial, kill, marked
from index.database import Database
from index.lock import holder

_LAST = 0.1
"""Half of the kills fall into this share of the time a change takes, where it is written."""
_GONE_SECONDS = 10
_LEAST = 10
PHASES = (
    "1 reading",
    "2 embedding",
    "3 writing",
    "4 before the commit",
    "5 after the commit",
    "6 when it was done",
)
_OPERATIONS = "fsync,fdatasync,pwrite64,rename,unlinkat,rmdir,ftruncate"
_CALL = re.compile(r"^([0-9]+) +([a-z0-9_]+)\((.*)$")


def figures(*, full: bool, seed: int) -> Iterator[Figure]:
    """Kill real `wenqu` commands and yield what was left of their work."""
    with TemporaryDirectory() as made:
        trial = Trial(Path(made), sharing())
        phases = Counter[str]()
        yield kills_at_random(trial, 200 if full else 9, seed, phases)
        if shutil.which("strace"):
            yield order_of_writing(trial)
            yield kills_at_operations(trial, None if full else 6, seed, phases)
        if full:
            yield _spread(phases)


def sharing() -> Callable[[Settings], Runtime]:
    """Return what opens data folders with one model for all, and without a reader: it is slow."""
    settings = Settings()
    embedder, segmenter = open_model(settings), open_segmenter(settings)
    return lambda chosen: Runtime(chosen, Database(chosen.database), embedder, segmenter)


@dataclass(slots=True)
class Tally:
    """What came of kills.

    Attributes:
        phases: How many fell into each phase of a change.
        new: After how many the change had been made; it had not after the others.
        wrong: What was not as it has to be.
    """

    phases: Counter[str] = field(default_factory=Counter)
    new: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        told = ", ".join(f"{name} {count}" for name, count in sorted(self.phases.items()))
        total = self.phases.total()
        return f"{total - self.new} old, {self.new} new, {len(self.wrong)} wrong; killed {told}"


def _spread(phases: Counter[str]) -> Figure:
    """Tell whether every phase was met often enough for the other figures to say anything."""
    told = ", ".join(f"{name} {phases[name]}" for name in PHASES)
    enough = all(phases[name] >= _LEAST for name in PHASES)
    return Figure("R1", f"at least {_LEAST} kills in each phase", told, held=enough, seconds=0.0)


def kills_at_random(
    trial: Trial, count: int, seed: int, phases: Counter[str] | None = None
) -> Figure:
    """Kill a change at moments spread over the time it takes, half of them near its end."""
    started, chance = time.monotonic(), random.Random(seed)  # noqa: S311  # no secret
    tally = Tally()
    for number in range(count):
        change = CHANGES[number % len(CHANGES)]
        share = chance.uniform(1 - _LAST, 1) if number % 2 else chance.random()
        with trial.copy() as data:
            process = trial.start(change, data)
            time.sleep(share * trial.seconds(change))
            kill(process)
            _judge(trial, change, data, process, tally)
    (Counter[str]() if phases is None else phases).update(tally.phases)
    return Figure(
        "R1",
        f"{count} kills during ingest, replace and delete (seed {seed})",
        str(tally),
        held=not tally.wrong,
        seconds=time.monotonic() - started,
    )


def kills_at_operations(
    trial: Trial, count: int | None, seed: int, phases: Counter[str] | None = None
) -> Figure:
    """Kill a change as it comes to each of its file operations; `count` of them if not all."""
    started, chance = time.monotonic(), random.Random(seed)  # noqa: S311  # no secret
    tally = Tally()
    changes = CHANGES if count is None else CHANGES[:1]
    every = [(change, *point) for change in changes for point in points(trial, change)]
    for change, call, number in every if count is None else chance.sample(every, count):
        with trial.copy() as data:
            inject = ["-e", f"inject={call}:signal=SIGKILL:when={number}"]
            process = trial.start(change, data, under=[*_strace(call), *inject])
            if process.wait(300) == 0:  # else this would show nothing
                tally.wrong.append(f"{change}: was not killed at {call} {number}")
            _judge(trial, change, data, process, tally)
    (Counter[str]() if phases is None else phases).update(tally.phases)
    return Figure(
        "R2",
        f"killed before {count or 'each'} of {len(every)} file operations (seed {seed})",
        str(tally),
        held=not tally.wrong and bool(every),
        seconds=time.monotonic() - started,
    )


def order_of_writing(trial: Trial) -> Figure:
    """Watch in which order a change reaches the disk."""
    started = time.monotonic()
    calls = [(name, rest) for _, name, rest in operations(trial, "ingest")]
    wrong = out_of_order(calls, trial.data)
    return Figure(
        "R3",
        f"{len(calls)} calls that reach the disk, in order",
        wrong or "files, manifest, folder, its name, the folder above, then the database",
        held=not wrong,
        seconds=time.monotonic() - started,
    )


def out_of_order(calls: Sequence[tuple[str, str]], data: Path) -> str:
    """Return what reached the disk too early or not at all, "" if all is well.

    Args:
        calls: Name of each call, and the rest of its line as strace prints it with `-y`.
        data: The data folder.
    """
    root = f"{data}/index/default"
    flushed: list[str] = []
    named = -1
    for name, rest in calls:
        path = re.search(r"<([^>]+)>", rest)
        if name == "rename" and ".tmp-" in rest and "/g-" in rest.partition(", ")[2]:
            named = len(flushed)
        elif name in {"fsync", "fdatasync"} and path:
            flushed.append(path[1])
    if named < 0:
        return "no generation was renamed"
    before, after = flushed[:named], flushed[named:]
    files = [path for path in before if path.startswith(f"{root}/.tmp-")]
    manifest = next((at for at, path in enumerate(files) if path.endswith("manifest.json")), -1)
    if manifest < 10:  # noqa: PLR2004  # of 13 files
        return f"the manifest is flushed as number {manifest} of {len(files)}"
    if not files or "/" in files[-1].removeprefix(f"{root}/"):
        return "the folder is not flushed before it gets its name"
    if root not in after:
        return "the folder above is not flushed"
    database = next((at for at, path in enumerate(after) if "wenqu.db" in path), -1)
    if database < after.index(root):
        return "the database is written before the name is on the disk"
    return ""


def _judge(
    trial: Trial, change: Change, data: Path, process: "subprocess.Popen[bytes]", tally: Tally
) -> None:
    """Look at what a killed change has left."""
    tally.phases[_phase(trial, data, process)] += 1
    until = time.monotonic() + _GONE_SECONDS
    while left := marked(data):
        if time.monotonic() > until:
            tally.wrong.append(f"{change}: processes {left} are left")
            break
        time.sleep(0.05)
    try:
        found = trial.state(data)
        if found not in (trial.states[None], trial.states[change]):
            tally.wrong.append(f"{change}: neither old nor new")
        tally.new += found == trial.states[change]
        if not trial.goes_on(data):
            tally.wrong.append(f"{change}: the next change does not clean up")
    except Exception as error:  # noqa: BLE001  # whatever it is, it is wrong
        tally.wrong.append(f"{change}: {type(error).__name__}: {error}")


def _phase(trial: Trial, data: Path, process: "subprocess.Popen[bytes]") -> str:
    """Return how far a change has come, as the disk tells."""
    root, base = data / "index" / "default", trial.base / "index" / "default"
    before = {path.name for path in base.glob("g-*")}
    (current,) = _current(data)
    if process.returncode == 0:
        return PHASES[5]
    if current not in before:
        return PHASES[4]
    if {path.name for path in root.glob("g-*")} - before:
        return PHASES[3]
    if list(root.glob(".tmp-*")):
        return PHASES[2]
    return PHASES[1] if holder(root) != holder(base) else PHASES[0]


def _current(data: Path) -> list[str | None]:
    from sqlalchemy import select  # noqa: PLC0415

    from index.database import CollectionRow  # noqa: PLC0415

    database = Database(f"sqlite:///{data / 'wenqu.db'}")
    try:
        with database.read() as session:
            return list(session.scalars(select(CollectionRow.generation)))
    finally:
        database.close()


def _strace(calls: str) -> list[str]:
    # without --seccomp-bpf, which is faster, but in strace 6.1 it drops the signal
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}"]


@cache
def operations(trial: Trial, change: Change) -> Sequence[tuple[str, str, str]]:
    """Return the file operations of a change: thread, name, and the rest of what strace prints."""
    log = trial.folder / "strace.log"
    watch = ["strace", "-f", "-y", "-o", str(log), "--seccomp-bpf", "-e", f"trace={_OPERATIONS}"]
    with trial.copy() as data:
        trial.make(change, data, under=watch)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    found = (_CALL.match(line) for line in lines)
    return [(call[1], call[2], call[3]) for call in found if call]


def points(trial: Trial, change: Change) -> Iterator[tuple[str, int]]:
    """Yield name and number of the file operations of a change within the data folder.

    The number counts the calls of one thread, as strace does when it injects.
    """
    counts = Counter[tuple[str, str]]()
    for thread, name, rest in operations(trial, change):
        counts[thread, name] += 1
        if str(trial.data) in rest:
            yield name, counts[thread, name]
