"""Connections to SQLite and to PostgreSQL, set up so that nothing waits without an end.

A driver is chosen for PostgreSQL where the URL names none: psycopg, in the extra `postgres`.
"""

import os
import random
import sqlite3
import time
from functools import partial
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import NoSuchModuleError
from sqlalchemy.pool import NullPool

from index.errors import DriverError

BUSY_SECONDS = 8
"""A writer waits so long for another one before it gives up."""
WRITES = "wenqu_writes"
"""Execution option of connections whose transactions write."""

_POSTGRESQL = "postgresql"
_ALIASES = {_POSTGRESQL: "postgresql+psycopg", "postgres": "postgresql+psycopg"}
_SQLITE_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "secure_delete = ON",  # what is deleted is overwritten, not only unlinked
    "journal_size_limit = 16777216",  # what a long reader made the log grow to is given back
)
_POSTGRESQL_OPTIONS = {
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",
    # a host that is gone without a word holds its locks no longer than a minute
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
_CONNECT_SECONDS = 5
_POOL_SECONDS = 10
_RECYCLE_SECONDS = 1800


def engine_of(url: str, connections: int = 10, busy_seconds: float = BUSY_SECONDS) -> Engine:
    """Return an engine that keeps so many connections, and makes as many more for a rush.

    Args:
        url: Of the database.
        connections: As above.
        busy_seconds: A writer waits so long for another one before it gives up.

    Raises:
        DriverError: There is no driver for such a database.
        OSError: The folder of an SQLite file cannot be made.
        sqlalchemy.exc.ArgumentError: The URL is none.
    """
    where = make_url(url)
    where = where.set(drivername=_ALIASES.get(where.drivername, where.drivername))
    if where.get_backend_name() == "sqlite":
        return _sqlite(where, connections, busy_seconds)
    if where.get_backend_name() == _POSTGRESQL:
        return _postgresql(where, connections, busy_seconds)
    raise DriverError(where.drivername, "wenqu keeps its data in SQLite or in PostgreSQL")


def _sqlite(url: URL, connections: int, busy_seconds: float) -> Engine:
    # what people asked is among the parameters, and errors are logged
    make = partial(create_engine, url, hide_parameters=True)
    if not url.database:
        engine = make()
    elif is_writable(path := Path(url.database)):
        path.parent.mkdir(parents=True, exist_ok=True)
        engine = make(**_pool(connections))
    else:
        engine = make(creator=partial(open_to_read, path), poolclass=NullPool)
    event.listen(engine, "connect", partial(_set_up_sqlite, busy_seconds))
    event.listen(engine, "begin", partial(_begin_sqlite, busy_seconds))
    return engine


def _postgresql(url: URL, connections: int, busy_seconds: float) -> Engine:
    set_up = {**_POSTGRESQL_OPTIONS, "lock_timeout": f"{busy_seconds * 1000:.0f}"}
    options = " ".join(f"-c {name}={value}" for name, value in set_up.items())
    given = {
        "application_name": "wenqu",
        "connect_timeout": str(_CONNECT_SECONDS),
        "options": options,
    }
    # what the URL says itself wins
    url = url.set(query={**given, **url.query})
    try:
        return create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            pool_recycle=_RECYCLE_SECONDS,
            **_pool(connections),
        )
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        hint = "pip install 'wenqu[postgres]' brings psycopg, with a URL postgresql://…"
        raise DriverError(url.drivername, hint) from error


def _pool(connections: int) -> dict[str, int]:
    return {
        "pool_size": connections,
        "max_overflow": connections,
        "pool_timeout": _POOL_SECONDS,
    }


def is_writable(path: Path) -> bool:
    """Whether an SQLite file can be made or written: it needs others beside it, in its folder."""
    return not path.exists() or os.access(path.parent, os.W_OK)


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a file in a folder in which SQLite cannot put its files of locks and of new pages.

    If there are no new pages it is told to do without. Asked each time: who may write can begin to.
    """
    log = path.with_name(f"{path.name}-wal")
    alone = "" if log.exists() and log.stat().st_size else "&immutable=1"
    where = f"{path.absolute().as_uri()}?mode=ro{alone}"
    return sqlite3.connect(where, uri=True, check_same_thread=False)


def _set_up_sqlite(busy_seconds: float, connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # or Python's driver begins transactions by its own rules
    for pragma in (f"busy_timeout = {busy_seconds * 1000:.0f}", *_SQLITE_PRAGMAS):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(busy_seconds: float, connection: Connection) -> None:
    """Begin; a writer looks often whether it is its turn.

    SQLite itself looks every tenth of a second in the end, and between two writes of a process
    that has many to do there is not a hundredth: another process would hardly ever get in.
    """
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101  # for the type checker
    writes = bool(connection.get_execution_options().get(WRITES, False))
    driver.execute(f"PRAGMA query_only = {not writes:d}")
    if not writes:
        connection.exec_driver_sql("BEGIN")
        return
    until = time.monotonic() + busy_seconds
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        while _is_busy(driver) and time.monotonic() < until:
            time.sleep(random.uniform(0.001, 0.005))  # noqa: S311  # no secret
        if not driver.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # once more, for its error in our words
    finally:
        driver.execute(f"PRAGMA busy_timeout = {busy_seconds * 1000:.0f}")


def _is_busy(driver: sqlite3.Connection) -> bool:
    """Begin to write, and return whether that has to be tried again."""
    try:
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    return False
