"""`requirements.lock`: every library that is run, by version and hash, for all systems.

uv resolves for all systems and Python versions at once and knows the hashes of every file; pip
installs. Format: https://pip.pypa.io/en/stable/topics/secure-installs/#hash-checking-mode
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import requires
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from eval.supply.accepted import Accepted

NAME = "requirements.lock"

_HEADER = """\
# Every library that is run, by version and hash; made by `make lock`, not by hand.
#   pip install 'torch==2.13.0'
#   pip install --no-deps --require-hashes --requirement requirements.lock
# torch comes first and by itself: eval/supply/accepted.toml says why.
"""
_PIN = re.compile(
    r"^(?P<name>[a-z0-9][a-z0-9-]*)==(?P<version>[^\s;\\]+)(?: ; (?P<marker>[^\\\n]+?))?"
    r"(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})+)$",
    re.MULTILINE,
)
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Pin:
    """A library at one version.

    Attributes:
        name: In canonical form.
        version: Exactly.
        marker: Of the systems it is for; "" for all.
        hashes: SHA-256 of each of its files.
    """

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    @property
    def is_for_us(self) -> bool:
        """Whether it is for this system and this Python."""
        return not self.marker or Marker(self.marker).evaluate()


def read_lock(text: str) -> tuple[Pin, ...]:
    """Return what a lock holds.

    Raises:
        ValueError: There is something in it that is neither a pin with hashes nor a comment.
    """
    rest = re.sub(r"^#.*$", "", _PIN.sub("", text), flags=re.MULTILINE).strip()
    if rest:
        message = f"no pin with hashes: {rest[:100]!r}"
        raise ValueError(message)
    return tuple(
        Pin(
            found["name"],
            found["version"],
            found["marker"] or "",
            tuple(_HASH.findall(found["hashes"])),
        )
        for found in _PIN.finditer(text)
    )


def declared(project: Path, without: Sequence[str]) -> tuple[Requirement, ...]:
    """Return what `pyproject.toml` asks for, extras included but for some."""
    table: dict[str, Any] = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    extras = table.get("optional-dependencies", {})
    lines = [*table["dependencies"]]
    lines += [line for name, more in extras.items() if name not in without for line in more]
    found = {str(requirement): requirement for requirement in map(Requirement, lines)}
    return tuple(found.values())


def unmet(wanted: Sequence[Requirement], pins: Sequence[Pin], apart: Sequence[str]) -> list[str]:
    """Return what is asked for and not locked, one line each; empty if the lock is up to date."""
    versions: dict[str, list[str]] = {}
    for pin in pins:
        versions.setdefault(pin.name, []).append(pin.version)
    return [
        f"{requirement} is asked for, {', '.join(held) or 'nothing'} is locked"
        for requirement in wanted
        for name in [canonicalize_name(requirement.name)]
        for held in [versions.get(name, [])]
        if name not in apart
        and not (held and all(requirement.specifier.contains(one) for one in held))
    ]


def write_lock(root: Path, accepted: Accepted) -> int:
    """Resolve anew and write the lock; return how many libraries it holds.

    Raises:
        subprocess.CalledProcessError: uv found no solution, or is not installed.
    """
    apart = [leave.name for leave in accepted.apart]
    wanted = [*_lines(declared(root / "pyproject.toml", accepted.without), apart)]
    wanted += [line for name in apart for line in _needs(name)]
    with TemporaryDirectory() as folder:
        asked, overridden, made = (Path(folder) / name for name in ("in", "override", "lock"))
        asked.write_text("\n".join(wanted), encoding="utf-8")
        never = (f'{name} ; python_version < "3"' for name in apart)
        overridden.write_text("\n".join(never), encoding="utf-8")
        options = ("--universal", "--generate-hashes", "--no-header", "--no-annotate", "--quiet")
        command = [
            *(sys.executable, "-m", "uv", "pip", "compile", str(asked), *options),
            *("--python-version", "3.11", "--override", str(overridden), "-o", str(made)),
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # our own
        text = _HEADER + made.read_text(encoding="utf-8")
    pins = read_lock(text)
    (root / NAME).write_text(text, encoding="utf-8")
    return len(pins)


def _lines(wanted: Sequence[Requirement], apart: Sequence[str]) -> Iterator[str]:
    for requirement in wanted:
        if canonicalize_name(requirement.name) not in apart:
            yield str(requirement)


def _needs(name: str) -> Iterator[str]:
    """Yield what an installed library needs, extras aside."""
    for line in requires(name) or ():
        requirement = Requirement(line)
        if "extra" not in str(requirement.marker or ""):
            yield str(requirement)
