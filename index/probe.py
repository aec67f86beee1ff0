"""Whether the database would take a write now, asked as a stranger: by a connection of its own.

A connection that is open goes on working with a file that was moved away meanwhile, and what it
writes is lost. A new one finds out.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import literal_column, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from index.database import CollectionRow
from index.engines import engine_of, is_writable, open_to_read

_BUSY_SECONDS = 2.0
_ANY = select(CollectionRow.name).limit(literal_column("1"))


def probe(url: str) -> None:
    """Come back if the database can be read and, unless its folder is read-only, written.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: It is away, is not ours, or somebody else holds its lock.
    """
    where = make_url(url)
    if where.get_backend_name() == "sqlite" and where.database:
        try:
            _probe_sqlite(Path(where.database))
        except sqlite3.Error as error:
            statement = "BEGIN IMMEDIATE"
            raise OperationalError(statement, {}, error) from error
        return
    engine = engine_of(url, 1)
    try:
        with engine.connect() as connection:
            connection.execute(_ANY)
    finally:
        engine.dispose()


def _probe_sqlite(path: Path) -> None:
    if not is_writable(path):  # it is not meant to be
        with closing(open_to_read(path)) as connection:
            connection.execute(str(_ANY))
        return
    # mode=rw: what is not there is not made
    uri = f"{path.absolute().as_uri()}?mode=rw"
    with closing(
        sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
    ) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(str(_ANY))
        connection.execute("ROLLBACK")
