"""The file of a backup: a ZIP of plain members, each told in advance with its size and hash.

Nothing is compressed, so no member can be larger than the file; nothing is unpacked by the names
that an archive gives, only what a backup can have is looked for; and all of it is verified before
anything is used.
"""

import hashlib
import os
import re
import secrets
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from index.errors import BackupError, BackupTrouble
from index.manifest import FileEntry, flush

FORMAT: Final = 1
DATABASE = "database.sqlite"
DICTIONARY = "dictionary.txt"
_CARD = "backup.json"
_NAME = re.compile(
    rf"{re.escape(DATABASE)}|{re.escape(DICTIONARY)}"
    r"|index/[A-Za-z0-9_-]{1,64}/g-[0-9a-f]{16,32}/[a-z]{1,20}(\.[a-z]{1,20}){1,2}"
)
_LARGEST_CARD = 10_000_000
_AT_ONCE = 1 << 20
_ENCRYPTED = 1
_Name = Annotated[str, StringConstraints(pattern=rf"^({_NAME.pattern})$")]


class Card(BaseModel):
    """What a backup says of itself.

    Attributes:
        kind: Tells it from any other ZIP.
        format: Of the file.
        made_at: When the database was as it is in here, UTC.
        version: Of wenqu.
        settings: Those that were set, without secrets; for a person to compare.
        files: All other members.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    kind: Literal["wenqu backup"]
    format: Literal[1]
    made_at: str
    version: str
    settings: Mapping[str, str]
    files: Mapping[_Name, FileEntry]


class ArchiveWriter:
    """Adds files to a backup that is being made."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.files: dict[str, FileEntry] = {}

    @classmethod
    @contextmanager
    def open(cls, target: Path) -> Iterator[Self]:
        """Write a backup, which has its name only once it is whole and on the disk.

        Raises:
            BackupError: There is a file of that name that is no backup.
            OSError: The disk is full or cannot be written; nothing is left behind then.
        """
        if target.exists():
            with Archive.open(target):
                pass  # it is replaced, and is what it will be
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with open(handle, "wb") as file, zipfile.ZipFile(file, "w") as archive:  # noqa: PTH123
                yield cls(archive)
            flush(part)
            part.replace(target)
            flush(target.absolute().parent)
        finally:
            part.unlink(missing_ok=True)

    def add(self, name: str, path: Path) -> None:
        """Add a file."""
        with path.open("rb") as source, self._archive.open(name, "w", force_zip64=True) as member:
            digest, size = hashlib.sha256(), 0
            while data := source.read(_AT_ONCE):
                digest.update(data)
                size += member.write(data)
        self.files[name] = FileEntry(size=size, sha256=digest.hexdigest())

    def finish(self, *, made_at: str, version: str, settings: Mapping[str, str]) -> Card:
        """Add what the backup says of itself, and return it."""
        card = Card(
            kind="wenqu backup",
            format=FORMAT,
            made_at=made_at,
            version=version,
            settings=settings,
            files=self.files,
        )
        self._archive.writestr(_CARD, card.model_dump_json(indent=1))
        return card


class Archive:
    """A backup to be read: whole as far as its directory tells."""

    def __init__(self, archive: zipfile.ZipFile, card: Card) -> None:
        self._archive = archive
        self.card = card

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Open a backup.

        Raises:
            BackupError: It is none, is cut short or damaged, or of another format.
            OSError: It cannot be read.
        """
        try:
            with path.open("rb") as file, zipfile.ZipFile(file) as archive:
                _check_members(archive, path.stat().st_size)
                yield cls(archive, _card(archive))
        except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
            raise BackupError(code="damaged", reason=f"{error}") from error

    def extract(self, name: str, target: Path) -> None:
        """Write a member to `target`, verified.

        Raises:
            BackupError: It is not what the backup says.
            OSError: The disk is full or cannot be written.
        """
        digest, size, entry = hashlib.sha256(), 0, self.card.files[name]
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._archive.open(name) as member, target.open("xb") as file:
            while data := member.read(_AT_ONCE):
                digest.update(data)
                size += file.write(data)
        if (size, digest.hexdigest()) != (entry.size, entry.sha256):
            raise BackupError(code="damaged", reason=f"{name} is not what was written (SHA-256)")
        flush(target)


def _check_members(archive: zipfile.ZipFile, size: int) -> None:
    members = archive.infolist()
    names = [member.filename for member in members]
    if _CARD not in names:
        raise BackupError(code="foreign", reason=f"there is no {_CARD} in it")
    for member in members:
        if member.filename != _CARD and not _NAME.fullmatch(member.filename):
            raise BackupError(code="foreign", reason=f"a backup has no {member.filename[:100]!r}")
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & _ENCRYPTED:
            raise BackupError(
                code="foreign", reason=f"{member.filename} is compressed or encrypted"
            )
    if len(set(names)) < len(names):
        raise BackupError(code="foreign", reason="a name is in it twice")
    if sum(member.file_size for member in members) > size:
        raise BackupError(code="damaged", reason="its members are larger than the whole")


def _card(archive: zipfile.ZipFile) -> Card:
    told = archive.getinfo(_CARD)
    if told.file_size > _LARGEST_CARD:
        raise BackupError(code="foreign", reason=f"{_CARD} has {told.file_size} bytes")
    try:
        card = Card.model_validate_json(archive.read(told))
    except ValidationError as error:
        what = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in what["loc"]) or "it"
        code: BackupTrouble = "format" if where == "format" else "foreign"
        raise BackupError(code=code, reason=f"{_CARD}: {where}: {what['msg']}") from error
    held = {member.filename: member.file_size for member in archive.infolist()}
    del held[_CARD]
    if held != {name: entry.size for name, entry in card.files.items()}:
        raise BackupError(code="damaged", reason="it has other members than it says")
    return card
