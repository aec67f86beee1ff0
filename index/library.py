"""A collection of documents and its index, always of one mind.

`ingest` and `delete` work out the next generation beside the present one, then one transaction
changes the documents and says which generation answers. A reader sees all of it or nothing.

The documents are the truth. An index that is damaged is made again from them; an older one is
never answered from, since it may hold what was deleted since.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from corpus.document import Document
from corpus.words import Segmenter
from index.build import Known, features
from index.database import CollectionRow, Database, DocumentRow, now
from index.documents import DocumentInfo, digest, from_row, to_row
from index.embed import Embedder, Progress
from index.errors import CorruptIndexError, DocumentNotFoundError
from index.lock import locked
from index.mend import Mender
from index.rows import Row, rows_of
from index.store import (
    Generation,
    generations,
    open_generation,
    prune,
    salvage,
    write_generation,
)

_DELETED_AT_ONCE = 10_000
"""SQLite takes 32,766 parameters in a statement, PostgreSQL 65,535."""


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
        repaired: What was wrong with the index before, "" if nothing was.
    """

    added: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    passages: int = 0
    embedded: int = 0
    repaired: str = ""


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
        self._mender: Mender | None = None

    def repair_by_itself(self) -> None:
        """From now on have a damaged index repaired in the background: for who serves."""
        self._mender = self._mender or Mender(self.repair, self.collection)

    def generation(self) -> Generation | None:
        """Return the generation that answers now, None before the first document.

        Asks the database each time, so that a change made by any process is seen at once.

        Raises:
            CorruptIndexError: It is damaged; `repairing` says whether that is being mended.
            ModelMismatchError: It was made with another model or dictionary.
        """
        mender = self._mender
        name = self._current()
        opened = self._opened
        if opened is not None and opened.name == name:
            return opened
        if mender is None:
            return self._open()
        if mender.damage is not None:
            raise mender.damage
        try:
            return self._open()
        except CorruptIndexError as error:
            raise mender.told(error) from error

    def repair(self, *, progress: Progress | None = None, wait_seconds: float = 30) -> IngestReport:
        """Make a damaged index again from the stored documents; one that is sound stays.

        Only passages are embedded whose vectors no file on disk can be trusted to have.

        Raises:
            LibraryBusyError: Another process is changing the collection.
            ModelMismatchError: The index was made with another model or dictionary.
            OSError: The disk is full or cannot be written; nothing has changed then.
        """
        return self.ingest((), progress=progress, wait_seconds=wait_seconds)

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

    def _open(self) -> Generation | None:
        """Open the generation that answers; a newer one if that is there by now."""
        with self._opening:
            name = self._current()
            while name is not None and (self._opened is None or self._opened.name != name):
                try:
                    self._opened = open_generation(
                        self._root, name, embedder=self._embedder, segmenter=self._segmenter
                    )
                except CorruptIndexError:  # or removed, since there is a newer one
                    before, name = name, self._current()
                    if name == before:
                        raise
            return self._opened if name else None

    @contextmanager
    def _locked(self, wait_seconds: float) -> Iterator[None]:
        with (
            locked(self._root, self.collection, wait_seconds),
            self._database.hold(f"collection {self.collection}", wait_seconds),
        ):
            yield

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
        previous = None
        if not rebuild:
            try:
                previous = self._open()
            except CorruptIndexError as error:
                report = replace(report, repaired=error.reason)
        if not (changed or doomed or rebuild or report.repaired):
            return replace(report, passages=previous.manifest.passages if previous else 0)
        return self._switch(changed, set(doomed), previous, report, progress)

    def _switch(
        self,
        changed: dict[str, Document],
        doomed: set[str],
        previous: Generation | None,
        report: IngestReport,
        progress: Progress,
    ) -> IngestReport:
        """Write the next generation and have it answer.

        Args:
            changed: Documents to be added or replaced.
            doomed: Documents to be deleted.
            previous: Has the passages of all others; None to cut these anew.
            report: So far.
            progress: Told of the work.
        """
        progress("chunk", 0.0)
        before = self._current()
        stale = doomed | set(changed)
        stored = self._stored() if previous is None else []
        kept = [document for document in stored if document.id not in stale]
        fresh = {document.id: rows_of(document) for document in (*kept, *changed.values())}
        rows = [row for of_one in fresh.values() for row in of_one]
        if previous is not None:
            old = map(previous.rows.__getitem__, range(len(previous.rows)))
            rows.extend(row for row in old if row.passage.document_id not in stale)
        # Not the order of ingest: the same documents answer the same, however they came in.
        rows.sort(key=lambda row: (row.passage.document_id, row.passage.start))
        known = [previous.known()] if previous else []
        if report.repaired:
            known = self._salvage(before, stored)
        vectors, bags, embedded = features(known, rows, self._embedder, self._segmenter, progress)
        progress("write", 0.0)
        name = write_generation(
            self._root, rows, vectors, bags,
            embedder=self._embedder.id, segmenter=self._segmenter.id,
        )  # fmt: skip
        report = replace(report, passages=len(rows), embedded=embedded)
        self._commit(name, changed, doomed, fresh, report)
        # what was deleted is gone from the disk as well; else one is left to repair this one from
        keep = [before] if before and previous and not (doomed or report.replaced) else []
        prune(self._root, [name, *keep])
        if doomed or report.replaced:
            self._database.scrub()
        progress("write", 1.0)
        return report

    def _salvage(self, damaged: str | None, stored: list[Document]) -> list[Known]:
        """Return what generations on disk still know, the damaged one first."""
        rows = [row for document in stored for row in rows_of(document)]
        rows.sort(key=lambda row: (row.passage.document_id, row.passage.start))
        keys = [row.key for row in rows]
        names = sorted(generations(self._root), key=lambda name: (name != damaged, name))
        return [
            salvage(self._root, name, keys, embedder=self._embedder, segmenter=self._segmenter)
            for name in names
        ]

    def _stored(self) -> list[Document]:
        query = select(DocumentRow).where(DocumentRow.collection == self.collection)
        with self._database.read() as session:
            return [from_row(row) for row in session.scalars(query)]

    def _commit(
        self,
        name: str,
        changed: dict[str, Document],
        doomed: set[str],
        fresh: dict[str, list[Row]],
        report: IngestReport,
    ) -> None:
        this = DocumentRow.collection == self.collection
        with self._database.write() as session:
            stale = [*doomed, *changed]
            for at in range(0, len(stale), _DELETED_AT_ONCE):
                some = DocumentRow.id.in_(stale[at : at + _DELETED_AT_ONCE])
                session.execute(delete(DocumentRow).where(this, some))
            session.add_all(
                to_row(self.collection, document, len(fresh[document.id]))
                for document in changed.values()
            )
            for document_id in fresh.keys() - changed:
                # the rules of cutting may be others than they were
                one = update(DocumentRow).where(this, DocumentRow.id == document_id)
                session.execute(one.values(passages=len(fresh[document_id])))
            session.merge(CollectionRow(name=self.collection, generation=name, changed_at=now()))
            if self._committing is not None:
                self._committing(session, report)


def _silent(_stage: str, _done: float) -> None:
    return
