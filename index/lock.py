"""One writer to a folder at a time, among all processes of a host."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from index.errors import LibraryBusyError
from index.manifest import flush

_LOCK = "lock"
_HOLDER = "lock.holder"


@contextmanager
def locked(folder: Path, collection: str, wait_seconds: float) -> Iterator[None]:
    """Be the one who writes to the folder of a collection; it is made if it is absent.

    The system frees the lock of a process that dies. Who has it is written beside it: opening the
    lock itself empties it.

    Raises:
        LibraryBusyError: Another process had it for longer.
        OSError: The folder cannot be written.
    """
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        for changed in folder.parents[:2]:  # these may be new as well
            flush(changed)
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=wait_seconds)
    except Timeout as error:
        pid = holder(folder)
        who = f"process {pid}" if pid else "another process"
        raise LibraryBusyError(collection, who, pid=pid) from error
    try:
        with suppress(OSError):  # a full disk must not keep anybody from deleting
            (folder / _HOLDER).write_text(str(os.getpid()), encoding="ascii")
        yield
    finally:
        lock.release()


def holder(folder: Path) -> int | None:
    """Return the process that had the lock last, None if it is not known."""
    try:
        return int((folder / _HOLDER).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
