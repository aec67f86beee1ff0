"""The database: documents, and which generation of the index answers.

SQLite unless a URL says otherwise. Writers take the lock at once (`BEGIN IMMEDIATE`): a
transaction that reads first and writes later fails without waiting if another has written in
between, whatever the time-out.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Engine, String, create_engine, event
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.types import Text

BUSY_SECONDS = 8
_WRITES = "wenqu_writes"


class Base(DeclarativeBase):
    """Base class of all tables."""


class CollectionRow(Base):
    """A named set of documents with an index of its own."""

    __tablename__ = "collections"
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    generation: Mapped[str | None] = mapped_column(String(40))
    changed_at: Mapped[str] = mapped_column(String(32))


class DocumentRow(Base):
    """A document. `digest` is the hash of all that a reader can see of it."""

    __tablename__ = "documents"
    collection: Mapped[str] = mapped_column(String(100), primary_key=True)
    id: Mapped[str] = mapped_column(String(200), primary_key=True)
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

    def __init__(self, url: str) -> None:
        """Connect to `url` and make missing tables, such as `sqlite:///var/wenqu.db`.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: The database cannot be reached or opened.
        """
        where = make_url(url)
        if where.get_backend_name() == "sqlite" and where.database:
            Path(where.database).parent.mkdir(parents=True, exist_ok=True)
        self._engine = _engine(url)
        with self.write() as session:
            Base.metadata.create_all(session.connection())

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session that sees one state of the database."""
        with Session(self._engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a session that is committed at the end, or rolled back by an error."""
        with Session(self._engine.execution_options(**{_WRITES: True})) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _engine(url: str) -> Engine:
    engine = create_engine(url, pool_pre_ping=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # or Python's driver begins transactions by its own rules
    for pragma in (
        f"busy_timeout = {BUSY_SECONDS * 1000}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",  # what is deleted is overwritten, not only unlinked
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
