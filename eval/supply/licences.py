"""What the libraries allow us to do, by what they say of themselves."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata

from eval.supply.accepted import Accepted

_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
_WORDS = {"3-Clause BSD License": "BSD-3-Clause", "Apache 2.0 License": "Apache-2.0"}
_TOKEN = re.compile(r"[()]|[^\s()]+")


@dataclass(frozen=True, slots=True)
class Licence:
    """What a library says.

    Attributes:
        name: Of the library.
        expression: In the form of SPDX; "" if it says nothing, or nothing that is understood.
    """

    name: str
    expression: str


def licence_of(name: str, stated: Mapping[str, str]) -> Licence | None:
    """Return the licence of an installed library; None if it is not installed."""
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return None
    if name in stated:
        return Licence(name, stated[name])
    if "License-Expression" in said:
        return Licence(name, str(said["License-Expression"]))
    named = [
        line.rpartition("::")[2].strip()
        for line in said.get_all("Classifier") or ()
        if line.startswith("License :: OSI Approved ::")
    ]
    if named:
        known = [_CLASSIFIERS.get(each, each.replace(" ", "-")) for each in named]
        return Licence(name, " OR ".join(known))
    words = said["License"].strip() if "License" in said else ""
    return Licence(name, _WORDS.get(words, words if len(words.splitlines()) == 1 else ""))


def is_free(expression: str, allowed: Iterable[str]) -> bool:
    """Whether an expression of SPDX is met by licences that are allowed.

    Grammar: SPDX 3.0, annex «License expressions»: `WITH` binds tightest, then `AND`, then `OR`.
    """
    tokens = _TOKEN.findall(expression)
    known = frozenset(allowed)

    def either() -> bool:
        found = both()
        while tokens[:1] == ["OR"]:
            tokens.pop(0)
            found = both() or found
        return found

    def both() -> bool:
        found = one()
        while tokens[:1] in (["AND"], ["WITH"]):
            tokens.pop(0)
            found = one() and found
        return found

    def one() -> bool:
        first = tokens.pop(0) if tokens else ""
        if first != "(":
            return first in known
        found = either()
        return bool(tokens) and tokens.pop(0) == ")" and found

    return either() and not tokens


def not_free(licences: Iterable[Licence], accepted: Accepted) -> list[str]:
    """Return the libraries that may not be used as they are, one line each."""
    bound = {leave.name for leave in accepted.bound}
    return [
        f"{each.name}: {each.expression or 'it does not say'}"
        for each in licences
        if each.name not in bound and not is_free(each.expression, accepted.licences)
    ]
