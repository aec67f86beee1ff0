import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.intake import safe_name, take_in, take_text
from corpus.document import Document


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("猫.md", "猫.md"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\猫.docx", "猫.docx"),
        ("a\x00b\u202ec.txt", "abc.txt"),
        ("", "document"),
        ("..", "document"),
        ("   .md", "md"),
        ("https://cats.example/a/b.html", "b.html"),
        ("文" * 300 + ".md", "文" * 120 + ".md"),
    ],
)
def test_of_a_name_only_the_last_part_is_kept(given_name: str, kept: str) -> None:
    assert safe_name(given_name) == kept


@given(st.text(max_size=400))
def test_a_name_is_safe_whatever_it_was(name: str) -> None:
    safe = safe_name(name)
    assert 1 <= len(safe) <= 131
    assert not set(safe) & set("/\\\0\n")
    assert safe.strip(".") == safe
    assert safe_name(safe) == safe


def test_files_are_read_one_by_one_and_the_bad_ones_named() -> None:
    found = take_in([("猫.md", "猫。".encode()), ("空.md", b""), ("狗.txt", "狗。".encode())])
    assert [document.text.strip() for document in found.documents] == ["猫。", "狗。"]
    assert [(error.source, error.trouble) for error in found.unreadable] == [("空.md", "empty")]


def test_a_text_has_the_title_and_source_it_was_given() -> None:
    (found,) = take_text("阿黑", "# 别的标题\n\n阿黑在车库里。", "https://cats.example/1").documents
    assert isinstance(found, Document)
    assert (found.title, found.source) == ("阿黑", "https://cats.example/1")
    assert "阿黑在车库里。" in found.text


def test_texts_of_two_addresses_are_two_documents_and_of_one_address_the_same() -> None:
    def taken(source: str, title: str = "题") -> str:
        (found,) = take_text(title, "猫。", source).documents
        return found.id

    assert taken("https://a.example/index.html") != taken("https://b.example/index.html")
    assert taken("https://a.example/1", "甲") == taken("https://a.example/1", "乙")
    assert taken("", "甲") != taken("", "乙")
