import io
import json

import pytest

from corpus.errors import UnreadableSourceError
from corpus.readers import jsonl
from corpus.readers.jsonl import Record, read_jsonl


def read(*lines: bytes) -> list[Record | UnreadableSourceError]:
    return list(read_jsonl(io.BytesIO(b"\n".join(lines)), "a.jsonl"))


def line(**values: object) -> bytes:
    return json.dumps(values, ensure_ascii=False).encode()


def test_every_line_is_a_record_and_other_keys_are_metadata() -> None:
    found = read(
        b"\xef\xbb\xbf"
        + line(id="甲", title="题", text="文一。", year=1979, tags=["a"], gone=None),
        b"",
        line(id=7, text="文二。"),
        line(id="A\u00a0B", text="文。"),
        line(text="文三。"),
    )
    assert found == [
        Record(1, "甲", "题", "文一。", {"year": "1979", "tags": '["a"]'}),
        Record(3, "7", "", "文二。", {}),
        Record(4, "A\u00a0B", "", "文。", {}),
        Record(5, "", "", "文三。", {}),
    ]


@pytest.mark.parametrize("bad", ["", "  ", "a\nb", "x" * 201, None, True, ["a"], {"a": 1}])
def test_an_id_that_cannot_be_used_is_left_out(bad: object) -> None:
    (record,) = read(line(id=bad, text="文。"))
    assert isinstance(record, Record)
    assert record.id == ""


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (b"{", r"line 2: Expecting property name"),
        (b"[1]", "line 2: expected an object, found list"),
        (b'{"text": 1}', "line 2: expected text to be a string, found int"),
        (b'{"title": "x"}', "line 2: expected text to be a string, found nothing"),
        (b'{"text": "a\\ud842b"}', r"line 2: half of a surrogate pair, '\\ud842', at character 1"),
        (b'{"text": "a", "x": "\\udc00"}', "line 2: half of a surrogate pair"),
        (b'{"text": "a", "x": ' + b"[" * 20_000, "line 2 is nested too deeply"),
        ('{"text": "容器"}'.encode()[:-4], "line 2: UTF-8 text that breaks off within"),
        (b'{"text": "\x00"}', "line 2: a binary file: NUL at byte 10"),
    ],
)
def test_a_bad_line_is_named_and_the_next_one_read(bad: bytes, says: str) -> None:
    first, error, last = read(line(text="前"), bad, line(text="后"))
    assert isinstance(first, Record)
    assert isinstance(last, Record)
    assert (first.text, last.text, last.line) == ("前", "后", 3)
    assert isinstance(error, UnreadableSourceError)
    with pytest.raises(UnreadableSourceError, match=says):
        raise error


def test_a_line_that_is_too_long_is_passed_over_without_being_held() -> None:
    long = b'{"text": "' + b"x" * jsonl.MAX_LINE_BYTES + b'"}'
    error, record = read(long, line(text="后"))
    assert isinstance(error, UnreadableSourceError)
    assert (error.trouble, error.reason) == ("too_large", "line 1 has more than 20000000 bytes")
    assert isinstance(record, Record)
    assert (record.text, record.line) == ("后", 2)
