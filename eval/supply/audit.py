"""Whether an advisory tells of a hole in what is locked, by pip-audit.

pip-audit counts a library that its service does not know as audited without a finding. Here such a
one has to be written down with its reason, and where none could be audited nothing has passed.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeAlias

from packaging.utils import canonicalize_name

from eval.supply.accepted import Accepted, Leave

Word: TypeAlias = Literal["passed", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class Report:
    """What pip-audit says.

    Attributes:
        audited: Libraries that the service knows.
        holes: Library, advisory, and the versions that mend it.
        skipped: Library, and why it could not be audited.
    """

    audited: tuple[str, ...]
    holes: tuple[tuple[str, str, str], ...]
    skipped: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, text: str) -> "Report":
        """Read its JSON.

        Raises:
            ValueError: It is something else.
        """
        found: list[dict[str, Any]] = json.loads(text)["dependencies"]
        audited = [each for each in found if "skip_reason" not in each]
        return cls(
            tuple(each["name"] for each in audited),
            tuple(
                (each["name"], hole["id"], ", ".join(hole["fix_versions"]))
                for each in audited
                for hole in each["vulns"]
            ),
            tuple((each["name"], each["skip_reason"]) for each in found if "skip_reason" in each),
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What it comes to.

    Attributes:
        word: `skipped` if nothing could be audited, which is not to have passed.
        lines: For a person.
    """

    word: Word
    lines: tuple[str, ...]


def verdict(report: Report, accepted: Accepted, today: date) -> Verdict:
    """Judge a report by what is accepted on a day."""
    if not report.audited:
        said = f"none of {len(report.skipped)} libraries could be audited"
        return Verdict("skipped", (f"{said}: the advisory service does not answer here",))
    leave = {each.id: each for each in accepted.advisories if _holds(each, today)}
    unaudited = {each.name for each in accepted.unaudited if _holds(each, today)}
    wrong = [
        f"{name}: {hole}" + (f", mended in {mended}" if mended else ", not mended yet")
        for name, hole, mended in report.holes
        if hole not in leave or canonicalize_name(leave[hole].name) != canonicalize_name(name)
    ]
    wrong += [
        f"{name}: not audited, {reason}"
        for name, reason in report.skipped
        if canonicalize_name(name) not in unaudited
    ]
    if wrong:
        return Verdict("failed", tuple(wrong))
    left = len(report.holes) + len(report.skipped)
    said = f"{len(report.audited)} libraries audited, no hole is known"
    return Verdict("passed", (f"{said}; {left} left out with a reason" if left else said,))


def _holds(leave: Leave, today: date) -> bool:
    return leave.until is not None and today <= leave.until


def audit(versions: Sequence[tuple[str, str]]) -> Report | None:
    """Ask for all libraries at these versions; None if the service cannot be reached."""
    with TemporaryDirectory() as folder:
        listed, told = Path(folder) / "list", Path(folder) / "report.json"
        lines = (f"{name}=={version}\n" for name, version in versions)
        listed.write_text("".join(lines), encoding="utf-8")
        options = ("--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off")
        command = [
            *(sys.executable, "-m", "pip_audit", "--requirement", str(listed), *options),
            *("--output", str(told)),
        ]
        subprocess.run(command, check=False, capture_output=True)  # noqa: S603  # our own
        return Report.of(told.read_text(encoding="utf-8")) if told.exists() else None
