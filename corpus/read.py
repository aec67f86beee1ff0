"""From a path, a folder, a pattern or bytes to documents.

What cannot be read is given as the error that says why, in its place among the documents: the
others go on, and the caller decides what an error is worth. The bytes are parsed by a child
process under limits, so that no file can take this one down.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from corpus.clean import clean
from corpus.document import Document
from corpus.errors import UnreadableSourceError
from corpus.files import find, unreadable
from corpus.origin import MAX_BYTES, Origin
from corpus.readers.sandbox import Sandbox
from corpus.sniff import KINDS, Kind

_LONGEST_NAME = 120


def read(
    target: str | Path,
    *,
    base: Path | None = None,
    max_bytes: int = MAX_BYTES,
    encoding: str | None = None,
    sandbox: Sandbox | None = None,
) -> Iterator[Document | UnreadableSourceError]:
    """Read a file, a folder with all below it, or a pattern such as `docs/**/*.md`.

    Args:
        target: In a folder, hidden files are passed over and links are not followed.
        base: Sources are named relative to it, or to the current folder without it; what lies
            outside keeps its whole path.
        max_bytes: A larger file is refused before it is read. JSON Lines may be of any size.
        encoding: What text files are said to be in; tried before others.
        sandbox: Parses; one is opened for the time of the reading if None.

    Yields:
        Documents, and an error for each file that is none, in a fixed order.
    """
    in_folder = os.path.isdir(target)  # noqa: PTH112 - unlike Path.is_dir, False without permission

    def name(path: Path) -> str:
        return _source(path, base or Path.cwd())

    with _parsing(sandbox) as box:
        for found in find(target, name):
            if isinstance(found, UnreadableSourceError):
                yield found
                continue
            source = name(found)
            kind = KINDS.get(found.suffix.lower())
            if kind is None and (found.suffix or in_folder):
                yield _unsupported(source, found.suffix)
            else:
                yield from _read_file(found, Origin(source, kind, max_bytes, encoding), box)


def read_bytes(
    data: bytes,
    name: str,
    *,
    encoding: str | None = None,
    sandbox: Sandbox | None = None,
) -> Iterator[Document | UnreadableSourceError]:
    """Read what was uploaded.

    Args:
        data: The whole file.
        name: As the sender gave it, so not trusted: of a path only the last part is kept. Its
            suffix says what `data` is; without one, the content does.
        encoding: As for `read`.
        sandbox: As for `read`.
    """
    source = safe_name(name)
    suffix = Path(source).suffix.lower()
    if suffix and suffix not in KINDS:
        yield _unsupported(source, suffix)
    else:
        origin = Origin(source, KINDS.get(suffix), len(data), encoding)
        yield from read_origin(data, origin, sandbox=sandbox)


def read_text(
    text: str, source: str, kind: Kind, *, sandbox: Sandbox | None = None
) -> Iterator[Document | UnreadableSourceError]:
    """Read what was typed in; `source` is where it says it is from."""
    data = text.encode()
    yield from read_origin(data, Origin(source, kind, len(data), "utf-8"), sandbox=sandbox)


def read_origin(
    data: bytes, origin: Origin, *, sandbox: Sandbox | None = None
) -> Iterator[Document | UnreadableSourceError]:
    """Read the bytes of a source of which more is known than a name."""
    with _parsing(sandbox) as box:
        yield from box.documents_of(BytesIO(data), origin)


def read_stdin(
    stream: BinaryIO,
    *,
    max_bytes: int = MAX_BYTES,
    encoding: str | None = None,
    sandbox: Sandbox | None = None,
) -> Iterator[Document | UnreadableSourceError]:
    """Read a stream without a name; its content says what it is."""
    with _parsing(sandbox) as box:
        yield from box.documents_of(stream, Origin("stdin", None, max_bytes, encoding))


def safe_name(name: str) -> str:
    """Reduce a name from outside to a plain file name: no path, no control characters."""
    last = re.split(r"[/\\]", name)[-1]
    plain = "".join(char for char in clean(last) if char.isprintable()).strip(" .")
    stem, dot, suffix = plain.rpartition(".")
    return f"{stem[:_LONGEST_NAME]}{dot}{suffix[:10]}" if dot else plain[:_LONGEST_NAME] or "upload"


def _parsing(sandbox: Sandbox | None) -> AbstractContextManager[Sandbox]:
    return nullcontext(sandbox) if sandbox else Sandbox()


def _source(path: Path, base: Path) -> str:
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links
    home = Path(os.path.abspath(base))  # noqa: PTH100 - as above
    shown = whole.relative_to(home) if whole.is_relative_to(home) else whole
    return os.fsencode(shown.as_posix()).decode("utf-8", errors="backslashreplace")


def _unsupported(source: str, suffix: str) -> UnreadableSourceError:
    kind = f"{suffix} files are" if suffix else "a file without suffix is"
    reason = f"{kind} not read; those that are: {' '.join(KINDS)}"
    return UnreadableSourceError(source, reason, trouble="unsupported")


def _read_file(
    path: Path, origin: Origin, sandbox: Sandbox
) -> Iterator[Document | UnreadableSourceError]:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for whoever writes to it
            reason = "no regular file"
            yield UnreadableSourceError(origin.source, reason, trouble="unsupported")
        elif found.st_size > origin.max_bytes and origin.kind != "jsonl":
            yield origin.too_large()
        else:
            with path.open("rb") as stream:
                yield from sandbox.documents_of(stream, origin)
    except OSError as error:
        yield unreadable(origin.source, error)
