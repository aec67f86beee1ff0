"""`python -m eval.supply lock | audit | licences | sbom`."""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from eval.supply.accepted import Accepted, accepted
from eval.supply.audit import audit, verdict
from eval.supply.licences import licence_of, not_free
from eval.supply.lock import NAME, declared, read_lock, unmet, write_lock

ROOT = Path(__file__).parents[2]
_FAILED = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run one of the gates; 0 if it lets pass, 1 if not."""
    parser = argparse.ArgumentParser(prog="python -m eval.supply", description=__doc__)
    parser.add_argument("gate", choices=_GATES)
    return _GATES[parser.parse_args(argv).gate](accepted())


def lock(given: Accepted) -> int:
    """Write the lock anew."""
    _say(f"{NAME}: {write_lock(ROOT, given)} libraries")
    return 0


def audit_all(given: Accepted) -> int:
    """Ask for advisories."""
    report = audit([*_versions(given)])
    if report is None:
        _say("skipped: the advisory service cannot be reached")
        return 0
    found = verdict(report, given, datetime.now(UTC).date())
    for line in found.lines:
        _say(f"{found.word}: {line}")
    return _FAILED if found.word == "failed" else 0


def licences(given: Accepted) -> int:
    """List the licences of what is installed here, and name those that are not free."""
    asked = {name: licence_of(name, given.stated) for name, _ in _versions(given)}
    found = [each for each in asked.values() if each is not None]
    for each in found:
        _say(f"{each.name:32} {each.expression}")
    absent = sorted(name for name, each in asked.items() if each is None)
    if absent:
        _say(f"skipped: not installed here: {', '.join(absent)}")
    wrong = not_free(found, given)
    for line in wrong:
        _say(f"failed: {line}")
    return _FAILED if wrong else 0


def sbom(_given: Accepted) -> int:
    """Write a bill of materials in the form of CycloneDX."""
    made = ROOT / "build" / "sbom.cdx.json"
    made.parent.mkdir(exist_ok=True)
    command = [
        *(sys.executable, "-m", "cyclonedx_py", "requirements", str(ROOT / NAME)),
        *("--pyproject", str(ROOT / "pyproject.toml"), "--of", "JSON", "-o", str(made)),
    ]
    subprocess.run(command, check=True)  # noqa: S603  # our own
    _say(str(made.relative_to(ROOT)))
    return 0


def _versions(given: Accepted) -> "list[tuple[str, str]]":
    """Return what is run here: what is locked for this system, and what is pinned elsewhere.

    Raises:
        SystemExit: The lock is not that of pyproject.toml.
    """
    pins = read_lock((ROOT / NAME).read_text(encoding="utf-8"))
    apart = [leave.name for leave in given.apart]
    wanted = declared(ROOT / "pyproject.toml", given.without)
    if stale := unmet(wanted, pins, apart):
        sys.exit(f"{NAME} is not up to date, run `make lock`: {'; '.join(stale)}")
    ours = [(pin.name, pin.version) for pin in pins if pin.is_for_us]
    # `+cpu` names who built it: advisories are about the version
    return [*ours, *((name, version(name).partition("+")[0]) for name in apart)]


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


_GATES = {"lock": lock, "audit": audit_all, "licences": licences, "sbom": sbom}

if __name__ == "__main__":
    sys.exit(main())
