"""The passages of a generation on disk, and what they are made of."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from corpus.chunk import chunk
from corpus.document import Document, Passage
from corpus.fold import simplify
from index.arrays import read_array, write_array

PASSAGES = "passages.jsonl"
LINES = "lines.npy"


@dataclass(frozen=True, slots=True)
class Row:
    """One passage as it is stored.

    Attributes:
        passage: What is found and cited.
        title: Of its document.
        key: Hash of all that is embedded for it; equal keys have equal vectors and terms.
    """

    passage: Passage
    title: str
    key: str


class PassageTable:
    """The rows of a generation, each made of its line when it is asked for."""

    def __init__(self, lines: bytes, bounds: NDArray[np.int64]) -> None:
        """Use `lines`; `bounds` has the offset of each and, last, their size."""
        self._lines = lines
        self._bounds = bounds

    def __len__(self) -> int:
        return len(self._bounds) - 1

    @classmethod
    def load(cls, passages: bytes, lines: bytes) -> Self:
        """Return what the two files hold that `write_rows` wrote.

        Raises:
            ValueError: They do not fit.
        """
        bounds = read_array(lines).astype(np.int64)
        if bounds.ndim != 1 or not len(bounds) or bounds[-1] != len(passages):
            message = f"{LINES} does not end where {PASSAGES} does"
            raise ValueError(message)
        return cls(passages, bounds)

    def __getitem__(self, row: int) -> Row:
        data = json.loads(self._lines[self._bounds[row] : self._bounds[row + 1]])
        passage = Passage(
            data["document_id"], data["start"], data["end"], data["text"], tuple(data["headings"])
        )
        return Row(passage, data["title"], data["key"])


def rows_of(document: Document) -> list[Row]:
    """Cut a document into rows."""
    rows = []
    for passage in chunk(document):
        text = search_text(document.title, passage.headings, passage.text)
        key = hashlib.sha256(text.encode()).hexdigest()[:32]
        rows.append(Row(passage, document.title, key))
    return rows


def write_rows(folder: Path, rows: Sequence[Row]) -> None:
    """Write the passages and where each line begins."""
    offsets = [0]
    with (folder / PASSAGES).open("wb") as file:
        for row in rows:
            data = {
                "document_id": row.passage.document_id,
                "start": row.passage.start,
                "end": row.passage.end,
                "text": row.passage.text,
                "headings": row.passage.headings,
                "title": row.title,
                "key": row.key,
            }
            offsets.append(
                offsets[-1] + file.write(json.dumps(data, ensure_ascii=False).encode() + b"\n")
            )
    write_array(folder / LINES, np.asarray(offsets, np.int64))


def keys_hash(keys: Iterable[str]) -> str:
    """Return the SHA-256 of the keys of some rows in their order."""
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()


def search_text(title: str, headings: Sequence[str], text: str) -> str:
    """Return what is embedded and cut into terms for a passage: title, headings, text.

    In simplified script, so that a passage is found alike in either.
    """
    return simplify(f"{search_path(title, headings)}\n{text}")


def search_path(title: str, headings: Sequence[str]) -> str:
    """Return the title and the headings below it on one line."""
    path = [title, *(heading for heading in headings if heading != title)]
    return " > ".join(part for part in path if part)
