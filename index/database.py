"""The database: documents, and which generation of the index answers.

SQLite unless a URL says otherwise. Its writers take the lock at once (`BEGIN IMMEDIATE`): a
transaction that reads first and writes later fails without waiting if another has written in
between, whatever the time-out. In PostgreSQL writers go side by side, save those that ask to be
alone.
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, String, func, select
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.types import Text

from index.engines import BUSY_SECONDS, WRITES, engine_of
from index.errors import LibraryBusyError
from index.fifo import FifoLock
from index.schema import bring_up_to_date

_POLL_SECONDS = 0.1
_SCRUB_MILLISECONDS = 500
"""Writers wait meanwhile."""


class Base(DeclarativeBase):
    """Base class of all tables."""


def _name(length: int) -> String:
    """Return the type of what lists are ordered by: by code points, whatever the server prefers."""
    by_code_point = String(length, collation="C")
    return String(length).with_variant(by_code_point, "postgresql")


class CollectionRow(Base):
    """A named set of documents with an index of its own."""

    __tablename__ = "collections"
    name: Mapped[str] = mapped_column(_name(100), primary_key=True)
    generation: Mapped[str | None] = mapped_column(String(40))
    changed_at: Mapped[str] = mapped_column(String(32))


class DocumentRow(Base):
    """A document. `digest` is the hash of all that a reader can see of it."""

    __tablename__ = "documents"
    collection: Mapped[str] = mapped_column(_name(100), primary_key=True)
    id: Mapped[str] = mapped_column(_name(200), primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    digest: Mapped[str] = mapped_column(String(64))
    characters: Mapped[int]
    passages: Mapped[int]
    changed_at: Mapped[str] = mapped_column(String(32))


def now() -> str:
    """Return the time as it is stored, see `stamp`."""
    return stamp(datetime.now(UTC))


def stamp(at: datetime) -> str:
    """Return a time as it is stored: UTC, ISO 8601, to the second; sorts as the time does."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


class Database:
    """Short transactions on one database. Safe to use from many threads."""

    def __init__(
        self, url: str, *, connections: int = 10, busy_seconds: float = BUSY_SECONDS
    ) -> None:
        """Connect to a database and bring its schema up to date.

        Args:
            url: Such as `sqlite:///var/wenqu.db` or `postgresql://user:password@host/name`.
            connections: Kept open; as many more are made for a rush.
            busy_seconds: A writer waits so long for another one before it gives up.

        Raises:
            DriverError: There is no driver for such a database.
            SchemaError: The database was changed by a newer version of wenqu.
            sqlalchemy.exc.SQLAlchemyError: It cannot be reached or opened.
        """
        engine = engine_of(url, connections, busy_seconds)
        try:
            bring_up_to_date(engine)
        except BaseException:
            engine.dispose()
            raise
        self._busy_seconds = busy_seconds
        self._turn = FifoLock()
        self._shared = engine.dialect.name == "postgresql"
        self._engine = engine.execution_options(**{WRITES: True})
        # several queries see one state, as they do in SQLite
        one_state = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._reading = engine.execution_options(**one_state) if self._shared else engine

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session that sees one state of the database."""
        with Session(self._reading, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self, alone: str = "") -> Iterator[Session]:
        """Open a session that is committed at the end, or rolled back by an error.

        Args:
            alone: Of those who write under the same name, one goes on at a time. A row that is
                read and then changed needs this or `with_for_update`; one that is only added, or
                changed by one statement, needs neither.
        """
        with self._in_turn(), Session(self._engine) as session, session.begin():
            if alone and self._shared:
                session.execute(select(func.pg_advisory_xact_lock(_key(alone))))
            yield session

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Let one thread of ours at a time try for the lock of an SQLite file, and hold it."""
        if self._shared:
            yield
            return
        if not self._turn.acquire(timeout=self._busy_seconds):
            message = f"no turn to write within {self._busy_seconds} s"
            raise PoolTimeoutError(message)
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def hold(self, name: str, wait_seconds: float) -> Iterator[None]:
        """Hold a name that all hosts on this database see, for as long as the block runs.

        A process that dies, or loses its connection, holds it no more. With SQLite, which no
        other host can use, nobody is held up: a lock file has to do that.

        Raises:
            LibraryBusyError: Another process held it for longer.
        """
        if not self._shared:
            yield
            return
        attempt = select(func.pg_try_advisory_lock(_key(name)))
        until = time.monotonic() + wait_seconds
        apart = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        with apart.connect() as connection:
            connection.detach()  # closed at the end, and with it goes what it holds
            while not connection.scalar(attempt):
                if time.monotonic() > until:
                    raise LibraryBusyError(name, "another host")
                time.sleep(_POLL_SECONDS)
            yield

    def scrub(self) -> bool:
        """Leave nothing of what was deleted in the log beside an SQLite file.

        Until then the log has the old pages. In PostgreSQL the server tidies up by itself.

        Returns:
            Whether it is done; a reader that takes long can be in the way, so try again later.
        """
        if self._shared:
            return True
        with self._engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None  # noqa: S101  # for the type checker
            driver.execute(f"PRAGMA busy_timeout = {_SCRUB_MILLISECONDS}")
            try:
                (busy, *_) = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                driver.execute(f"PRAGMA busy_timeout = {self._busy_seconds * 1000:.0f}")
        return not busy

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _key(name: str) -> int:
    """Return the number by which an advisory lock goes: 63 bits."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) >> 1
