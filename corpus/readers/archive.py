"""Office files are ZIP archives: refuse those that unpack into more than they should."""

import zipfile
from xml.etree import ElementTree

from corpus.errors import UnreadableSourceError

MAX_MEMBERS = 10_000
MAX_UNPACKED_BYTES = 100_000_000
MAX_RATIO = 200

_RATIO_MATTERS_FROM = 1_000_000  # bytes: a short run of blanks may well be packed 1000 : 1
_CORE = {
    "{http://purl.org/dc/elements/1.1/}title": "title",
    "{http://purl.org/dc/elements/1.1/}creator": "author",
    "{http://purl.org/dc/terms/}created": "created",
}


def check_archive(archive: zipfile.ZipFile, packed_bytes: int, source: str) -> None:
    """Refuse an archive that unpacks into more than it should, before and while reading it.

    Args:
        archive: Opened, which reads no more than its directory.
        packed_bytes: Of the whole file: members that share bytes add up to more.
        source: Named in errors.

    Raises:
        UnreadableSourceError: It is a bomb, damaged, or needs a password.
    """
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        reason = f"{len(members)} members, at most {MAX_MEMBERS} are read"
        raise UnreadableSourceError(source, reason, trouble="too_large")
    if any(member.flag_bits & 1 for member in members):
        raise UnreadableSourceError(source, "needs a password", trouble="locked")
    if sum(member.compress_size for member in members) > packed_bytes:
        raise UnreadableSourceError(source, "its members overlap")
    declared = sum(member.file_size for member in members)
    if declared > MAX_UNPACKED_BYTES:
        reason = f"unpacks to {declared} bytes, at most {MAX_UNPACKED_BYTES}"
        raise UnreadableSourceError(source, reason, trouble="too_large")
    for member in members:
        ratio = member.file_size / max(1, member.compress_size)
        if member.file_size > _RATIO_MATTERS_FROM and ratio > MAX_RATIO:
            reason = f"{member.filename} is packed {ratio:.0f} : 1"
            raise UnreadableSourceError(source, reason, trouble="too_large")
        if member.filename.endswith((".xml", ".rels")):
            _check_member(archive, member, source)


def _check_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, source: str) -> None:
    """Refuse XML with a document type: Office writes none, and entities can be bombs."""
    with archive.open(member) as stream:
        data = stream.read(member.file_size + 1)
    if len(data) > member.file_size:
        raise UnreadableSourceError(source, f"{member.filename} is longer than it says")
    plain = data.replace(b"\0", b"")  # UTF-16 is XML too
    if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
        raise UnreadableSourceError(source, f"{member.filename} declares entities")


def core_properties(archive: zipfile.ZipFile) -> dict[str, str]:
    """Read title, author and date from an Office file, as far as it has them."""
    try:
        root = ElementTree.fromstring(archive.read("docProps/core.xml"))  # noqa: S314 - see _check_member
    except (KeyError, ElementTree.ParseError):
        return {}
    found = {_CORE[child.tag]: child.text or "" for child in root if child.tag in _CORE}
    return {key: value.strip() for key, value in found.items() if value.strip()}
