"""What a generation on disk says it is, and whether it is that."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt, ValidationError

from index.errors import CorruptIndexError

MANIFEST = "manifest.json"
_LARGEST = 1_000_000


class FileEntry(BaseModel):
    """What a file of the generation has to be."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    size: NonNegativeInt
    sha256: str


class Manifest(BaseModel):
    """What a generation is, checked when it is read."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    format: Literal[1]
    embedder: str
    segmenter: str
    dimension: PositiveInt
    passages: NonNegativeInt
    documents: NonNegativeInt
    dense: Literal["Flat", "HNSW"]
    files: Mapping[str, FileEntry]


def read_manifest(folder: Path, files: frozenset[str]) -> Manifest:
    """Read the manifest of the generation in `folder`, which must list exactly `files`.

    Raises:
        CorruptIndexError: It is missing, damaged, of another format, or names foreign files.
    """
    path = folder / MANIFEST
    try:
        if path.stat().st_size > _LARGEST:
            raise CorruptIndexError(folder, f"{MANIFEST} is too large")
        manifest = Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CorruptIndexError(folder, f"{MANIFEST} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        what = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in what["loc"]) or "it"
        raise CorruptIndexError(folder, f"{MANIFEST}: {where}: {what['msg']}") from error
    if set(manifest.files) != files:
        raise CorruptIndexError(folder, f"{MANIFEST} names {sorted(manifest.files)[:20]}")
    return manifest


def measure(path: Path) -> FileEntry:
    """Return the size and checksum of a file."""
    return FileEntry(size=path.stat().st_size, sha256=_sha256(path))


def verify(path: Path, entry: FileEntry) -> None:
    """Raise CorruptIndexError unless the file has the size and checksum of `entry`."""
    try:
        size = path.stat().st_size
        if size != entry.size:
            raise CorruptIndexError(path.parent, f"{path.name} has {size} bytes, not {entry.size}")
        if _sha256(path) != entry.sha256:
            raise CorruptIndexError(path.parent, f"{path.name} is not what was written (SHA-256)")
    except OSError as error:
        reason = f"{path.name} cannot be read: {error.strerror}"
        raise CorruptIndexError(path.parent, reason) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Have the disk hold what was written to a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
