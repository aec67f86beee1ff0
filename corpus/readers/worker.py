"""Reads one PDF or Word file and prints what is in it as JSON; run as a process of its own.

Both formats are parsed by libraries that a hostile file can make slow, hungry or crash, so
`corpus.readers.sandbox` runs this file under limits. It imports nothing of the project, because
it runs by its path and not as part of a package.
"""

import io
import json
import sys
import zipfile
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

MAX_MEMBERS = 10_000
MAX_UNPACKED_BYTES = 100_000_000
MAX_RATIO = 200
MAX_PAGES = 20_000

_RATIO_MATTERS_FROM = 1_000_000  # bytes: a short run of blanks may well be packed 1000 : 1
_STYLES = """
p[style-name='Title'] => h1:fresh
p[style-name='标题'] => h1:fresh
p[style-name='Subtitle'] => p:fresh
p[style-name='Quote'] => p:fresh
"""
_CORE = {
    "{http://purl.org/dc/elements/1.1/}title": "title",
    "{http://purl.org/dc/elements/1.1/}creator": "author",
    "{http://purl.org/dc/terms/}created": "created",
}


class RefusedError(Exception):
    """A file that is not read.

    Attributes:
        trouble: A `corpus.errors.Trouble`.
        reason: In words.
    """

    def __init__(self, *, trouble: str, reason: str) -> None:
        super().__init__(trouble, reason)
        self.trouble = trouble
        self.reason = reason


def read_docx(data: bytes) -> dict[str, Any]:
    """Give `html` and `metadata` of a Word file."""
    import mammoth  # noqa: PLC0415 - a PDF does not need it

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            check_archive(archive, len(data))
            if "word/document.xml" not in archive.namelist():
                raise RefusedError(
                    trouble="unsupported", reason="a ZIP archive, but no Word document in it"
                )
            metadata = core_properties(archive)
        result = mammoth.convert_to_html(
            io.BytesIO(data), style_map=_STYLES, convert_image=lambda _image: []
        )
    except zipfile.BadZipFile as error:
        raise RefusedError(trouble="damaged", reason=f"not a whole Word file: {error}") from error
    except RecursionError as error:
        raise RefusedError(
            trouble="too_large", reason="its elements are nested too deeply"
        ) from error
    return {"html": result.value, "metadata": metadata}


def check_archive(archive: zipfile.ZipFile, packed_bytes: int) -> None:
    """Refuse an archive that unpacks into more than it should, before and while reading it."""
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise RefusedError(
            trouble="too_large", reason=f"{len(members)} members, at most {MAX_MEMBERS} are read"
        )
    if any(member.flag_bits & 1 for member in members):
        raise RefusedError(trouble="locked", reason="needs a password")
    if sum(member.compress_size for member in members) > packed_bytes:
        raise RefusedError(trouble="damaged", reason="its members overlap")
    declared = sum(member.file_size for member in members)
    if declared > MAX_UNPACKED_BYTES:
        raise RefusedError(
            trouble="too_large", reason=f"unpacks to {declared} bytes, at most {MAX_UNPACKED_BYTES}"
        )
    for member in members:
        ratio = member.file_size / max(1, member.compress_size)
        if member.file_size > _RATIO_MATTERS_FROM and ratio > MAX_RATIO:
            raise RefusedError(
                trouble="too_large", reason=f"{member.filename} is packed {ratio:.0f} : 1"
            )
        if member.filename.endswith((".xml", ".rels")):
            check_member(archive, member)


def check_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Refuse XML with a document type: Office writes none, and entities can be bombs."""
    with archive.open(member) as stream:
        head = stream.read(member.file_size + 1)
    if len(head) > member.file_size:
        raise RefusedError(trouble="damaged", reason=f"{member.filename} is longer than it says")
    if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        raise RefusedError(trouble="damaged", reason=f"{member.filename} declares entities")


def core_properties(archive: zipfile.ZipFile) -> dict[str, str]:
    """Read title, author and date from an Office file, as far as it has them."""
    try:
        root = ElementTree.fromstring(archive.read("docProps/core.xml"))  # noqa: S314 - see check_member
    except (KeyError, ElementTree.ParseError):
        return {}
    found = {_CORE[child.tag]: child.text or "" for child in root if child.tag in _CORE}
    return {key: value.strip() for key, value in found.items() if value.strip()}


def read_pdf(data: bytes) -> dict[str, Any]:
    """Give `pages` (text), `contents` (level, title, page from 0) and `metadata` of a PDF."""
    import pypdfium2 as pdfium  # noqa: PLC0415 - a Word file does not need it

    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise RefusedError(trouble="locked", reason="needs a password") from error
        raise RefusedError(trouble="damaged", reason=f"not a whole PDF: {error}") from error
    if len(document) > MAX_PAGES:
        raise RefusedError(
            trouble="too_large", reason=f"{len(document)} pages, at most {MAX_PAGES} are read"
        )
    pages = [page_text(document, number) for number in range(len(document))]
    if not any(page.strip() for page in pages):
        raise RefusedError(
            trouble="scanned", reason=f"{len(pages)} pages without text: scanned pictures, perhaps"
        )
    contents = [
        (mark.level + 2, mark.get_title(), mark.get_dest().get_index())
        for mark in document.get_toc()
        if mark.get_dest() is not None
    ]
    found = document.get_metadata_dict(skip_empty=True)
    keys = {"Title": "title", "Author": "author", "CreationDate": "created"}
    metadata = {keys[key]: value for key, value in found.items() if key in keys}
    return {"pages": pages, "contents": contents, "metadata": metadata}


def page_text(document: Any, number: int) -> str:  # noqa: ANN401 - a pypdfium2.PdfDocument
    """Give the text of a page, an empty string if the page is broken."""
    import pypdfium2 as pdfium  # noqa: PLC0415 - see read_pdf

    try:
        page = document[number]
        text: str = page.get_textpage().get_text_bounded()
        page.close()
    except pdfium.PdfiumError:
        return ""
    return text


def limit(megabytes: int, seconds: int) -> None:
    """Limit the memory and the processor time of this process, where the system can."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    size = megabytes * 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def main(argv: list[str]) -> None:
    """Read standard input as `argv` says: format, megabytes, seconds."""
    readers: dict[str, Callable[[bytes], dict[str, Any]]] = {"docx": read_docx, "pdf": read_pdf}
    limit(int(argv[1]), int(argv[2]))
    try:
        answer = readers[argv[0]](sys.stdin.buffer.read())
    except RefusedError as error:
        answer = {"trouble": error.trouble, "reason": error.reason}
    except MemoryError:
        answer = {"trouble": "too_large", "reason": f"needs more than {argv[1]} MB of memory"}
    except Exception as error:  # noqa: BLE001 - the libraries raise what they like at a broken file
        answer = {"trouble": "damaged", "reason": f"{type(error).__name__}: {error}"}
    sys.stdout.buffer.write(json.dumps(answer).encode("ascii"))


if __name__ == "__main__":
    main(sys.argv[1:])
