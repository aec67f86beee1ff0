"""The HTTP interface held to its own description: `python -m eval.bench.fuzz_api`.

schemathesis reads `/openapi.json` of a real `wenqu serve` over the bundled texts, once with an
admin key and once without any, makes requests that are right and wrong by it, alone and in
sequence, and checks every response. In full it takes some minutes of computing; what it sends
follows from the seed.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bot.testing import Server
from eval.bench.figures import Figure

_SECTION = re.compile(r"^=+ ([A-Z]+) =+$", re.MULTILINE)
_CONFIG = Path(__file__).with_name("fuzz_api.toml")
_KEY = "wenqu-fuzz-0123456789"
_QUIET = {
    "WENQU_RATE_PER_MINUTE": "0",
    "WENQU_SESSION_RATE_PER_MINUTE": "0",
    "WENQU_FETCH_PORTS": "9",  # where nobody answers: what is made up is fetched from nowhere
}
_FULL_SECONDS = 240
_ONLY_WITH_A_KEY = "missing_required_header"
"""It wants 401; a service without any key answers 403, as no header would open it."""
_FEWEST = 100
"""With fewer requests nothing was shown: something came in between."""


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """What schemathesis reports.

    Attributes:
        cases: Requests that were made.
        operations: Endpoints that were tested.
        failures: What was wrong, one line each.
        seconds: On the clock.
    """

    cases: int
    operations: int
    failures: tuple[str, ...]
    seconds: float


def fuzz(data: Path, *, full: bool, seed: int, key: str) -> Fuzzed:
    """Fuzz a server over a copy of a data folder.

    Args:
        data: With an index; not changed.
        full: Whether to take minutes for all phases, or seconds for those that are systematic.
        seed: Of what is sent.
        key: The admin key, "" for a service that has none.
    """
    with TemporaryDirectory(prefix="wenqu-fuzz-") as folder:
        copy = Path(shutil.copytree(data, Path(folder) / "data"))
        log = Path(folder) / "log"
        with (
            log.open("wb") as stream,
            Server(copy, stderr=stream, WENQU_ADMIN_KEY=key, **_QUIET) as server,
        ):
            found = _run(server.url, Path(folder), full=full, seed=seed, key=key)
        unexpected = [
            line for line in log.read_text(encoding="utf-8").splitlines() if '"error"' in line
        ]
    failures = (*found.failures, *(f"in the log: {line[:2000]}" for line in unexpected))
    return Fuzzed(found.cases, found.operations, failures, found.seconds)


def _run(url: str, folder: Path, *, full: bool, seed: int, key: str) -> Fuzzed:
    report = folder / "report.json"
    phases = "examples,coverage,fuzzing,stateful" if full else "examples,coverage"
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(_CONFIG)),
        *("run", f"{url}/openapi.json", "--checks", "all", "--phases", phases),
        *("--seed", str(seed), "--continue-on-failure", "--report", "json"),
        *("--request-timeout", "60", "--no-color"),
        *("--report-json-path", str(report)),
        *(() if key else ("--exclude-checks", _ONLY_WITH_A_KEY)),
        *(("--max-time", str(_FULL_SECONDS)) if full else ()),
    ]
    began = time.monotonic()
    done = subprocess.run(  # noqa: S603  # our own arguments
        command,
        cwd=folder,
        env={**os.environ, "WENQU_ADMIN_KEY": key or "none-is-set-here"},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - began
    if not report.exists():
        return Fuzzed(0, 0, (done.stdout[-2000:] + done.stderr[-2000:],), seconds)
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    failures = _failures(done.stdout) if done.returncode else ()
    cases, operations = found["test_cases"] or {}, found["operations"] or {}
    return Fuzzed(cases.get("generated", 0), operations.get("tested", 0), failures, seconds)


def _failures(said: str) -> tuple[str, ...]:
    """Cut what schemathesis writes for people: it tells how to send each request again."""
    told = _SECTION.split(said)
    wrong = [
        body.strip()[:4000]
        for name, body in zip(told[1::2], told[2::2], strict=True)
        if name in {"FAILURES", "ERRORS"}
    ]
    return tuple(wrong) or (said[-2000:],)


def figure(data: Path, *, full: bool, seed: int, key: str) -> Figure:
    """Return the line of the table for a service with that admin key, "" for none."""
    found = fuzz(data, full=full, seed=seed, key=key)
    kind = "with a key" if key else "without a key"
    what = f"{found.cases} requests to {found.operations} endpoints by their description, {kind}"
    value = f"{len(found.failures)} failures"
    first = f"; first: {found.failures[0]}" if found.failures else ""
    held = not found.failures and found.cases > _FEWEST
    return Figure("R57", what, value + first, held, found.seconds)


def figures(*, full: bool, seed: int) -> Iterator[Figure]:
    """Fuzz with a key and without one."""
    with TemporaryDirectory(prefix="wenqu-fuzz-") as folder:
        wenqu = Path(sys.executable).with_name("wenqu")
        command = [str(wenqu), "ingest", "--bundled", "--data", folder]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603  # our own
        for key in (_KEY, ""):
            yield figure(Path(folder), full=full, seed=seed, key=key)


def main() -> int:
    """Run in full and print; a seed may be given."""
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else int(time.time())
    sys.stdout.write(f"seed {seed}\n")
    held = True
    for found in figures(full=True, seed=seed):
        sys.stdout.write(f"{found.case}: {found.what}: {found.value} in {found.seconds:.0f} s\n")
        held &= found.held
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
