"""The words of `wording.toml`, loaded once."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Wording:
    """Words that decide whether a sentence says more than its quotation; see the file."""

    glue: frozenset[str]
    alike: Mapping[str, frozenset[str]]
    hedges: frozenset[str]
    conditions: frozenset[str]
    negators: tuple[str, ...]
    positive: tuple[str, ...]
    pronouns: frozenset[str]
    adverbial: frozenset[str]
    respective: frozenset[str]
    links: frozenset[str]
    symmetrical: frozenset[str]


@lru_cache(maxsize=1)
def wording() -> Wording:
    """Return the words."""
    read = tomllib.loads(files("bot.llm").joinpath("wording.toml").read_text("utf-8"))
    groups = [frozenset(group) for group in read["alike"]]
    return Wording(
        glue=frozenset(read["glue"]),
        alike={word: group for group in groups for word in group},
        hedges=frozenset(read["hedges"]),
        conditions=frozenset(read["conditions"]),
        negators=_longest_first(read["negators"]),
        positive=_longest_first(read["positive"]),
        pronouns=frozenset(read["pronouns"]),
        adverbial=frozenset(read["adverbial"]),
        respective=frozenset(read["respective"]),
        links=frozenset(read["links"]),
        symmetrical=frozenset(read["symmetrical"]),
    )


def _longest_first(words: list[str]) -> tuple[str, ...]:
    return tuple(sorted(words, key=lambda word: (-len(word), word)))
