"""Small files of every kind that is read, made here, for a fuzzer to spoil."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence

from corpus.sniff import Kind

TEXT = (
    "第一章 容器技术的历史\n\n　　一九七九年，chroot 出现在 Unix V7 中。“隔离从这里开始，”他说。\n"
    "2013年3月，Docker 0.9 发布（见 https://example.com/a?b=1）。它快吗？快！\n\n"
    "第二章 编排\n\n1. Kubernetes v1.24…\n2. 𠮷野家、cri-o、Kata Containers\n"
)
_MARKDOWN = f"""---
title: 容器：简史
author: [张三, 李四]
date: Tue, 13 Oct 2020 00:00:00 GMT
---
# 容器 {{#top}}

<!-- 注 -->
{TEXT}
- 甲
  - 乙 **粗** `码` [链](https://example.com "题")[^1]

| 系统 | 年 |
| --- | --- |
| chroot | 1979 |

```go
fmt.Println("容器")
```

{{{{< note >}}}}å®¹å™¨{{{{< /note >}}}}

[^1]: 脚注。
"""
_HTML = f"""<!doctype html><meta charset=utf-8><title>容器</title><meta name=author content=张三>
<main><h1>容器</h1><p style="font-weight:bold">粗</p><p hidden>藏</p><script>x</script>
<ol start=3><li>甲<ul><li>乙</ul></ol><table><tr><th rowspan=2>系统<td>年</table>
<pre>a&#0;b&nbsp;&lt;</pre><figure><img alt=图><figcaption>图一</figcaption></figure>
<p>{TEXT}</main>"""
_LINES = [
    {"id": "甲", "title": "题", "text": TEXT, "year": 1979},
    {"text": _HTML, "nested": {"a": [1, None, True]}},
    {"id": 7, "text": "全角Ａ\r\n第二。"},
]
_WORD = (
    '<?xml version="1.0" encoding="UTF-8"?><w:document xmlns:w='
    '"http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>'
    '<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>容器</w:t></w:r></w:p>'
    "<w:p><w:r><w:t>一九七九年，chroot 出现。</w:t></w:r></w:p><w:tbl><w:tr><w:tc><w:p><w:r>"
    "<w:t>系统</w:t></w:r></w:p></w:tc></w:tr></w:tbl></w:body></w:document>"
)
_RELATIONS = (
    '<?xml version="1.0"?><Relationships xmlns='
    '"http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type='
    '"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"'
    ' Target="word/document.xml"/></Relationships>'
)
_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/'
    'content-types"><Default Extension="xml" ContentType="application/xml"/></Types>'
)
_CORE = (
    '<?xml version="1.0"?><c:coreProperties xmlns:c="http://schemas.openxmlformats.org/package/'
    '2006/metadata/core-properties" xmlns:d="http://purl.org/dc/elements/1.1/">'
    "<d:title>报告</d:title><d:creator>王</d:creator></c:coreProperties>"
)


def archive(members: Mapping[str, bytes | str], *, packed: bool = True) -> bytes:
    """Return a ZIP archive of `members`."""
    stream = io.BytesIO()
    how = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(stream, "w", how) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return stream.getvalue()


def word(
    body: str = _WORD, more: Mapping[str, bytes | str] | None = None, *, packed: bool = True
) -> bytes:
    """Return a Word file with this `word/document.xml`, and more members by name."""
    members: dict[str, bytes | str] = {
        "[Content_Types].xml": _TYPES,
        "_rels/.rels": _RELATIONS,
        "docProps/core.xml": _CORE,
        "word/document.xml": body,
    }
    return archive({**members, **(more or {})}, packed=packed)


def pdf(objects: Sequence[bytes], *, trailer: bytes = b"/Root 1 0 R") -> bytes:
    """Return a PDF of `objects`, the first of which is number 1 and the catalogue."""
    data = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    data += b"trailer\n<< /Size %d %s >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        trailer,
        start,
    )
    return bytes(data)


def stream_of(data: bytes, entries: bytes = b"") -> bytes:
    """Return a stream object of a PDF."""
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), entries, data)


PAGE = (
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R"
    b" /Resources << /Font << /F 5 0 R >> >> >>"
)
"""A page of a PDF whose text is object 4 and whose font is object 5."""


def small_pdf() -> bytes:
    """Return a PDF of one page with a line of text and an outline."""
    return pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R /Outlines 6 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            PAGE,
            stream_of(b"BT /F 12 Tf 72 700 Td (Containers since 1979) Tj ET"),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            b"<< /Type /Outlines /First 7 0 R /Last 7 0 R /Count 1 >>",
            b"<< /Title (Containers since 1979) /Parent 6 0 R /Dest [3 0 R /Fit] >>",
            b"<< /Title (Report) /Author (Li) /CreationDate (D:20201013) >>",
        ],
        trailer=b"/Root 1 0 R /Info 8 0 R",
    )


def seeds() -> list[tuple[Kind | None, bytes]]:
    """Return files of every kind, and what they are said to be."""
    lines = "\n".join(json.dumps(line, ensure_ascii=False) for line in _LINES)
    return [
        *(("text", TEXT.encode(name)) for name in ("utf-8", "utf-8-sig", "utf-16", "gb18030")),
        ("text", TEXT.replace("𠮷", "吉").encode("big5hkscs", "ignore")),
        ("markdown", _MARKDOWN.encode()),
        ("html", _HTML.encode()),
        ("html", _HTML.replace("utf-8", "gbk").encode("gb18030")),
        ("jsonl", lines.encode()),
        (None, _MARKDOWN.encode()),
        (None, _HTML.encode()),
        ("docx", word()),
        ("docx", word(packed=False)),
        ("pdf", small_pdf()),
    ]


TOKENS: list[bytes] = [
    *(token.encode() for token in (
        "。", "“", "”", "（", "）", "…", "「", "\u3000", "\u200b", "\u202e", "\ufeff", "\u2028",
        "𠮷", "å®¹", "Â·", "é", "①", "第一章 ", "一、", "1.2.3 ", "- ", "2. ", "| ", "---\n", "# ",
        "###### ", "```\n", "~~~\n", "[^1]", "[^1]: ", "![", "](", "{{<", ">}}", "{{%", "<!--",
        "-->", "{#a}", "\\", "title: ", "&a", "*a", "<div>", "</div>", "<p>", "<b>", "<table>",
        "<tr>", "<td>", "<li>", "<pre>", "<h1>", "<svg>", "<math>", "<template>", "<plaintext>",
        "<script>", "<title>", "<body>", "<br>", "<select>", "&#0;", "&#xd800;", "&#x110000;",
        "&amp;", "rowspan=99999999999", "start=-1", "value=99999999999999999999", "charset=",
        "undefined", "utf-16", "idna", "\\ud800", '{"text": ', '"id": ', "[" * 40, "{" * 40,
        "null", "1e999", "-0", "v1.24", "c++", "a@b.c", "https://", "e.g. ", "0000-13-99",
        "9999年99月99日", "Mon, 99 Foo 0000",
    )),
    b"\x00", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\xf0\x9f", b"\x81\x30\x81\x30", b"\x80",
    b"\r", b"\t", b"PK\x03\x04", b"PK\x01\x02", b"%PDF-", b"/Kids [3 0 R]", b"/Count -1",
    b"/Length 9999999999", b"/Filter /FlateDecode", b" 0 R", b"endobj", b"stream\n",
    b"\xff\xff\xff\xff", b"\x00\x00\x00\x80", b"w:p", b"<w:t>", b"</w:t>", b"w:val=", b"w:tbl",
    b"w:footnote",
]  # fmt: skip
"""What makes a parser turn."""
