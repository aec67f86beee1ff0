import io
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpus.document import Document
from corpus.errors import UnreadableSourceError
from corpus.read import read, read_bytes, read_stdin, safe_name
from corpus.readers.sandbox import Sandbox

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One child for all tests: starting it takes a fifth of a second."""
    with Sandbox() as made:
        yield made


def document(found: Iterator[Document | UnreadableSourceError]) -> Document:
    (only,) = found
    assert isinstance(only, Document), only
    return only


def error(found: Iterator[Document | UnreadableSourceError]) -> UnreadableSourceError:
    (only,) = found
    assert isinstance(only, UnreadableSourceError), only
    return only


def test_a_file_becomes_a_document_with_a_name_and_an_id_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "docs" / "容器 简史.md"
    path.parent.mkdir()
    path.write_text("# 题\n\n正文。\n", encoding="utf-8")
    found = document(read(path, base=tmp_path))
    assert (found.title, found.text, found.source) == ("题", "题\n\n正文。", "docs/容器 简史.md")
    assert found.id == "容器-简史-8bbfb8d4"  # printf 'docs/容器 简史.md' | sha256sum
    assert document(read(path)).source == path.as_posix()
    assert document(read(str(path), base=tmp_path / "docs")).source == "容器 简史.md"


@pytest.mark.parametrize(
    ("name", "text", "read_as"),
    [
        ("a.txt", "# 一\n第二行", "# 一\n\n第二行"),
        ("a.md", "# 一\n第二行", "一\n\n第二行"),
        ("a.HTML", "<p>一<p>二", "一\n\n二"),
        ("a.txt", "<div><p>一</p> <p>二</p></div>\n", "一\n\n二"),
        ("a.txt", "题\n<p>一</p><p>二</p><p>三</p>", "题\n\n一\n\n二\n\n三"),
        ("a.md", "<div align=center><p>标</p></div>\n\n## 题\n\n文", "标\n\n题\n\n文"),
        ("a.md", "<div>标</div>\n\n## 题\n\n<p>尾</p>", "标\n\n题\n\n尾"),
        ("a.md", "<div>\n\n    <p>一</p>\n</div>", "一"),
        ("a.txt", "写 <p> 与 </p> 的教程", "写 <p> 与 </p> 的教程"),
        ("a.txt", "## 一\n文\n\n## 二\n文\n", "一\n\n文\n\n二\n\n文"),
        ("a", "<html><body><h1>题</h1>", "题"),
        ("a.txt", "---\ntitle: 题\nauthor: 张三\n---\n文", "题\n\n作者：张三\n\n文"),
        ("a.txt", "甲\r\n乙\r丙", "甲\n\n乙\n\n丙"),
        ("a.txt", "概念å¼€始", "概念开始"),
        ("a.md", "å¢žåŠ\u00a0\n\nå¢žåŠ\u00a0", "增加\n\n增加"),
        ("a.html", "<p>概念&aring;&frac14;&euro;始", "概念开始"),
    ],
)
def test_content_says_what_the_name_leaves_open(
    name: str, text: str, read_as: str, sandbox: Sandbox
) -> None:
    assert document(read_bytes(text.encode(), name, sandbox=sandbox)).text == read_as


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030", "gbk"])
def test_the_encoding_of_a_file_makes_no_difference_to_its_text(
    encoding: str, sandbox: Sandbox
) -> None:
    text = "容器技术的历史，从隔离开始。\n\n然后有了镜像与编排。"
    found = document(read_bytes(text.encode(encoding), "a.txt", sandbox=sandbox))
    assert found.text == text
    assert found.metadata.get("encoding") == {"utf-16": "utf-16-le", "gbk": "gb18030"}.get(
        encoding, encoding if encoding == "gb18030" else None
    )


def test_a_page_is_read_in_the_charset_that_it_declares(sandbox: Sandbox) -> None:
    page = "<meta charset=big5><p>一乙</p>".encode("big5")
    assert document(read_bytes(page, "a.html", sandbox=sandbox)).text == "一乙"
    assert (
        document(
            read_bytes("<p>一乙</p>".encode("big5"), "a.html", encoding="big5", sandbox=sandbox)
        ).text
        == "一乙"
    )


@pytest.mark.parametrize(
    ("name", "data", "trouble", "says"),
    [
        ("empty.txt", b"", "empty", "no text in it"),
        ("blank.md", b" \n\xe3\x80\x80\n", "empty", "no text in it"),
        ("zero.txt", "\u200b".encode() * 9, "empty", "no text in it"),
        ("tags.html", b"<div><br></div>", "empty", "no text in it"),
        ("noise.txt", bytes(range(256)) * 9, "binary", "NUL at byte 0"),
        ("photo.txt", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "binary", "a PNG image"),
        ("photo.md", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "binary", "a JPEG image"),
        ("page.html", b"%PDF-1.7\n%\xe2\xe3", "binary", "a PDF"),
        ("half.txt", "容器技术".encode()[:-1], "encoding", "within a character at byte 9"),
        ("sheet.xlsx", b"PK\x03\x04", "unsupported", r"\.xlsx files are not read"),
        ("broken.docx", b"PK\x03\x04broken", "damaged", "not a whole Word file"),
        ("broken.pdf", b"%PDF-1.7\n", "damaged", "not a whole PDF"),
        ("big.md", "字".encode() * 5_000_001, "too_large", "5000001 characters of markup"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_reason(
    name: str, data: bytes, trouble: str, says: str, sandbox: Sandbox
) -> None:
    found = error(read_bytes(data, name, sandbox=sandbox))
    assert (found.source, found.trouble) == (name, trouble)
    with pytest.raises(UnreadableSourceError, match=says):
        raise found


def test_a_folder_is_read_in_order_and_what_fails_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("乙", encoding="utf-8")
    (tmp_path / "a.txt").write_bytes(b"")
    (tmp_path / "c.html").write_text("<div>" * 100_000 + "丙", encoding="utf-8")
    (tmp_path / ".hidden.txt").write_text("藏", encoding="utf-8")
    (tmp_path / "z.xlsx").write_bytes(b"x")
    (tmp_path / "README").write_bytes(b"x")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "d.md").write_text("丁", encoding="utf-8")
    found = [(f.source, getattr(f, "text", None)) for f in read(tmp_path, base=tmp_path)]
    assert found == [
        ("README", None),
        ("a.txt", None),
        ("b.txt", "乙"),
        ("c.html", "丙"),
        ("z.xlsx", None),
        ("sub/d.md", "丁"),
    ]
    matched = [f.source for f in read(f"{tmp_path}/**/*.[hmt]*", base=tmp_path)]
    assert matched == ["a.txt", "b.txt", "c.html", "sub/d.md"]


def test_links_are_not_followed_out_of_a_folder_and_pipes_not_opened(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("外", encoding="utf-8")
    home = tmp_path / "home"
    home.mkdir()
    (home / "a.txt").write_text("甲", encoding="utf-8")
    (home / "inside.txt").symlink_to("a.txt")
    (home / "out.txt").symlink_to(tmp_path / "secret.txt")
    (home / "dead.txt").symlink_to("nowhere")
    (home / "loop").symlink_to(home)
    os.mkfifo(home / "pipe.txt")
    found = [(f.source, getattr(f, "trouble", "")) for f in read(home, base=home)]
    assert found == [
        ("a.txt", ""),
        ("dead.txt", "missing"),
        ("out.txt", "outside"),
        ("pipe.txt", "unsupported"),
    ]
    assert error(read(home / "pipe.txt")).reason == "no regular file"
    assert document(read(home / "out.txt")).text == "外"  # named by hand, so meant


@pytest.mark.parametrize(
    ("target", "trouble"),
    [("nowhere.txt", "missing"), ("no/*.md", "missing"), ("", "empty"), ("a\0b", "missing")],
)
def test_a_target_that_means_nothing_is_an_error(tmp_path: Path, target: str, trouble: str) -> None:
    where = f"{tmp_path}/{target}"
    assert error(read(where)).trouble == trouble


def test_a_folder_without_permission_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    for name in ("open", "shut"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("甲", encoding="utf-8")
    (tmp_path / "b.txt").write_text("乙", encoding="utf-8")
    (tmp_path / "b.txt").chmod(0)
    (tmp_path / "shut").chmod(0)
    script = """
        import os, sys
        from pathlib import Path
        from corpus.read import read, read_bytes
        from corpus.readers.sandbox import Sandbox
        sandbox = Sandbox()
        list(read_bytes(b"x", "x.txt", sandbox=sandbox))  # nobody may not run this Python
        base = Path(sys.argv[1])
        os.chdir(base)
        if os.getuid() == 0:  # root reads everything: become nobody
            for path in (base, base / "open", base / "open" / "a.txt"):
                os.chown(path, 65534, 65534)
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        for target in (".", "shut/a.txt"):
            for found in read(target, base=base, sandbox=sandbox):
                print(found.source, getattr(found, "trouble", "read"))
        sys.stdout.flush()
        os._exit(0)  # nobody may not end the child either, but it ends with us
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    (tmp_path / "shut").chmod(0o700)
    assert run.stdout.splitlines() == [
        "b.txt permission",
        "open/a.txt read",
        "shut permission",
        "shut/a.txt permission",
    ]


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "line.txt"
    with path.open("wb") as file:
        file.truncate(200_000_000)  # one line of 200 MB, and no byte of it on the disk
    start = time.perf_counter()
    found = error(read(path))
    assert (found.trouble, found.reason) == ("too_large", "more than 100000000 bytes; split it")
    assert time.perf_counter() - start < 1
    path.write_text("容器", encoding="utf-8")
    assert error(read(path, max_bytes=5)).trouble == "too_large"
    assert document(read(path, max_bytes=6)).text == "容器"


def test_a_stream_says_by_its_content_what_it_is() -> None:
    def stdin(data: bytes) -> list[str]:
        return [getattr(found, "text", "") for found in read_stdin(io.BytesIO(data))]

    assert stdin("一行。\n二行。".encode()) == ["一行。\n\n二行。"]
    assert stdin("# 题\n\n## 一\n\n## 二\n".encode()) == ["题\n\n一\n\n二"]
    assert stdin("<!doctype html><p>一".encode()) == ["一"]
    assert stdin('{"text": "一"}\n{"text": "二"}\n'.encode()) == ["一", "二"]
    assert error(read_stdin(io.BytesIO(b"%PDF-1.4"))).reason.startswith("not a whole PDF")
    assert error(read_stdin(io.BytesIO(b"PK\x03\x04"))).reason.startswith("not a whole Word file")
    assert error(read_stdin(io.BytesIO(b"x" * 9), max_bytes=8)).trouble == "too_large"


def test_a_line_of_json_is_a_document(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(
        '{"id": "甲 1", "title": "题", "text": "第一。\\r\\n第二。", "year": 1979}\n'
        '{"text": "<p>一</p><p>二</p><p>三</p>"}\n'
        '{"id": "甲 1", "text": "又"}\n'
        '{"text": " \\u200b"}\n'
        '{"id": 7, "text": "全角Ａ 不变"}',
        encoding="utf-8",
    )
    first, second, twice, blank, last = read(path, base=tmp_path)
    assert isinstance(first, Document)
    assert (first.id, first.title, first.text) == ("甲 1", "题", "第一。\n\n第二。")
    assert (first.source, first.metadata) == ("set.jsonl#甲 1", {"year": "1979"})
    assert isinstance(second, Document)
    assert (second.title, second.source) == ("set", "set.jsonl#2")
    assert second.text == "一\n\n二\n\n三"
    assert second.id.startswith("set-")
    assert isinstance(twice, UnreadableSourceError)
    assert twice.reason == "line 3: id '甲 1' was taken by line 1"
    assert isinstance(blank, UnreadableSourceError)
    assert (blank.reason, blank.trouble) == ("line 4: no text in it", "empty")
    assert isinstance(last, Document)
    assert (last.id, last.text) == ("7", "全角Ａ 不变")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("..\\..\\a.md", "a.md"),
        ("C:\\x\\容器.txt", "容器.txt"),
        ("/abs/a.txt", "a.txt"),
        ("%2e%2e/a.txt", "a.txt"),
        ("a\0\n\u202eb.txt", "ab.txt"),
        ("..", "upload"),
        ("", "upload"),
        ("容" * 300 + ".txt", "容" * 120 + ".txt"),
        ("a\ud842.txt", "a.txt"),
    ],
)
def test_a_name_from_outside_is_reduced_to_a_plain_one(
    name: str, safe: str, sandbox: Sandbox
) -> None:
    assert safe_name(name) == safe
    assert document(read_bytes("文".encode(), name, sandbox=sandbox)).source == safe


def test_ids_do_not_depend_on_how_a_system_spells_a_name(sandbox: Sandbox) -> None:
    composed, decomposed = "caf\u00e9.txt", "cafe\u0301.txt"
    first, second = (
        document(read_bytes(b"x", name, sandbox=sandbox)) for name in (composed, decomposed)
    )
    assert first.id == second.id
