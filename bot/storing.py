"""Whether a database that can be read can be written."""

from sqlalchemy.exc import SQLAlchemyError

_FULL = frozenset([
    "SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_TRUNCATE",
    "SQLITE_IOERR_SHMSIZE",
    "53100",  # disk_full of PostgreSQL
])  # fmt: skip
_READ_ONLY = frozenset(["SQLITE_READONLY", "SQLITE_READONLY_DIRECTORY"])
_UNWRITABLE = _FULL | _READ_ONLY | {
    "SQLITE_READONLY_DBMOVED",
    "25006",  # read_only_sql_transaction of PostgreSQL
}  # fmt: skip


def is_full(error: SQLAlchemyError) -> bool:
    """Whether there was no room for what was to be written."""
    return _code(error) in _FULL


def is_unwritable(error: SQLAlchemyError) -> bool:
    """Whether nothing can be written now, be it for want of room or of permission."""
    return _code(error) in _UNWRITABLE


def is_read_only(error: SQLAlchemyError) -> bool:
    """Whether the folder of the database may not be written."""
    return _code(error) in _READ_ONLY


def _code(error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None)
    return getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or ""
