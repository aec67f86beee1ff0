import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.api.source import source_page
from corpus.document import Document, Section

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</main></body><iframe src=//evil.example>",
    '"><svg/onload=alert(1)>',
    "&lt;b&gt; &amp; <b>",
    "<!-- ",
    "]]>",
]


class Page(HTMLParser):
    """Collects the tags and what is marked."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.marked = ""
        self.text = ""
        self._in_mark = False
        self._in_main = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._in_mark = self._in_mark or tag == "mark"
        self._in_main = self._in_main or tag == "main"

    def handle_endtag(self, tag: str) -> None:
        self._in_mark = self._in_mark and tag != "mark"
        self._in_main = self._in_main and tag != "main"

    def handle_data(self, data: str) -> None:
        self.marked += data if self._in_mark else ""
        self.text += data if self._in_main else ""


def make(text: str, title: str = "题", source: str = "a.md") -> Document:
    return Document("a", title, text, source)


ALLOWED = {
    "html",
    "head",
    "meta",
    "title",
    "link",
    "body",
    "header",
    "h1",
    "main",
    "p",
    "mark",
    "a",
}


@pytest.mark.parametrize("payload", HOSTILE)
def test_whatever_stands_in_a_document_is_only_shown(payload: str) -> None:
    page = Page(source_page(make(payload, title=payload, source=payload), (0, len(payload))))
    assert page.tags <= ALLOWED
    assert not {name for name in page.attributes if name.startswith("on")}
    assert page.marked == payload.strip()
    around = Page(source_page(make(f"{payload}猫{payload}"), (len(payload), len(payload) + 1)))
    assert around.tags <= ALLOWED
    assert around.marked == "猫"


@pytest.mark.parametrize("source", ["javascript:alert(1)", "data:text/html,x", "file:///etc", "x"])
def test_only_an_address_on_the_web_is_linked(source: str) -> None:
    assert "<a " not in source_page(make("猫。", source=source))
    page = source_page(make("猫。", source='https://a.example/?a=1&b="2"'))
    assert 'href="https://a.example/?a=1&amp;b=&quot;2&quot;"' in page


@given(st.text(min_size=1, max_size=60), st.integers(0, 70), st.integers(0, 70))
def test_exactly_the_cited_characters_are_marked(text: str, start: int, end: int) -> None:
    text = text.replace("\r", "\n").encode("utf-8", "ignore").decode()
    if not text.strip():
        return
    page = Page(source_page(make(text), (start, end)))
    cited = "".join(text[start:end].split())
    assert "".join(page.marked.split()) == cited
    assert "".join(page.text.split()) == "".join(text.split())


def test_headings_are_headings_and_the_first_cited_line_has_the_anchor() -> None:
    text = "容器\n隔离进程。\n编排\n管理容器。"
    sections = (Section("容器", 1, 0, len(text)), Section("编排", 2, 9, len(text)))
    page = source_page(Document("a", "题", text, "a.md", {}, sections), (3, 11))
    assert "<h2>容器</h2>" in page
    assert '<p id="cited"><mark>隔离进程。</mark></p>' in page
    assert "<h3><mark>编排</mark></h3>" in page
    assert len(re.findall('id="cited"', page)) == 1


def test_a_title_that_opens_the_text_is_not_shown_twice() -> None:
    sections = (Section("题", 1, 0, 4),)
    page = source_page(Document("a", "题", "题\n猫。", "a.md", {}, sections))
    assert "<h1>题</h1><p>猫。</p>" in page
    assert page.count("<h1>") == 1


def test_a_page_without_a_citation_marks_nothing() -> None:
    assert "<mark>" not in source_page(make("猫。"))
    assert "<mark>" not in source_page(make("猫。"), (2, 1))


def test_a_changed_document_says_so() -> None:
    assert "有改动" in source_page(make("猫。"), changed=True)
    assert "有改动" not in source_page(make("猫。"))
