"""Errors of indexing; the whole tree is drawn in corpus.errors."""

from pathlib import Path
from typing import Literal, TypeAlias

from corpus.errors import WenquError

BackupTrouble: TypeAlias = Literal["damaged", "foreign", "format", "occupied", "empty", "elsewhere"]


class IndexingError(WenquError):
    """Something about the model, the index or the library of documents is not as it has to be."""


class ModelError(IndexingError):
    """An embedding model cannot be made or loaded."""


class ModelMismatchError(IndexingError):
    """The index was made with another model or dictionary than the one that would search it.

    Attributes:
        built_with: Id of what made the index.
        given: Id of what is set now.
    """

    def __init__(self, built_with: str, given: str) -> None:
        super().__init__(
            f"the index was built with {built_with!r}, the settings say {given!r}: "
            "set it back, or run `wenqu ingest --rebuild` to build the index again"
        )
        self.built_with = built_with
        self.given = given


class DriverError(IndexingError):
    """There is no driver for the database that the URL names.

    Attributes:
        driver: As the URL names it, without anything else of it: the rest may be secret.
        hint: What to do.
    """

    def __init__(self, driver: str, hint: str) -> None:
        super().__init__(f"no driver for {driver!r}: {hint}")
        self.driver = driver
        self.hint = hint


class SchemaError(IndexingError):
    """The database has a schema that is newer than the code.

    Attributes:
        found: Version of the schema of the database.
        known: Latest version that the code knows.
    """

    def __init__(self, found: str, known: str) -> None:
        super().__init__(
            f"the database has schema {found!r}, this wenqu knows those up to {known!r}: "
            "upgrade wenqu, or use another database"
        )
        self.found = found
        self.known = known


class CorruptIndexError(IndexingError):
    """A generation on disk is damaged. The documents are not: they are in the database.

    Attributes:
        folder: Of the generation.
        reason: Which file, and what is wrong with it.
        repairing: Whether it is being made again.
    """

    def __init__(self, folder: Path, reason: str, *, repairing: bool = False) -> None:
        what_now = "it is being repaired" if repairing else "run `wenqu doctor --repair`"
        super().__init__(f"index {folder.name} is damaged: {reason}; {what_now}")
        self.folder = folder
        self.reason = reason
        self.repairing = repairing


class BackupError(IndexingError):
    """A backup cannot be made or restored.

    Attributes:
        code: `damaged`: cut short, or not what was written. `foreign`: no backup of wenqu, or more
            than one. `format`: of another format. `occupied`: there is something already. `empty`:
            there is nothing to back up. `elsewhere`: the database is no SQLite file.
        reason: What was found.
    """

    def __init__(self, *, code: BackupTrouble, reason: str) -> None:
        super().__init__(f"backup: {code}: {reason}")
        self.code = code
        self.reason = reason


class LibraryBusyError(IndexingError):
    """Another process is changing the collection.

    Attributes:
        holder: What is known of that process, such as `process 4711`.
        pid: Its id, if it is of this host and known.
    """

    def __init__(self, collection: str, holder: str, *, pid: int | None = None) -> None:
        super().__init__(f"collection {collection!r} is being changed by {holder}: try again later")
        self.holder = holder
        self.pid = pid


class DocumentNotFoundError(IndexingError):
    """There is no document of that id in the collection.

    Attributes:
        document_id: What was asked for.
    """

    def __init__(self, document_id: str) -> None:
        super().__init__(f"there is no document {document_id!r}")
        self.document_id = document_id


class CollectionNotFoundError(IndexingError):
    """There is no collection of that name.

    Attributes:
        collection: What was asked for.
    """

    def __init__(self, collection: str) -> None:
        super().__init__(f"there is no collection {collection!r}")
        self.collection = collection
