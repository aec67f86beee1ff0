"""Files made to harm whoever reads them, by the case of docs/reliability.md that they belong to."""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from eval.bench.fuzz_seeds import PAGE, archive, pdf, stream_of, word

_MEGABYTE = 1_000_000
_READ = ""


@dataclass(frozen=True, slots=True)
class Hostile:
    """One file.

    Attributes:
        case: That it belongs to.
        name: What it does; its suffix is the kind of the file.
        make: Makes it.
        may: What may come of it: troubles, "" for a document.
        shows: Words that a document of it has.
        hides: Words that it must not have.
    """

    case: str
    name: str
    make: Callable[[], bytes]
    may: frozenset[str]
    shows: str = ""
    hides: tuple[str, ...] = ()


def zeros(megabytes: int, *, raw: bool = True) -> bytes:
    """Return so many megabytes of zeros as deflate packs them, without unpacking them here."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(bytes(_MEGABYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    packed = piece * megabytes + packer.flush()
    return packed if raw else b"\x78\x9c" + packed + bytes(4)


def _large_member(gigabytes: int) -> bytes:
    """A Word file whose body really unpacks to so much, and says so (up to 4 GB)."""
    packed = zeros(1000 * gigabytes)
    size = min(1000 * _MEGABYTE * gigabytes, 0xFFFF_FFFE)
    name = b"word/document.xml"
    head = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0, 0, len(packed), size, len(name), 0)
    local = b"PK\x03\x04" + head + name + packed
    entry = b"PK\x01\x02" + struct.pack("<H", 20) + head + struct.pack("<HHHII", 0, 0, 0, 0, 0)
    end = struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry) + len(name), len(local), 0)
    return local + entry + name + b"PK\x05\x06" + end


def _claims(size: int) -> bytes:
    """A Word file whose body says that it has another size than it has."""
    data = bytearray(word())
    at = data.rindex(b"word/document.xml") - 46
    data[at + 24 : at + 28] = struct.pack("<I", size)
    return bytes(data)


def _overlapping(members: int) -> bytes:
    """A Word file with many names for the same packed bytes."""
    data = word(more={"word/a.bin": b"x" * 100_000})
    at = data.rindex(b"word/a.bin") - 46
    start = data.index(b"PK\x01\x02")
    entry = data[at : at + 46 + len("word/a.bin")]
    directory = data[start : data.index(b"PK\x05\x06")] + entry * members
    count = directory.count(b"PK\x01\x02")
    end = struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), start, 0)
    return data[:start] + directory + b"PK\x05\x06" + end


def _encrypted() -> bytes:
    data = bytearray(word())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def _symlink() -> bytes:
    stream = io.BytesIO(word())
    with zipfile.ZipFile(stream, "a") as file:
        member = zipfile.ZipInfo("word/media/link.png")
        member.external_attr = 0o120777 << 16
        file.writestr(member, "/etc/passwd")
    return stream.getvalue()


def _many(members: int) -> bytes:
    return archive({"word/document.xml": "<x/>", **{f"{n}.xml": b"" for n in range(members)}})


def _pages(count: int) -> bytes:
    kids = b"3 0 R " * count
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>"
    tree = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (count, kids)
    return pdf([b"<< /Type /Catalog /Pages 2 0 R >>", tree, page])


def _deep_pages(depth: int) -> bytes:
    nodes = [b"<< /Type /Pages /Count 1 /Kids [%d 0 R] >>" % (n + 3) for n in range(depth)]
    page = b"<< /Type /Page /MediaBox [0 0 9 9] >>"
    return pdf([b"<< /Type /Catalog /Pages 2 0 R >>", *nodes, page])


def _page_of(contents: bytes, catalogue: bytes = b"") -> bytes:
    return pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R %s >>" % catalogue,
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            PAGE,
            contents,
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            b"<< /First 6 0 R /Next 6 0 R /Title (loop) /Dest [3 0 R /Fit] >>",
        ]
    )


_TEXT = stream_of(b"BT /F 12 Tf 72 700 Td (Containers since 1979) Tj ET")
_ITSELF = pdf(
    [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Parent 2 0 R /Kids [2 0 R 2 0 R] /Count 2 >>",
    ]
)
_LOCKED = pdf(
    [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>",
        b"<< /Filter /Standard /V 2 /R 3 /Length 128 /P -44 /O <%s> /U <%s> >>"
        % (b"41" * 32, b"42" * 32),
    ],
    trailer=b"/Root 1 0 R /Encrypt 4 0 R /ID [<41> <41>]",
)


def _laughs(encoding: str = "utf-8") -> bytes:
    entities = '<!ENTITY a0 "ha">'
    entities += "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    body = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE x [{entities}]><x>&a11;</x>'
    return word(more={"word/document.xml": body.encode(encoding)})


def _external() -> bytes:
    entity = '<!ENTITY e SYSTEM "file:///etc/passwd"><!ENTITY f SYSTEM "http://127.0.0.1:9/x">'
    return word(f"<!DOCTYPE x [{entity}]><x>&e;&f;</x>")


_SCRIPTED = (
    "<style>密甲{}</style><script>密乙</script><!-- 密丙 --><p>明文</p><template>密丁</template>"
    "<noscript>密戊</noscript><p hidden>密己</p><p style='display:none'>密庚</p>"
    "<![CDATA[<script>密辛</script>]]><svg><script>密壬</script></svg>"
)
_UNCLOSED = "<div><p>明文<b>粗<table><tr><td>格<ul><li>项<a href='"


def _nested_json(depth: int) -> bytes:
    return b'{"text": "x", "a": ' + b"[" * depth + b"]" * depth + b"}\n" + b'{"text": "after"}'


def _long_line(megabytes: int) -> bytes:
    return b'{"text": "' + b"x" * (megabytes * _MEGABYTE) + b'"}\n{"text": "after"}'


def hostile_files(*, full: bool) -> Iterator[Hostile]:
    """Yield all of them, the largest only if `full`."""
    size = 10 if full else 1

    def each(
        case: str, name: str, make: Callable[[], bytes], *may: str, shows: str = ""
    ) -> Hostile:
        return Hostile(case, name, make, frozenset(may), shows)

    yield each("R18", "a member of 10 GB.docx", lambda: _large_member(size), "too_large")
    yield each("R18", "says 4 GB.docx", lambda: _claims(4_000_000_000), "too_large")
    yield each("R18", "says 10 bytes.docx", lambda: _claims(10), "damaged")
    yield each("R18", "members.docx", lambda: _many(10_000 * size + 1), "too_large")
    yield each("R18", "overlap.docx", lambda: _overlapping(50), "damaged")
    yield each("R18", "locked.docx", _encrypted, "locked")
    yield each("R18", "a link in it.docx", _symlink, _READ, shows="一九七九年")
    bomb: dict[str, bytes | str] = {"word/embeddings/a.zip": archive({"b": bytes(20_000_000)})}
    yield each("R18", "zip in zip.docx", lambda: word(more=bomb), _READ, shows="一九七九年")
    yield each("R18", "only a zip.docx", lambda: archive(bomb), "unsupported")

    yield each("R19", "pages.pdf", lambda: _pages(10_000 * size + 20_000), "too_large")
    yield each(
        "R19", "deep.pdf", lambda: _deep_pages(5_000 * size), "damaged", "scanned", "too_large"
    )
    yield each("R19", "itself.pdf", lambda: _ITSELF, "damaged", "scanned")
    flate = b"/Filter /FlateDecode"
    yield each(
        "R19", "4 GB stream.pdf",
        lambda: _page_of(stream_of(zeros(400 * size, raw=False), flate)),
        "too_large", "scanned", "damaged",
    )  # fmt: skip
    yield each(
        "R19", "outline in a circle.pdf", lambda: _page_of(_TEXT, b"/Outlines 6 0 R"),
        _READ, shows="Containers",
    )  # fmt: skip
    broken = _page_of(_TEXT).replace(b"startxref", b"startxxxx").replace(b"xref\n0", b"xrxf\n0")
    yield each("R19", "xref.pdf", lambda: broken, _READ, "damaged")
    yield each("R19", "password.pdf", lambda: _LOCKED, "locked")
    yield each("R19", "picture.pdf", lambda: _page_of(stream_of(b"0 0 9 9 re f")), "scanned")

    deep = 10_000 * size
    yield each("R20", "deep.html", lambda: b"<div>" * deep + "底".encode(), _READ, shows="底")
    attribute = b"<p title='" + b"x" * (_MEGABYTE * size) + "'>文".encode()
    yield each("R20", "attribute.html", lambda: attribute, _READ, "too_large", shows="文")
    yield each("R20", "entities.html", lambda: b"&lt;" * (100_000 * size), _READ, shows="<<<")
    yield each("R20", "laughs.docx", _laughs, "damaged")
    yield each("R20", "laughs in UTF-16.docx", lambda: _laughs("utf-16"), "damaged")
    yield each("R20", "fetches.docx", _external, "damaged")
    hidden = tuple(f"密{mark}" for mark in "甲乙丙丁己庚壬")
    yield Hostile("R20", "script.html", _SCRIPTED.encode, frozenset({_READ}), "明文", hidden)
    yield each("R20", "unclosed.html", _UNCLOSED.encode, _READ, shows="格")

    yield each("R21", "one line.txt", lambda: "字".encode() * (1_700_000 * size), _READ, shows="字")
    yield each("R21", "headings.md", lambda: b"# a\n" * (20_000 * size), _READ, shows="a")
    yield each("R21", "nested.jsonl", lambda: _nested_json(1000 * size), _READ, "too_large")
    yield each("R21", "a long line.jsonl", lambda: _long_line(10 * size + 11), _READ, "too_large")
    for name, data in (("empty", b""), ("spaces", b" \n\t" * 99), ("unseen", b"\xe2\x80\x8b" * 99)):
        yield each("R21", f"{name}.txt", lambda data=data: data, "empty")  # type: ignore[misc]
    many = "\n".join(json.dumps({"text": "甲"}) for _ in range(1000 * size))
    yield each("R21", "many.jsonl", many.encode, _READ, shows="甲")
