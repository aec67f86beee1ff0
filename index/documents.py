"""Documents as the database keeps them."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from corpus.document import Document, Section
from index.database import DocumentRow, now


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """What a list of documents shows of each."""

    id: str
    title: str
    source: str
    characters: int
    passages: int
    changed_at: str
    digest: str


def digest(document: Document) -> str:
    """Return the SHA-256 of all that a reader can see of `document`."""
    seen = [document.title, document.text, document.source, _details(document)]
    return hashlib.sha256(json.dumps(seen, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def _details(document: Document) -> dict[str, Any]:
    sections = [[s.heading, s.level, s.start, s.end] for s in document.sections]
    return {"metadata": dict(document.metadata), "sections": sections}


def to_row(collection: str, document: Document, passages: int) -> DocumentRow:
    """Return the record of `document`, cut into so many passages."""
    return DocumentRow(
        collection=collection,
        id=document.id,
        title=document.title,
        source=document.source,
        text=document.text,
        details=_details(document),
        digest=digest(document),
        characters=len(document.text),
        passages=passages,
        changed_at=now(),
    )


def from_row(row: DocumentRow) -> Document:
    """Return the document of a record."""
    return Document(
        id=row.id,
        title=row.title,
        text=row.text,
        source=row.source,
        metadata=row.details["metadata"],
        sections=tuple(Section(*section) for section in row.details["sections"]),
    )
