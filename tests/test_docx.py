import io
import struct
import time
import zipfile

import docx
import pytest

from corpus.errors import UnreadableSourceError
from corpus.readers.archive import check_archive, core_properties
from corpus.readers.docx import read_docx


def word_file() -> bytes:
    document = docx.Document()
    document.core_properties.title = "容器报告"
    document.core_properties.author = "王小明"
    document.add_heading("报告", 0)
    document.add_heading("第一部分", 1)
    document.add_paragraph("容器隔离进程。")
    for text in ("甲", "乙"):
        document.add_paragraph(text, style="List Number")
    table = document.add_table(2, 2)
    for cell, text in zip(table._cells, ("系统", "年", "chroot", "1979"), strict=True):
        cell.text = text
    document.add_paragraph().add_run("小标题").bold = True
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def archive(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return stream.getvalue()


def test_a_word_file_keeps_its_structure() -> None:
    content = read_docx(word_file(), "a.docx")
    assert [(block.kind, block.level, block.text) for block in content.blocks] == [
        ("heading", 1, "报告"),
        ("heading", 1, "第一部分"),
        ("paragraph", 0, "容器隔离进程。"),
        ("item", 0, "1. 甲"),
        ("item", 0, "2. 乙"),
        ("row", 0, "| 系统 | 年 |"),
        ("row", 0, "| chroot | 1979 |"),
        ("paragraph", 0, "小标题"),
    ]
    assert content.blocks[-1].strong
    assert content.title == "容器报告"
    assert content.metadata["author"] == "王小明"


def with_entities(data: bytes) -> bytes:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><w:document/>'
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    return archive(members | {"word/document.xml": bomb})


def deep(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    body = members["word/document.xml"].replace(
        b"<w:body>", b"<w:body>" + b"<w:sdt><w:sdtContent>" * 20_000, 1
    )
    body = body.replace(b"</w:body>", b"</w:sdtContent></w:sdt>" * 20_000 + b"</w:body>", 1)
    return archive(members | {"word/document.xml": body})


@pytest.mark.parametrize(
    ("data", "trouble", "says"),
    [
        (word_file()[:-40], "damaged", "not a whole Word file"),
        (word_file()[:100], "damaged", "not a whole Word file"),
        (b"", "damaged", "not a whole Word file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "locked", "or one with a password"),
        (archive({"a.txt": b"x"}), "unsupported", "no Word document in it"),
        (archive({"word/document.xml": b"<x"}), "damaged", "Error"),
        (with_entities(word_file()), "damaged", "word/document.xml declares entities"),
        (deep(word_file()), "too_large", "nested too deeply"),
        (archive({"word/document.xml": b"\0" * 30_000_000}), "too_large", r"packed \d+ : 1"),
        (archive({f"{n}.xml": b"" for n in range(10_001)}), "too_large", "10001 members"),
    ],
    ids=[
        "cut",
        "cut short",
        "empty",
        "old",
        "no word",
        "bad xml",
        "entities",
        "deep",
        "bomb",
        "many",
    ],
)
def test_a_word_file_that_cannot_be_read_is_named_with_its_reason(
    data: bytes, trouble: str, says: str
) -> None:
    start = time.perf_counter()
    with pytest.raises(UnreadableSourceError, match=says) as caught:
        read_docx(data, "a.docx")
    assert (caught.value.source, caught.value.trouble) == ("a.docx", trouble)
    assert time.perf_counter() - start < 10


def claimed(data: bytes, *, size: int | None = None, encrypted: bool = False) -> zipfile.ZipFile:
    """Open an archive whose directory claims another size for its first member, or a password."""
    raw = bytearray(data)
    entry = raw.index(b"PK\x01\x02")
    if size is not None:
        raw[entry + 24 : entry + 28] = struct.pack("<I", size)
    if encrypted:
        raw[entry + 8] |= 1
    return zipfile.ZipFile(io.BytesIO(bytes(raw)))


@pytest.mark.parametrize(
    ("file", "packed", "says"),
    [
        (
            claimed(archive({"a.xml": b"x" * 99}), size=4_000_000_000),
            10_000,
            "unpacks to 4000000000",
        ),
        (claimed(archive({"a.xml": b"x"}), encrypted=True), 10_000, "needs a password"),
        (claimed(archive({"a.xml": b"x", "b.xml": b"y"})), 3, "overlap"),
        (claimed(archive({"a.xml": b"<!ENTITY x>"})), 10_000, "a.xml declares entities"),
    ],
)
def test_an_archive_is_judged_before_it_is_unpacked(
    file: zipfile.ZipFile, packed: int, says: str
) -> None:
    with file, pytest.raises(UnreadableSourceError, match=says):
        check_archive(file, packed, "a.docx")


def test_a_member_that_is_longer_than_it_says_is_refused() -> None:
    file = claimed(archive({"a.xml": b"x" * 5000}), size=10)
    with file, pytest.raises((UnreadableSourceError, zipfile.BadZipFile)):
        check_archive(file, 10_000, "a.docx")


def test_a_file_without_properties_has_none() -> None:
    with claimed(archive({"a.xml": b"x"})) as file:
        assert core_properties(file) == {}
    with claimed(archive({"docProps/core.xml": b"<x"})) as file:
        assert core_properties(file) == {}
