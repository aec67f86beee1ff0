"""Errors of indexing; the whole tree is drawn in corpus.errors."""

from pathlib import Path

from corpus.errors import WenquError


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


class CorruptIndexError(IndexingError):
    """A generation on disk is damaged.

    Attributes:
        folder: Of the generation.
        reason: Which file, and what is wrong with it.
    """

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(
            f"index {folder.name} is damaged: {reason}. "
            "Run `wenqu ingest --rebuild` to build it again from the stored documents"
        )
        self.folder = folder
        self.reason = reason


class LibraryBusyError(IndexingError):
    """Another process is changing the collection.

    Attributes:
        holder: What is known of that process, such as its process id.
    """

    def __init__(self, collection: str, holder: str) -> None:
        super().__init__(f"collection {collection!r} is being changed by {holder}: try again later")
        self.holder = holder


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
