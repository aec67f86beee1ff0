"""Find the files that a path, a folder or a pattern means."""

import glob
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from corpus.errors import UnreadableSourceError


def find(target: str | Path, name: Callable[[Path], str]) -> Iterator[Path | UnreadableSourceError]:
    """Give the files of `target` in a fixed order, each folder's own before its subfolders'.

    In a folder, hidden entries are passed over, and links are not followed: what they point to
    is either in the folder anyway or outside, which is given as an error.

    Args:
        target: A file, a folder or a pattern such as `docs/**/*.md`.
        name: What a path is called in errors.
    """
    path = Path(target)
    try:
        if path.is_dir():
            yield from _folder(path, name)
        elif os.path.lexists(path):
            yield path
        elif glob.has_magic(str(target)):
            yield from _pattern(str(target), name)
        else:
            yield UnreadableSourceError(name(path), "no such file or folder", trouble="missing")
    except (OSError, ValueError) as error:  # ValueError: NUL in a name
        yield unreadable(name(path), error)


def unreadable(source: str, error: OSError | ValueError) -> UnreadableSourceError:
    """Put what the system said into words."""
    if isinstance(error, FileNotFoundError):
        return UnreadableSourceError(source, "no such file or folder", trouble="missing")
    if isinstance(error, PermissionError):
        return UnreadableSourceError(source, "no permission to read it", trouble="permission")
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return UnreadableSourceError(source, reason)


def _pattern(pattern: str, name: Callable[[Path], str]) -> Iterator[Path | UnreadableSourceError]:
    paths = [Path(found) for found in sorted(glob.iglob(pattern, recursive=True))]  # noqa: PTH207 - Path.glob takes no absolute pattern
    files = [path for path in paths if not path.is_dir()]
    yield from files
    if not files:
        yield UnreadableSourceError(name(Path(pattern)), "matches no file", trouble="missing")


def _folder(root: Path, name: Callable[[Path], str]) -> Iterator[Path | UnreadableSourceError]:
    home = root.resolve()
    waiting = [root]
    empty = True
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            empty = False
            yield unreadable(name(folder), error)
            continue
        folders = []
        for entry in entries:
            path = Path(entry.path)
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif (found := _entry(entry, path, home, name)) is not None:
                empty = False
                yield found
        waiting += reversed(folders)
    if empty:
        yield UnreadableSourceError(name(root), "no file in it", trouble="empty")


def _entry(
    entry: os.DirEntry[str], path: Path, home: Path, name: Callable[[Path], str]
) -> Path | UnreadableSourceError | None:
    if entry.is_file(follow_symlinks=False):
        return path
    if not entry.is_symlink():
        return UnreadableSourceError(name(path), "no regular file", trouble="unsupported")
    try:
        inside = path.resolve(strict=True).is_relative_to(home)
    except (OSError, RuntimeError):  # RuntimeError: a loop, up to Python 3.12
        return UnreadableSourceError(name(path), "a link to nothing", trouble="missing")
    if inside:
        return None
    reason = "a link that leaves the folder is not followed"
    return UnreadableSourceError(name(path), reason, trouble="outside")
