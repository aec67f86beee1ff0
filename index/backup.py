"""All that a data folder holds in one file, and back.

Documents, conversations and keys are in the database, of which a copy is taken while others write.
The index goes with it: made again from the documents, every passage would have to be embedded.

To restore is to do what an ingest does: write the generations beside the present ones, then let
one transaction of the database say all that is new. Whoever has it open, sees the old state or the
new one, and so does who comes after a kill.
"""

import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.exc import DatabaseError

from index.archive import DATABASE, DICTIONARY, Archive, ArchiveWriter, Card
from index.database import now
from index.engines import BUSY_SECONDS
from index.errors import BackupError, CorruptIndexError, SchemaError
from index.lock import locked
from index.schema import versions
from index.store import place, prune, verified_files

WAIT_SECONDS = 60.0
_STAGE = ".restore-"
_FOREIGN = "SELECT name FROM sqlite_master WHERE type NOT IN ('table', 'index')"
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"


@dataclass(frozen=True, slots=True)
class Held:
    """What a backup holds.

    Attributes:
        card: What it says of itself.
        documents: How many, in all collections.
        collections: Their names.
        without_index: Those whose index is to be made again: it was damaged, or is not there.
        dictionary: Where the words of the user are now; None if there were none.
    """

    card: Card
    documents: int
    collections: tuple[str, ...]
    without_index: tuple[str, ...] = ()
    dictionary: Path | None = None


def back_up(
    target: Path,
    database: Path,
    indexes: Path,
    *,
    version: str,
    settings: Mapping[str, str],
    dictionary: Path | None = None,
    wait_seconds: float = WAIT_SECONDS,
) -> Held:
    """Write a backup to `target`, in place of an older one; others may go on writing meanwhile.

    Who changes documents waits while their index is copied.

    Args:
        target: The file.
        database: An SQLite file.
        indexes: Folder of the indexes.
        version: Of wenqu.
        settings: For a person to compare; without secrets.
        dictionary: Words of the user, without which the index is of no use.
        wait_seconds: How long to wait for another process that is changing documents.

    Raises:
        BackupError: `target` is there and no backup, or there is no database.
        LibraryBusyError: Another process changes documents for too long.
        OSError: The disk is full or cannot be written; nothing is left behind.
        sqlalchemy.exc.DatabaseError: The database cannot be read.
    """
    if not database.exists():
        raise BackupError(code="empty", reason=f"there is no database {database}")
    with ArchiveWriter.open(target) as archive, ExitStack() as stack:
        for name in _generations(database):
            stack.enter_context(locked(indexes / name, name, wait_seconds))
        folder = Path(
            stack.enter_context(TemporaryDirectory(prefix=".", dir=target.absolute().parent))
        )
        made_at = now()
        _snapshot(database, folder / DATABASE)
        archive.add(DATABASE, folder / DATABASE)
        if dictionary:
            archive.add(DICTIONARY, dictionary)
        without = []
        for name, generation in _generations(folder / DATABASE).items():
            try:
                files = verified_files(indexes / name, generation or "")
            except CorruptIndexError:
                without.append(name)
                continue
            for path in files:
                archive.add(f"index/{name}/{generation}/{path.name}", path)
        card = archive.finish(made_at=made_at, version=version, settings=settings)
        return _held(card, folder / DATABASE, without)


def check(source: Path) -> Held:
    """Verify all of a backup as `restore` would, without restoring it.

    Raises:
        BackupError: It cannot be restored.
        OSError: It cannot be read, or the disk is full.
    """
    with _staged(source, None) as (held, _folder):
        return held


def restore(
    source: Path,
    database: Path,
    indexes: Path,
    *,
    force: bool = False,
    wait_seconds: float = WAIT_SECONDS,
) -> Held:
    """Put a backup in place of what the database and the indexes hold; all of it, or nothing.

    A service that runs goes on and answers from the new state with the next question.

    Args:
        source: The file.
        database: An SQLite file, made if it is not there.
        indexes: Folder of the indexes.
        force: Also where there is something already, which is then gone.
        wait_seconds: How long to wait for another process that is changing documents.

    Raises:
        BackupError: It is damaged, or of another format, or there is something already.
        SchemaError: It was made by a newer version of wenqu.
        LibraryBusyError: Another process changes documents for too long.
        OSError: The disk is full or cannot be written; nothing has changed then.
        sqlalchemy.exc.DatabaseError: The database cannot be read or written.
    """
    if not force and (rows := _occupied(database)):
        raise BackupError(code="occupied", reason=f"{database} holds {rows}")
    with ExitStack() as stack:
        stack.enter_context(locked(indexes, "all", wait_seconds))
        for left in indexes.glob(f"{_STAGE}*"):  # by one that was killed
            shutil.rmtree(left)
        held, folder = stack.enter_context(_staged(source, indexes))
        new = _generations(folder / DATABASE)
        database.parent.mkdir(parents=True, exist_ok=True)
        for name in sorted({*new, *_generations(database)}):
            stack.enter_context(locked(indexes / name, name, wait_seconds))
        for name, generation in new.items():
            if name not in held.without_index:
                place(folder / "index" / name / f"{generation}", indexes / name / f"{generation}")
        dictionary = _keep_dictionary(folder / DICTIONARY, database.parent, held.card)
        _take_over(folder / DATABASE, database)
        for root in indexes.iterdir():
            prune(root, [new.get(root.name) or ""])
        return replace(held, dictionary=dictionary)


@contextmanager
def _staged(source: Path, beside: Path | None) -> Iterator[tuple[Held, Path]]:
    """Take a backup apart into a fresh folder, verified to the last byte."""
    with (
        Archive.open(source) as archive,
        TemporaryDirectory(prefix=_STAGE, dir=beside) as made,
    ):
        folder = Path(made)
        for name in archive.card.files:
            archive.extract(name, folder / name)
        if not (folder / DATABASE).exists():
            raise BackupError(code="foreign", reason=f"there is no {DATABASE} in it")
        _check_database(folder / DATABASE)
        generations = _generations(folder / DATABASE)
        without = []
        for name, generation in generations.items():
            if not (folder / "index" / name).exists():
                without.append(name)
                continue
            try:
                verified_files(folder / "index" / name, generation or "")
            except CorruptIndexError as error:
                raise BackupError(code="damaged", reason=str(error.reason)) from error
        yield _held(archive.card, folder / DATABASE, without), folder


def _held(card: Card, database: Path, without: Sequence[str]) -> Held:
    with _opened(database) as connection:
        (documents,) = connection.execute("SELECT count(*) FROM documents").fetchone()
    return Held(card, documents, tuple(_generations(database)), tuple(without))


@contextmanager
def _opened(database: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(database, BUSY_SECONDS, isolation_level=None)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")  # nothing in a file is run
            yield connection
    except sqlite3.DatabaseError as error:  # as everybody else tells it
        raise DatabaseError(None, {}, error) from error


def _generations(database: Path) -> dict[str, str | None]:
    """Return collection to the name of its generation."""
    if not database.exists():
        return {}
    with _opened(database) as connection:
        if "collections" not in {name for (name,) in connection.execute(_TABLES)}:
            return {}
        return dict(connection.execute("SELECT name, generation FROM collections ORDER BY name"))


def _snapshot(database: Path, target: Path) -> None:
    """Copy the database as it is at one moment, without the room that what is gone has left."""
    with _opened(database) as source, _opened(target) as copy:
        source.backup(copy)  # in one step: it would begin anew whenever another process writes
        copy.execute("PRAGMA journal_mode = DELETE")
        copy.execute("VACUUM")


def _check_database(database: Path) -> None:
    try:
        with _opened(database) as connection:
            (said,) = connection.execute("PRAGMA integrity_check").fetchone()
            foreign = connection.execute(_FOREIGN).fetchone()
            names = {name for (name,) in connection.execute(_TABLES)}
            at = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except DatabaseError as error:
        raise BackupError(code="damaged", reason=f"{DATABASE}: {error.orig}") from error
    if said != "ok":
        raise BackupError(code="damaged", reason=f"{DATABASE}: {said}")
    if foreign or not {"collections", "documents"} <= names:
        raise BackupError(
            code="foreign", reason=f"{DATABASE} has not the tables of wenqu, or more than these"
        )
    if at and at[0] not in versions():
        raise SchemaError(at[0], max(versions()))


def _occupied(database: Path) -> str:
    """Return what a database holds, such as `3 documents`, "" if nothing."""
    if not database.exists():
        return ""
    with _opened(database) as connection:
        names = [name for (name,) in connection.execute(_TABLES) if name != "alembic_version"]
        counts = {
            name: connection.execute(
                f'SELECT count(*) FROM "{name}"'  # noqa: S608  # a name of its own
            ).fetchone()[0]
            for name in names
        }
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()) if count)


def _take_over(source: Path, database: Path) -> None:
    """Have the database hold what `source` holds, in one transaction; others may read meanwhile."""
    with _opened(source) as new, _opened(database) as present:
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            present.execute(f"PRAGMA {pragma}")
        new.backup(present)
        present.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _keep_dictionary(found: Path, data: Path, card: Card) -> Path | None:
    if not found.exists():
        return None
    kept = data / f"dictionary-{card.files[DICTIONARY].sha256[:12]}.txt"
    shutil.copyfile(found, kept)
    return kept
