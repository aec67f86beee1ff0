"""What a collection holds, straight from the database: no model is loaded to list documents."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select

from corpus.document import Document
from index.database import CollectionRow, Database, DocumentRow
from index.documents import DocumentInfo, from_row
from index.errors import DocumentNotFoundError

_COLUMNS = [getattr(DocumentRow, name) for name in DocumentInfo.__dataclass_fields__]


def exists(database: Database, collection: str) -> bool:
    """Whether anything was ever ingested into the collection."""
    with database.read() as session:
        return session.get(CollectionRow, collection) is not None


def collections(database: Database) -> dict[str, datetime]:
    """Return the names of all collections, ordered, with when each was changed last."""
    query = select(CollectionRow.name, CollectionRow.changed_at).order_by(CollectionRow.name)
    with database.read() as session:
        return {name: datetime.fromisoformat(at) for name, at in session.execute(query)}


def describe(
    database: Database, collection: str, ids: Collection[str] | None = None
) -> dict[str, DocumentInfo]:
    """Return id to what a list shows of it, ordered by id.

    Args:
        database: Where the documents are.
        collection: Which of them.
        ids: Only these, as far as they are still there; all of the collection if None.
    """
    query = select(*_COLUMNS).where(DocumentRow.collection == collection).order_by(DocumentRow.id)
    if ids is not None:
        query = query.where(DocumentRow.id.in_(ids))
    with database.read() as session:
        return {row[0]: DocumentInfo(*row) for row in session.execute(query)}


def open_document(
    database: Database, collection: str, document_id: str
) -> tuple[Document, DocumentInfo]:
    """Return a document and what a list shows of it, of the same moment.

    Raises:
        DocumentNotFoundError: There is none of that id.
    """
    with database.read() as session:
        row = session.get(DocumentRow, (collection, document_id))
        if row is None:
            raise DocumentNotFoundError(document_id)
        values = (getattr(row, name) for name in DocumentInfo.__dataclass_fields__)
        return from_row(row), DocumentInfo(*values)
