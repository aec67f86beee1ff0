"""The parts of wenqu put together as the settings say."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from bot.bot import Bot
from bot.caller import SERVICE, Caller
from bot.catalogue import collections, describe, exists
from bot.channels.outbox import Outbox
from bot.conversations import Conversations
from bot.keys import Keys
from bot.links import Links
from bot.reach import asking_needs_key
from bot.sessions import SessionStore
from bot.settings import Settings
from bot.unstored import UnstoredConversations
from bot.wire import Sources
from corpus.words import Segmenter, read_dictionary
from index.cache import CachedEmbedder
from index.database import Database
from index.embed import Embedder, Progress
from index.errors import CollectionNotFoundError
from index.hit import Hit
from index.library import Library
from index.reader import Reader

if TYPE_CHECKING:
    from bot.llm.write import Writer


_TRIES = 3
_SPARE = 8
"""Connections to the database beside those of the workers: for what is no question."""
_T = TypeVar("_T")


class Runtime:
    """Libraries and bots over one database and one model. Safe to use from many threads."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        embedder: Embedder,
        segmenter: Segmenter,
        reader: Reader | None = None,
    ) -> None:
        """Use parts that are already open."""
        self.settings = settings
        self.database = database
        self.embedder = CachedEmbedder(embedder)
        self.segmenter = segmenter
        self.reader = reader
        self.writer = open_writing(settings)
        self.caller = SERVICE
        self.keys = Keys(database)
        self.links = Links.of(settings.secret_key.get_secret_value(), settings.retention_days)
        self.outbox = Outbox(database, settings.webhooks)
        self.conversations: Conversations = (
            SessionStore(database, self.outbox.tell)
            if settings.store_conversations
            else UnstoredConversations()
        )
        self._repairs = False
        self._bots: dict[str, Bot] = {}
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls, settings: Settings, *, threads: int = 1, progress: Progress | None = None
    ) -> Self:
        """Open the database, the model and the dictionary, the slow two at the same time.

        Args:
            settings: Say which.
            threads: Of the model: one is best for questions, all cores for an ingest.
            progress: Told of the making of the model, which happens once.

        Raises:
            ModelError: The model cannot be made or loaded.
            OSError: A folder or the dictionary cannot be used.
            sqlalchemy.exc.SQLAlchemyError: The database cannot be opened.
        """
        with ThreadPoolExecutor(1) as pool:
            segmenter = pool.submit(open_segmenter, settings)
            database = Database(settings.database, connections=settings.workers + _SPARE)
            embedder = open_model(settings, threads=threads, progress=progress)
            reader = open_reading(settings, embedder, progress)
            return cls(settings, database, embedder, segmenter.result(), reader)

    def seen_by(self, caller: Caller) -> Self:
        """Return the same runtime as a caller may see it.

        What is foreign to them is not there: collections that are not theirs are not found, nor
        are conversations of others.
        """
        seen = copy(self)
        seen.caller = caller
        seen.conversations = self.conversations.owned_by(caller.owner)
        return seen

    def library(self, collection: str | None = None) -> Library:
        """Return a collection to be changed; it need not exist yet.

        Raises:
            CollectionNotFoundError: It is foreign to the caller.
        """
        name = collection or self.collection
        self.caller.check(name)
        return self._bot(name).library

    def bot(self, collection: str | None = None) -> Bot:
        """Return the bot of a collection.

        Raises:
            CollectionNotFoundError: There is no such collection, and it is not the default one.
        """
        return self._bot(self.known(collection))

    def known(self, collection: str | None) -> str:
        """Return the name of a collection that can be read.

        Raises:
            CollectionNotFoundError: There is no such collection, and it is not the default one.
        """
        name = collection or self.collection
        self.caller.check(name)
        if name != self.settings.collection and not exists(self.database, name):
            raise CollectionNotFoundError(name)
        return name

    @property
    def collection(self) -> str:
        """Name of the collection that is meant without a name."""
        return self.caller.default or self.settings.collection

    def collections(self) -> dict[str, datetime]:
        """Return the names of all collections, ordered, with when each was changed last."""
        found = collections(self.database)
        return {name: at for name, at in found.items() if self.caller.reaches(name)}

    def sources(self, collection: str, ids: set[str] | None = None) -> Sources:
        """Return what it takes to name and link documents of a collection, all if no `ids`."""
        is_closed = asking_needs_key(self.settings, self.keys.ring())
        return Sources(
            describe(self.database, collection, ids),
            self.settings.public_url,
            "" if collection == self.settings.collection else collection,
            partial(self.links.seal, collection) if is_closed else None,
        )

    def found(
        self, collection: str, search: Callable[[], _T], hits: Callable[[_T], Sequence[Hit]]
    ) -> tuple[_T, Sources]:
        """Search a collection and return what was found with its sources, both of one state.

        Else a document could be replaced in between, and its new text be linked at old offsets.

        Args:
            collection: Its name.
            search: Does it.
            hits: Takes them out of what `search` returns.
        """
        library = self._bot(collection).library
        tries = 0
        while True:
            before = library.generation()
            found = search()
            sources = self.sources(collection, {hit.passage.document_id for hit in hits(found)})
            tries += 1
            if library.generation() is before or tries == _TRIES:
                return found, sources

    def repair_by_itself(self) -> None:
        """From now on have damaged indexes repaired in the background: for who serves."""
        with self._lock:
            self._repairs = True
            for bot in self._bots.values():
                bot.library.repair_by_itself()

    def close(self) -> None:
        """Close the connections to the database."""
        self.database.close()

    def _bot(self, collection: str) -> Bot:
        with self._lock:
            if collection not in self._bots:
                library = Library(
                    self.settings.indexes,
                    self.database,
                    self.embedder,
                    self.segmenter,
                    collection,
                    partial(self.outbox.tell_of_documents, collection),
                )
                if self._repairs:
                    library.repair_by_itself()
                uses = frozenset(self.settings.reader)
                self._bots[collection] = Bot(library, self.reader, uses)
            return self._bots[collection]


class OpenRuntime(Protocol):
    """What `Runtime.open` does; tests give commands a runtime of their own."""

    def __call__(
        self, settings: Settings, *, threads: int = 1, progress: Progress | None = None
    ) -> Runtime:
        """Open the parts that the settings name."""


def open_model(
    settings: Settings, *, threads: int = 1, progress: Progress | None = None
) -> Embedder:
    """Open the embedding model; the first time it is made, which takes a while.

    Raises:
        ModelError: It cannot be made or loaded.
    """
    from index.embedders import open_embedder  # noqa: PLC0415  # the model's libraries, 0.3 s

    return open_embedder(settings.model, settings.cache, progress, threads=threads)


def open_reading(
    settings: Settings, embedder: Embedder, progress: Progress | None = None
) -> Reader | None:
    """Open the reader, None if the settings use it for nothing.

    Args:
        settings: Say which.
        embedder: That is open; the built-in one shares its tokenizer.
        progress: Told of the making of the reader, which happens once.

    Raises:
        ModelError: It cannot be made or loaded.
    """
    if not settings.reader:
        return None
    from index.embedders import OnnxEmbedder  # noqa: PLC0415  # the model's libraries, 0.3 s
    from index.reader_model import open_reader  # noqa: PLC0415  # likewise

    tokenizer = embedder.tokenizer if isinstance(embedder, OnnxEmbedder) else None
    return open_reader(settings.cache, progress, tokenizer=tokenizer)


def open_writing(settings: Settings) -> "Writer | None":
    """Make ready to write with a language model, None if the settings name none."""
    if not settings.llm_base_url:
        return None
    from bot.llm.write import open_writer  # noqa: PLC0415  # its client's libraries, a second

    return open_writer(settings)


def open_segmenter(settings: Settings) -> Segmenter:
    """Open the dictionary of words, with the user's own.

    Raises:
        OSError: The user's dictionary cannot be read.
    """
    extra = read_dictionary(settings.dictionary) if settings.dictionary else []
    return Segmenter(settings.cache / "jieba", extra)
