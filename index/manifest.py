"""What a generation on disk says it is, and whether it is that.

The name of a generation is the hash of its manifest, which has the hash of each other file: who
knows the name, as the database does, can tell every byte. Those of format 1 have a random name.
"""

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    StringConstraints,
    ValidationError,
    model_validator,
)

from index.canary import Canary
from index.dense import DenseKind
from index.errors import CorruptIndexError

MANIFEST = "manifest.json"
FORMAT: Final = 2
_LARGEST = 1_000_000
_HASH_CHARACTERS = 32
_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class FileEntry(BaseModel):
    """What a file of the generation has to be."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    size: NonNegativeInt
    sha256: _Sha256


class Manifest(BaseModel):
    """What a generation is, checked when it is read.

    Attributes:
        format: 1 has neither `keys` nor `canary`.
        embedder: Id of what made the vectors.
        segmenter: Id of what made the bags.
        dimension: Columns of a vector.
        passages: How many there are.
        documents: How many they are of.
        dense: Kind of the FAISS index.
        keys: SHA-256 of the keys of all rows in order, see `index.rows.keys_hash`.
        canary: What searches have to find.
        files: Each other file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    format: Literal[1, 2]
    embedder: str
    segmenter: str
    dimension: Annotated[int, Field(ge=1, lt=1 << 16)]
    passages: Annotated[int, Field(ge=0, lt=1 << 31)]
    documents: Annotated[int, Field(ge=0, lt=1 << 31)]
    dense: DenseKind
    keys: _Sha256 | None = None
    canary: Canary | None = None
    files: Mapping[str, FileEntry]

    @model_validator(mode="after")
    def _has_what_its_format_has(self) -> Self:
        parts = (self.keys is not None, self.canary is not None)
        if parts != (self.format == FORMAT,) * len(parts):
            message = f"format {self.format} with or without keys and canary"
            raise ValueError(message)
        return self

    def to_bytes(self) -> bytes:
        """Return the file."""
        return self.model_dump_json(exclude_none=True).encode()


def name_of(manifest: bytes) -> str:
    """Return the name of the generation that has these bytes as its manifest."""
    return f"g-{hashlib.sha256(manifest).hexdigest()[:_HASH_CHARACTERS]}"


def read_manifest(folder: Path, files: frozenset[str]) -> Manifest:
    """Read the manifest of the generation in `folder`, which must list exactly `files`.

    Raises:
        CorruptIndexError: It is missing, damaged, of another format, or names foreign files.
    """
    data = _read(folder / MANIFEST, _LARGEST)
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        what = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in what["loc"]) or "it"
        raise CorruptIndexError(folder, f"{MANIFEST}: {where}: {what['msg']}") from error
    if set(manifest.files) != files:
        raise CorruptIndexError(folder, f"{MANIFEST} names {sorted(manifest.files)[:20]}")
    hashed = len(folder.name) == len(name_of(b""))
    if hashed != (manifest.format == FORMAT) or (hashed and folder.name != name_of(data)):
        raise CorruptIndexError(folder, f"{MANIFEST} is not what was written (SHA-256)")
    return manifest


def measure(path: Path) -> FileEntry:
    """Return the size and checksum of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return FileEntry(size=file.tell(), sha256=digest)


def read_verified(path: Path, entry: FileEntry) -> bytes:
    """Return the bytes of a file: these are verified, and no others are used.

    What happens to the file afterwards changes nothing: a map of it would see every change, and
    would end the process where the file was cut short.

    Raises:
        CorruptIndexError: It cannot be read, or has not the size and checksum of `entry`.
    """
    data = _read(path, entry.size)
    if len(data) != entry.size:
        reason = f"{path.name} has {len(data)} bytes, not {entry.size}"
        raise CorruptIndexError(path.parent, reason)
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise CorruptIndexError(path.parent, f"{path.name} is not what was written (SHA-256)")
    return data


def _read(path: Path, largest: int) -> bytes:
    # a named pipe would be waited for, a link would be followed out of the folder
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with open(os.open(path, flags), "rb") as file:  # noqa: PTH123  # an open descriptor
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise CorruptIndexError(path.parent, f"{path.name} is no file")
            if about.st_size > largest:
                reason = f"{path.name} has {about.st_size} bytes, at most {largest} are expected"
                raise CorruptIndexError(path.parent, reason)
            return file.read()
    except OSError as error:
        reason = f"{path.name} cannot be read: {error.strerror}"
        raise CorruptIndexError(path.parent, reason) from error


def flush(path: Path) -> None:
    """Have the disk hold what was written to a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
