from bot.intake import take_in, take_text
from corpus.document import Document


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
    assert taken("", "甲/丙") != taken("", "乙/丙")
