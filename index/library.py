"""A collection of documents and its index, always of one mind.

`ingest` and `delete` work out the next generation beside the present one, then one transaction
changes the documents and says which generation answers. A reader sees all of it or nothing.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from filelock import FileLock, Timeout
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from corpus.document import Document
from corpus.words import Segmenter
from index.build import features
from index.database import CollectionRow, Database, DocumentRow, now
from index.documents import DocumentInfo, digest, from_row, to_row
from index.embed import Embedder, Progress
from index.errors import DocumentNotFoundError, LibraryBusyError
from index.rows import Row, rows_of
from index.store import Generation, open_generation, prune, write_generation


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an `ingest` or `delete` did.

    Attributes:
        added: Ids that were new.
        replaced: Ids whose text or title changed.
        unchanged: Ids that were there as they are.
        deleted: Ids that are gone.
        passages: Passages of the collection now.
        embedded: Passages that had to be embedded; all others were known.
    """

    added: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    passages: int = 0
    embedded: int = 0


Committing: TypeAlias = Callable[[Session, IngestReport], None]
"""Told of a change in the transaction that makes it."""


class Library:
    """One collection. Safe to use from many threads and processes."""

    def __init__(
        self,
        root: Path,
        database: Database,
        embedder: Embedder,
        segmenter: Segmenter,
        collection: str = "default",
        committing: Committing | None = None,
    ) -> None:
        """Open the collection; it need not exist yet.

        Args:
            root: Folder of the indexes, one below it for each collection.
            database: Holds the documents.
            embedder: Must be the one that the index was made with.
            segmenter: Likewise.
            collection: Its name, letters, digits, `-` and `_`.
            committing: Told of each change.
        """
        self.collection = collection
        self._root = root / collection
        self._database = database
        self._embedder = embedder
        self._segmenter = segmenter
        self._committing = committing
        self._opened: Generation | None = None
        self._opening = threading.Lock()

    def generation(self) -> Generation | None:
        """Return the generation that answers now, None before the first document.

        Asks the database each time, so that a change made by any process is seen at once.

        Raises:
            CorruptIndexError: It is damaged.
            ModelMismatchError: It was made with another model or dictionary.
        """
        name = self._current()
        opened = self._opened
        if opened is not None and opened.name == name:
            return opened
        if name is None:
            return None
        with self._opening:
            if self._opened is None or self._opened.name != name:
                self._opened = open_generation(
                    self._root, name, embedder=self._embedder, segmenter=self._segmenter
                )
            return self._opened

    def documents(self) -> list[DocumentInfo]:
        """Return all documents, ordered by id."""
        columns = [getattr(DocumentRow, name) for name in DocumentInfo.__dataclass_fields__]
        query = select(*columns).where(DocumentRow.collection == self.collection)
        with self._database.read() as session:
            return [DocumentInfo(*row) for row in session.execute(query.order_by(DocumentRow.id))]

    def document(self, document_id: str) -> Document:
        """Return a document.

        Raises:
            DocumentNotFoundError: There is none of that id.
        """
        with self._database.read() as session:
            row = session.get(DocumentRow, (self.collection, document_id))
            if row is None:
                raise DocumentNotFoundError(document_id)
            return from_row(row)

    def ingest(
        self,
        documents: Iterable[Document],
        *,
        rebuild: bool = False,
        progress: Progress | None = None,
        wait_seconds: float = 30,
    ) -> IngestReport:
        """Add documents and replace those of the same id; embed only passages not yet known.

        Args:
            documents: Read before anything is changed. The last of several with one id counts.
            rebuild: Make the index again from all documents, with the model that is set now.
            progress: Told of the work.
            wait_seconds: How long to wait for another process that is changing the collection.

        Raises:
            LibraryBusyError: The other process took longer.
            OSError: The disk is full or cannot be written; nothing has changed then.
        """
        incoming = {document.id: document for document in documents}
        with self._locked(wait_seconds):
            return self._change(incoming, (), progress or _silent, rebuild=rebuild)

    def delete(
        self,
        document_ids: Sequence[str],
        *,
        progress: Progress | None = None,
        wait_seconds: float = 30,
    ) -> IngestReport:
        """Delete documents. Once this returns, no process answers from them.

        Raises:
            DocumentNotFoundError: One of them is not there; nothing has changed then.
            LibraryBusyError: Another process is changing the collection.
        """
        with self._locked(wait_seconds):
            return self._change({}, tuple(document_ids), progress or _silent, rebuild=False)

    def _current(self) -> str | None:
        query = select(CollectionRow.generation).where(CollectionRow.name == self.collection)
        with self._database.read() as session:
            return session.execute(query).scalar_one_or_none()

    @contextmanager
    def _locked(self, wait_seconds: float) -> Iterator[None]:
        self._root.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self._root / "lock", timeout=wait_seconds):
                yield
        except Timeout as error:
            raise LibraryBusyError(self.collection, "another process") from error

    def _change(
        self,
        incoming: dict[str, Document],
        doomed: tuple[str, ...],
        progress: Progress,
        *,
        rebuild: bool,
    ) -> IngestReport:
        known = {info.id: info.digest for info in self.documents()}
        for document_id in doomed:
            if document_id not in known:
                raise DocumentNotFoundError(document_id)
        changed = {
            name: document
            for name, document in incoming.items()
            if known.get(name) != digest(document)
        }
        report = IngestReport(
            added=tuple(name for name in changed if name not in known),
            replaced=tuple(name for name in changed if name in known),
            unchanged=tuple(name for name in incoming if name not in changed),
            deleted=doomed,
        )
        if not changed and not doomed and not rebuild:
            present = self.generation()
            return replace(report, passages=present.manifest.passages if present else 0)
        return self._switch(changed, set(doomed), report, rebuild=rebuild, progress=progress)

    def _switch(
        self,
        changed: dict[str, Document],
        doomed: set[str],
        report: IngestReport,
        *,
        rebuild: bool,
        progress: Progress,
    ) -> IngestReport:
        previous = None if rebuild else self.generation()
        progress("chunk", 0.0)
        stale = doomed | set(changed)
        cut = [*(self._stored(stale) if rebuild else []), *changed.values()]
        fresh = {document.id: rows_of(document) for document in cut}
        rows = [row for of_one in fresh.values() for row in of_one]
        if previous is not None:
            kept = map(previous.rows.__getitem__, range(len(previous.rows)))
            rows.extend(row for row in kept if row.passage.document_id not in stale)
        # Not the order of ingest: the same documents answer the same, however they came in.
        rows.sort(key=lambda row: (row.passage.document_id, row.passage.start))
        vectors, bags, embedded = features(
            previous, rows, self._embedder, self._segmenter, progress
        )
        progress("write", 0.0)
        name = write_generation(
            self._root, rows, vectors, bags,
            embedder=self._embedder.id, segmenter=self._segmenter.id,
        )  # fmt: skip
        before = self._current()
        report = replace(report, passages=len(rows), embedded=embedded)
        self._commit(name, changed, doomed, fresh, report)
        prune(self._root, [name, *([before] if before else [])])
        progress("write", 1.0)
        return report

    def _stored(self, without: set[str]) -> list[Document]:
        query = select(DocumentRow).where(DocumentRow.collection == self.collection)
        with self._database.read() as session:
            return [from_row(row) for row in session.scalars(query) if row.id not in without]

    def _commit(
        self,
        name: str,
        changed: dict[str, Document],
        doomed: set[str],
        fresh: dict[str, list[Row]],
        report: IngestReport,
    ) -> None:
        with self._database.write() as session:
            gone = delete(DocumentRow).where(
                DocumentRow.collection == self.collection, DocumentRow.id.in_(doomed)
            )
            session.execute(gone)
            for document in changed.values():
                session.merge(to_row(self.collection, document, len(fresh[document.id])))
            session.merge(CollectionRow(name=self.collection, generation=name, changed_at=now()))
            if self._committing is not None:
                self._committing(session, report)


def _silent(_stage: str, _done: float) -> None:
    return
