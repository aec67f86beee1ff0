"""What is let pass with a reason: `accepted.toml`, read and checked."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("accepted.toml")


@dataclass(frozen=True, slots=True)
class Leave:
    """Something that is let pass.

    Attributes:
        name: Of the library.
        reason: Why.
        until: The last day on which the reason holds; None for as long as it is written.
        id: Of an advisory, "" if it is about none.
    """

    name: str
    reason: str
    until: date | None = None
    id: str = ""

    def __post_init__(self) -> None:
        """Hold it to its reason.

        Raises:
            ValueError: There is none.
        """
        if not self.reason.strip():
            message = f"{self.name} is let pass without a reason"
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class Accepted:
    """All of them.

    Attributes:
        without: Extras that are not locked.
        apart: Libraries that are pinned elsewhere.
        advisories: Known holes that do not concern us.
        unaudited: Libraries that no advisory service knows.
        licences: Identifiers of SPDX.
        bound: Libraries of extras, whose licence the core could not take.
        stated: Library to its licence, where it says it in words of its own.
    """

    without: tuple[str, ...]
    apart: tuple[Leave, ...]
    advisories: tuple[Leave, ...]
    unaudited: tuple[Leave, ...]
    licences: frozenset[str]
    bound: tuple[Leave, ...]
    stated: Mapping[str, str]


def accepted(text: str | None = None) -> Accepted:
    """Read what is accepted, from the file if no text is given.

    Raises:
        ValueError: Something has no reason, or an end is missing that has to be there.
    """
    found: dict[str, Any] = tomllib.loads(
        FILE.read_text(encoding="utf-8") if text is None else text
    )
    lock, audit, licences = (found.get(name, {}) for name in ("lock", "audit", "licences"))
    return Accepted(
        tuple(lock.get("without", ())),
        tuple(Leave(**each) for each in lock.get("apart", ())),
        _ending(audit.get("accepted", ())),
        _ending(audit.get("unaudited", ())),
        frozenset(licences.get("allowed", ())),
        tuple(Leave(**each) for each in licences.get("accepted", ())),
        licences.get("stated", {}),
    )


def _ending(given: "list[dict[str, Any]]") -> tuple[Leave, ...]:
    found = tuple(Leave(**each) for each in given)
    for each in found:
        if each.until is None:
            message = f"{each.name} is let pass without an end: write until = YYYY-MM-DD"
            raise ValueError(message)
    return found
