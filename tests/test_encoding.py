import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.document import Document
from corpus.documents import documents_of
from corpus.encoding import _plausibility, declared_charset, decode
from corpus.errors import UnreadableSourceError
from corpus.origin import Origin
from corpus.sentences import sentences
from corpus.sniff import Kind
from eval.bench.encodings import figures, samples

SIMPLIFIED = "我们用容器把应用和它的依赖打包在一起，在任何一台机器上运行。"
TRADITIONAL = "我們用容器把應用和它的依賴打包在一起，在任何一臺機器上執行。"


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16-le"),
        ("utf-32", "utf-32-le"),
        ("gb18030", "gb18030"),
        ("gbk", "gb18030"),
        ("gb2312", "gb18030"),
    ],
)
def test_the_same_text_comes_out_of_every_encoding(encoding: str, named: str) -> None:
    decoded = decode(SIMPLIFIED.encode(encoding))
    assert (decoded.text, decoded.encoding, decoded.rival) == (SIMPLIFIED, named, None)


@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-32-be"])
def test_big_endian_text_is_known_by_its_mark(encoding: str) -> None:
    mark = "\ufeff".encode(encoding)
    decoded = decode(mark + SIMPLIFIED.encode(encoding))
    assert (decoded.text, decoded.encoding) == (SIMPLIFIED, encoding)


@pytest.mark.parametrize("encoding", ["big5", "big5hkscs"])
def test_traditional_text_in_big5_is_not_taken_for_gb18030(encoding: str) -> None:
    data = TRADITIONAL.encode(encoding)
    assert data.decode("gb18030") != TRADITIONAL  # valid there too, and wrong
    assert decode(data).text == TRADITIONAL


def test_traditional_text_in_gb18030_is_not_taken_for_big5() -> None:
    assert decode(TRADITIONAL.encode("gb18030")).text == TRADITIONAL


def test_four_byte_characters_of_gb18030_and_hong_kong_characters_of_big5_are_read() -> None:
    rare = "我们在𠮷野家吃饭，聊容器技术的历史。"
    assert decode(rare.encode("gb18030")).text == rare
    local = "佢哋喺度傾偈，講容器技術嘅歷史，好嘢嚟㗎。"
    assert decode(local.encode("big5hkscs")).text == local


def test_a_reading_is_the_better_the_more_of_it_is_everyday_chinese() -> None:
    assert _plausibility("容器，") == (1 + 1 + 1.5) / 3
    assert _plausibility("abc") == 0
    assert _plausibility("Docker容器") == 1
    assert _plausibility("容\ue000") == (1 - 2) / 2  # private use: a character of no script
    assert _plausibility("容𠮷") == (1 - 2) / 2
    assert _plausibility("容龘") == 1 / 2  # a character that few have seen


def test_what_the_page_declares_wins_where_both_would_do() -> None:
    data = "一乙".encode("big5")
    assert decode(data, declared="big5").encoding == "big5hkscs"
    assert decode(data, declared="gb2312").encoding == "gb18030"


@pytest.mark.parametrize("declared", ["gbk", "GB2312", "big5", "utf-16", "no-such-name", "base64"])
def test_a_wrong_declaration_does_not_spoil_utf8(declared: str) -> None:
    assert decode(SIMPLIFIED.encode(), declared=declared).text == SIMPLIFIED


def test_a_declaration_that_does_not_decode_is_passed_over() -> None:
    assert decode(SIMPLIFIED.encode("gb18030"), declared="utf-8").text == SIMPLIFIED


@pytest.mark.parametrize(
    ("head", "charset"),
    [
        (b'<meta charset="gbk">', "gbk"),
        (b"<META http-equiv=Content-Type content='text/html; charset=Big5'>", "Big5"),
        (b'<?xml version="1.0" encoding="GB18030"?>', "GB18030"),
        (b"<p>charset=gbk</p>", None),
        (b" " * 5000 + b'<meta charset="gbk">', None),
    ],
)
def test_the_charset_is_read_where_a_page_declares_it(head: bytes, charset: str | None) -> None:
    assert declared_charset(head) == charset


def test_two_readings_that_are_nearly_as_good_are_both_named() -> None:
    decoded = decode("编辑".encode("gb18030"))  # both bytes pairs are everyday characters of Big5
    assert (decoded.text, decoded.encoding, decoded.rival) == ("编辑", "gb18030", "big5hkscs")


@pytest.mark.parametrize(
    ("data", "trouble", "says"),
    [
        ("容器技术".encode()[:-1], "encoding", "breaks off within a character at byte 9"),
        ("容器".encode()[:4], "encoding", "breaks off within a character at byte 3"),
        (b"\xe5\xae", "encoding", "invalid at byte 0"),
        (SIMPLIFIED.encode() + b"\xff" + SIMPLIFIED.encode(), "encoding", "invalid byte at 90"),
        (b"\xff\xfe\x00\xd8", "encoding", "mark says utf-16-le, but byte 2 is invalid"),
        (b"\xef\xbb\xbf\xff", "encoding", "mark says utf-8, but byte 3 is invalid"),
        (b"caf\xe9 au lait", "encoding", "invalid at byte 3"),
        ("容器".encode() + b"\x00" + "技术".encode(), "binary", "NUL at byte 6"),
        (SIMPLIFIED.encode("utf-16-le"), "binary", "UTF-16"),
        (b"\x01\x02\x03abcdefg", "binary", "control characters from byte 0 on"),
        (b"\x89PNG\r\n\x1a\n", "binary", "a PNG image"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "binary", "a JPEG image"),
        (b"PK\x03\x04\x14\x00\x00", "binary", "a ZIP archive"),
        (b"%PDF-1.7\n", "binary", "a PDF"),
        (b"GIF89a\x01\x00", "binary", "a GIF image"),
    ],
)
def test_what_is_no_text_is_refused_with_its_reason(data: bytes, trouble: str, says: str) -> None:
    with pytest.raises(UnreadableSourceError, match=says) as caught:
        decode(data, source="a.txt")
    assert (caught.value.source, caught.value.trouble) == ("a.txt", trouble)


def test_a_word_that_begins_like_a_picture_is_text() -> None:
    assert decode(b"BMW and GIF89 are words").encoding == "utf-8"


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200))
def test_bytes_are_decoded_strictly_or_refused(data: bytes) -> None:
    try:
        decoded = decode(data)
    except UnreadableSourceError:
        return
    marks = {"utf-8": 3, "utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}
    plain = decoded.text.encode(decoded.encoding)
    skipped = data[: len(data) - len(plain)]
    assert data.endswith(plain) or decoded.encoding in {"gb18030", "big5hkscs"}
    assert len(skipped) in {0, marks.get(decoded.encoding, 0)}


def test_snippets_of_real_text_are_told_apart() -> None:
    (figure,) = figures(full=False, seed=63)
    assert figure.held, figure


@pytest.fixture(scope="module")
def real_sentences() -> tuple[list[str], list[str]]:
    """300 of the bundled texts, and the same in traditional characters."""
    simplified, traditional = (samples()[name] for name in ("bundled", "bundled, traditional"))
    chosen = [
        (line[span.start : span.end], same[span.start : span.end])
        for line, same in zip(simplified, traditional, strict=True)
        if len(line) == len(same)
        for span in sentences(line)
        if re.search("[\u4e00-\u9fff]{4,}.*[\u4e00-\u9fff]{4,}", line[span.start : span.end])
    ][:300]
    assert len(chosen) == 300
    return [pair[0] for pair in chosen], [pair[1] for pair in chosen]


def read_as(data: bytes, name: str = "text") -> str | Document | UnreadableSourceError:
    (found,) = documents_of(io.BytesIO(data), Origin("a.txt", "text"))
    return found.text if isinstance(found, Document) and name == "text" else found


def test_three_hundred_sentences_read_the_same_in_every_encoding(
    real_sentences: tuple[list[str], list[str]],
) -> None:
    simplified, traditional = real_sentences
    for texts, encodings in (
        (simplified, ("utf-8", "utf-8-sig", "utf-16", "utf-32", "gbk", "gb18030")),
        (traditional, ("utf-8", "utf-16", "gb18030", "big5", "big5hkscs")),
    ):
        for text in texts:
            expected = read_as(text.encode())
            for encoding in encodings:
                try:
                    data = text.encode(encoding)
                except UnicodeEncodeError:  # not every character is in GBK, or in Big5
                    continue
                assert read_as(data) == expected, (encoding, text)
            for mark, encoding in (("\ufeff", "utf-16-be"), ("\ufeff", "utf-16-le")):
                assert read_as((mark + text).encode(encoding)) == expected


def test_a_sentence_that_breaks_off_within_a_character_is_named_not_mended(
    real_sentences: tuple[list[str], list[str]],
) -> None:
    simplified, _ = real_sentences
    for text in simplified[:100]:
        cut = text.rstrip(
            "。！？”」）*|`-. abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        )
        found = read_as(cut.encode()[:-1], "any")
        assert isinstance(found, UnreadableSourceError), cut
        assert found.trouble == "encoding"
        assert "breaks off within a character" in found.reason


def test_mojibake_within_a_healthy_sentence_is_repaired_and_no_character_replaced(
    real_sentences: tuple[list[str], list[str]],
) -> None:
    simplified, _ = real_sentences
    for text in simplified[:100]:
        run = next(re.finditer("[\u4e00-\u9fff]{4,}", text))
        broken = run[0].encode().decode("latin-1")
        mixed = text[: run.start()] + broken + text[run.end() :]
        found = read_as(mixed.encode())
        assert found == read_as(text.encode())
        assert "\ufffd" not in str(found)


@pytest.mark.parametrize(
    ("data", "served", "encoding"),
    [
        (SIMPLIFIED.encode("gb18030"), "gb2312", "gb18030"),
        (TRADITIONAL.encode("big5"), "Big5", "big5hkscs"),
        (SIMPLIFIED.encode(), "gbk", "utf-8"),
        (SIMPLIFIED.encode("gb18030"), "iso-8859-1", "gb18030"),
        (SIMPLIFIED.encode("gb18030"), "utf-8", "gb18030"),
        ("caf\xe9 au lait".encode("latin-1"), "iso-8859-1", "iso8859-1"),
        ("привет, мир".encode("koi8-r"), "koi8-r", "koi8-r"),
        ("\ufeff一".encode("utf-16-le"), "gbk", "utf-16-le"),
    ],
)
def test_what_a_server_says_is_believed_last(data: bytes, served: str, encoding: str) -> None:
    assert decode(data, served=served).encoding == encoding


@pytest.mark.parametrize(
    "declared", ["undefined", "idna", "punycode", "unicode_escape", "raw_unicode_escape", "utf-7"]
)
def test_what_python_alone_calls_an_encoding_is_none(declared: str) -> None:
    data = b"\\ud800 +AGE- xn--a \\x41"
    for found in (decode(data, declared=declared), decode(data, served=declared)):
        assert (found.encoding, found.text.encode()) == ("utf-8", data)


def test_a_page_says_better_than_its_server_what_it_is_written_in() -> None:
    page = "<meta charset=big5><p>一乙</p>".encode("big5")
    (found,) = documents_of(io.BytesIO(page), Origin("a", "html", charset="gbk"))
    assert isinstance(found, Document)
    assert (found.text, found.metadata["encoding"]) == ("一乙", "big5hkscs")


@settings(max_examples=1000, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([None, "text", "markdown", "html", "jsonl"]))
def test_any_bytes_are_documents_or_errors(data: bytes, kind: Kind | None) -> None:
    for found in documents_of(io.BytesIO(data), Origin("a", kind)):
        assert isinstance(found, Document | UnreadableSourceError)
