"""The wordings in lexicon.toml, read once."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal, TypeAlias, get_args

Kind: TypeAlias = Literal[
    "who",
    "when",
    "where",
    "count",
    "list",
    "compare",
    "why",
    "how",
    "yesno",
    "naming",
    "definition",
    "what",
]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Patterns over folded text.

    Attributes:
        kinds: Kind of question and its pattern, in the order in which they are tried.
        asking: Words of a question that an answer need not have.
        wanted: Kind of question to what a sentence that answers it has.
        talk: Topic of small talk to the pattern of a whole message.
        pronoun: What stands for something said before.
        what_about: «那 X 呢？», with X as the group `topic`.
        lead: What a question begins with and means nothing.
        asks: The part of a question that asks.
        own_document: What makes a question one about a document itself.
        statements: How a document's own line on something begins, to what asks for it.
    """

    kinds: tuple[tuple[Kind, re.Pattern[str]], ...]
    asking: frozenset[str]
    wanted: Mapping[Kind, re.Pattern[str]]
    talk: Mapping[str, re.Pattern[str]]
    pronoun: re.Pattern[str]
    what_about: re.Pattern[str]
    lead: re.Pattern[str]
    asks: re.Pattern[str]
    own_document: re.Pattern[str]
    statements: Mapping[str, re.Pattern[str]]


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """Return the lexicon that ships with wenqu."""
    data = tomllib.loads(files("bot").joinpath("lexicon.toml").read_text(encoding="utf-8"))
    return Lexicon(
        kinds=tuple((_kind(row["name"]), _any_of(row["patterns"])) for row in data["kind"]),
        asking=frozenset(data["asking"]["words"].split()),
        wanted={_kind(kind): re.compile(pattern) for kind, pattern in data["wanted"].items()},
        talk={
            topic: re.compile(rf"(?:{'|'.join(patterns)})[!！。.~～,，?？\s]*")
            for topic, patterns in data["talk"].items()
        },
        own_document=re.compile(data["own_document"]["pattern"]),
        statements={label: re.compile(asks) for label, asks in data["statements"].items()},
        **{name: _any_of(patterns) for name, patterns in data["follow_up"].items()},
    )


def _any_of(patterns: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


def _kind(name: str) -> Kind:
    kinds: tuple[Kind, ...] = get_args(Kind)
    return kinds[kinds.index(name)]  # a name that is none raises ValueError
