"""What was measured so far, one line a measurement: a run that is cut off goes on from there."""

import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

from eval.errors import ResultsError

Values: TypeAlias = Mapping[str, float]
_SAID = 600
"""Characters of what a process said in the end."""


@dataclass(frozen=True, slots=True, order=True)
class Job:
    """One measurement in a process of its own.

    Attributes:
        measure: What, such as `query`.
        case: Of what, such as `10000/given`.
        stack: By whom.
        round: From 0; all stacks have their turn in a round.
    """

    measure: str
    case: str
    stack: str
    round: int = 0


class Ledger:
    """A file of lines, the first of which says what run it is of."""

    def __init__(self, path: Path, about: Mapping[str, object]) -> None:
        """Open the file, or begin it.

        Raises:
            ResultsError: It is of another run, or no such file.
        """
        self._path = path
        self.values: dict[Job, Values] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or not path.stat().st_size:
            path.write_text(_line(about), encoding="utf-8")
            return
        said, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        if said != _line(about):
            reason = "it is of another run: remove it or choose another folder with --out"
            raise ResultsError(path, reason)
        whole = [line for line in lines if line.endswith("\n")]
        if len(whole) < len(lines):  # cut off while it was written
            path.write_text(said + "".join(whole), encoding="utf-8")
        for at, line in enumerate(whole, start=2):
            try:
                row = json.loads(line)
                self.values[Job(**row["job"])] = row["values"]
            except (ValueError, TypeError, KeyError) as error:
                raise ResultsError(path, f"line {at}: {error}") from error

    def record(self, job: Job, values: Values) -> None:
        """Keep what came of a job."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line({"job": asdict(job), "values": dict(values)}))
        self.values[job] = values


def work_off(
    wanted: Sequence[Job],
    ledger: Ledger,
    measure: Callable[[Job], Values],
    say: Callable[[str], None],
) -> int:
    """Do the jobs that are not in the ledger yet; return how many failed, to be tried again.

    Args:
        wanted: In order.
        ledger: Keeps what came of each.
        measure: Does one, or raises OSError or subprocess.SubprocessError.
        say: Told of each.
    """
    failed = 0
    todo = [job for job in wanted if job not in ledger.values]
    for number, job in enumerate(todo, start=1):
        name = f"[{number}/{len(todo)}] {job.measure} {job.case} {job.stack} {job.round}"
        started = time.perf_counter()
        try:
            values = measure(job)
        except (OSError, subprocess.SubprocessError) as error:
            failed += 1
            said = str(getattr(error, "stderr", "") or error).strip()
            say(f"{name}: failed: {said[-_SAID:]}")
            continue
        ledger.record(job, values)
        said = ", ".join(f"{key} {value:.4g}" for key, value in values.items())
        say(f"{name}: {said} ({time.perf_counter() - started:.0f} s)")
    return failed


def _line(of: Mapping[str, object]) -> str:
    return json.dumps(of, ensure_ascii=False, sort_keys=True) + "\n"
