"""The version of the schema of a database, and how it is brought up to date.

The steps are those of Alembic, in `index/migrations`. A database says its version in the table
`alembic_version`; one that has none is new, or made before there were versions.
"""

from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError, ProgrammingError

from index.engines import WRITES
from index.errors import SchemaError

STEPS = Path(__file__).with_name("migrations")
_LOCK = 0x77656E71
"""Of the schema, among the advisory locks of PostgreSQL."""


def bring_up_to_date(engine: Engine, steps: Path = STEPS) -> None:
    """Do the steps that a database has not seen: all in one transaction, or none.

    Where there are none, this is one query. Of several processes at once one does them, the
    others wait.

    Raises:
        SchemaError: The database was changed by a newer version of the code.
        sqlalchemy.exc.SQLAlchemyError: It cannot be reached, or is being changed for long.
    """
    wanted = max(versions(steps))
    with engine.connect() as connection:
        found = _version(connection)
    if found == wanted:
        return
    if engine.dialect.name == "sqlite":
        _upgrade_sqlite(engine, steps)
    else:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            _upgrade(connection, steps)


def versions(steps: Path = STEPS) -> frozenset[str]:
    """Return the versions that the code knows: the numbers of its steps."""
    return frozenset(path.name[:4] for path in (steps / "versions").glob("[0-9]*.py"))


def _version(connection: Connection) -> str | None:
    try:
        version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    except (OperationalError, ProgrammingError):  # there is no such table
        return None
    return version


def _upgrade_sqlite(engine: Engine, steps: Path) -> None:
    """Upgrade while foreign keys are not looked at: a table that is copied would empty others."""
    with engine.connect().execution_options(**{WRITES: True}) as connection:
        driver = connection.connection.driver_connection
        assert driver is not None  # noqa: S101  # for the type checker
        driver.execute("PRAGMA foreign_keys = OFF")  # before the transaction: in it, no effect
        try:
            with connection.begin():
                _upgrade(connection, steps)
        finally:
            driver.execute("PRAGMA foreign_keys = ON")


def _upgrade(connection: Connection, steps: Path) -> None:
    from alembic import command  # noqa: PLC0415  # 0.2 s, and rarely needed
    from alembic.config import Config  # noqa: PLC0415  # likewise
    from alembic.migration import MigrationContext  # noqa: PLC0415  # likewise

    found = MigrationContext.configure(connection).get_current_revision()
    known = versions(steps)
    if found is not None and found not in known:
        raise SchemaError(found, max(known))
    config = Config()
    config.set_main_option("script_location", str(steps).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
