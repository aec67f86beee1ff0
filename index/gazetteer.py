"""The names that a corpus itself uses: titles, headings, product names, quoted titles."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Self, TypeAlias

from corpus.fold import fold, fold_with_offsets
from corpus.sentences import item_marker, lines
from corpus.words import names
from index.rows import Row

Source: TypeAlias = Literal["title", "heading", "name"]

_SHORTEST = 2
_LONGEST = 30
_SHORTEST_HEADING = 4
_LABEL = re.compile(r"([^\s：:。，,；;（(]{2,15})[：:。]")
_LATIN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]+(?![A-Za-z0-9])")
_QUOTED = re.compile(r"《([^《》]{2,20})》")


@dataclass(frozen=True, slots=True)
class Mention:
    """A name of the corpus in some text.

    Attributes:
        name: As the corpus writes it.
        source: Where the corpus has it from, the most telling place first.
        start: Offset into the text.
        end: Offset after it.
    """

    name: str
    source: Source
    start: int
    end: int


class Gazetteer:
    """Names to be recognised in questions and answers, in either script and any case."""

    def __init__(self, entries: Mapping[str, Source]) -> None:
        """Recognise the keys of `entries`."""
        self.entries = dict(sorted(entries.items()))

    @classmethod
    def collect(cls, rows: Iterable[Row]) -> Self:
        """Gather the names in the passages of an index.

        What a list item begins with, up to its colon or first stop, is taken like a heading. One
        that several documents share, such as «背景», names nothing and is left out.
        """
        entries: dict[str, Source] = {}
        headings: dict[str, set[str]] = {}
        for row in rows:
            entries[row.title] = "title"
            text = row.passage.text
            for heading in (*row.passage.headings, *_labels(text)):
                headings.setdefault(heading, set()).add(row.passage.document_id)
            for found in names(text):
                entries.setdefault(text[found.start : found.end], "name")
            for quoted in _QUOTED.finditer(text):
                entries.setdefault(quoted.group(1), "name")
        for heading, documents in headings.items():
            if len(documents) == 1 and len(heading) >= _SHORTEST_HEADING:
                entries.setdefault(heading, "heading")
        return cls({name: source for name, source in entries.items() if _usable(name)})

    def save(self, path: Path) -> None:
        """Write the names as JSON."""
        path.write_text(json.dumps(self.entries, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, data: bytes) -> Self:
        """Return what is in the bytes that `save` wrote.

        Raises:
            ValueError: It is no JSON object.
        """
        return cls(dict(json.loads(data)))

    def find(self, text: str) -> list[Mention]:
        """Return the names in `text` in order, the longest where several begin."""
        folded = fold_with_offsets(text)
        found: list[Mention] = []
        at = 0
        while at < len(folded.text):
            hit = self._at(folded.text, at)
            if hit is None:
                at += 1
                continue
            key, name = hit
            start, end = folded.original(at, at + len(key))
            found.append(Mention(name, self.entries[name], start, end))
            at += len(key)
        return found

    def _at(self, folded: str, at: int) -> tuple[str, str] | None:
        for key in self._starts.get(folded[at : at + 2], ()):
            if folded.startswith(key, at) and _stands_alone(folded, at, at + len(key)):
                return key, self._by_key[key]
        return None

    @cached_property
    def words(self) -> Mapping[str, str]:
        """The Latin words of all names: folded, and as the corpus writes them."""
        found: dict[str, str] = {}
        for name in self.entries:
            for word in _LATIN.findall(name):
                found.setdefault(fold(word), word)
        return found

    @cached_property
    def _by_key(self) -> dict[str, str]:
        keys: dict[str, str] = {}
        for name in self.entries:
            keys.setdefault(fold(name), name)
        return keys

    @cached_property
    def _starts(self) -> dict[str, list[str]]:
        starts: dict[str, list[str]] = {}
        for key in sorted(self._by_key, key=lambda key: (-len(key), key)):
            starts.setdefault(key[:2], []).append(key)
        return starts


def _labels(text: str) -> Iterator[str]:
    for line in lines(text):
        marker = item_marker(text, line)
        found = _LABEL.match(text, line.start + marker, line.end) if marker else None
        if found:
            yield found[1]


def _usable(name: str) -> bool:
    return _SHORTEST <= len(fold(name)) <= _LONGEST and not name.isdigit() and "\n" not in name


def _stands_alone(folded: str, start: int, end: int) -> bool:
    """Whether a Latin name is not just a piece of a longer word."""
    before, after = folded[start - 1 : start], folded[end : end + 1]
    first, last = folded[start], folded[end - 1]
    return not (
        (first.isascii() and first.isalnum() and before.isascii() and before.isalnum())
        or (last.isascii() and last.isalnum() and after.isascii() and after.isalnum())
    )
