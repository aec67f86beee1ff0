import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from bot.api.source import Link, source_page
from bot.testing import CAT_TEXT, problem_in
from corpus.document import Document, Section
from index.documents import DocumentInfo

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


def shown(document: Document, *span: int, cites: str = "", changed: bool = False) -> str:
    info = DocumentInfo("a", document.title, "", len(document.text), 1, "2026-11-24T09:30:00Z", "d")
    start, end = span or (None, None)
    link = None if changed else Link(start=start, end=end, cites=cites, v="d")
    return source_page(document, info, link)


FRAME = {
    "html", "head", "meta", "title", "link", "script", "body", "header", "a", "div", "main",
    "article", "h1", "p", "span", "time",
}  # fmt: skip
OURS = FRAME | {"mark", "nav", "pre", "ul", "li"}


@pytest.mark.parametrize("payload", HOSTILE)
def test_whatever_stands_in_a_document_is_only_shown(payload: str) -> None:
    page = Page(shown(make(payload, title=payload, source=payload), 0, len(payload)))
    assert page.tags <= OURS
    assert not {name for name in page.attributes if name.startswith("on")}
    assert page.marked == payload.strip()
    around = Page(shown(make(f"{payload}猫{payload}"), len(payload), len(payload) + 1))
    assert around.tags <= OURS
    assert around.marked == "猫"


def test_the_only_script_is_our_own_and_the_policy_allows_no_other(client: TestClient) -> None:
    response = client.get("/documents/手册/猫")
    (script,) = re.findall("<script[^>]*>", response.text)
    assert re.fullmatch('<script src="/assets/[0-9a-f]{12}/theme.js">', script)
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'; " in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("source", ["javascript:alert(1)", "data:text/html,x", "file:///etc", "x"])
def test_only_an_address_on_the_web_is_linked(source: str) -> None:
    assert "原文 " not in shown(make("猫。", source=source))
    page = shown(make("猫。", source='https://a.example/?a=1&b="2"'))
    assert 'href="https://a.example/?a=1&amp;b=&quot;2&quot;" rel="noopener ' in page
    assert ">原文 a.example</a>" in page


@given(st.text(min_size=1, max_size=60), st.integers(0, 70), st.integers(0, 70))
def test_exactly_the_cited_characters_are_marked(text: str, start: int, end: int) -> None:
    text = text.replace("\r", "\n").encode("utf-8", "ignore").decode()
    if not text.strip():
        return
    page = Page(shown(make(text), start, end))
    cited = "".join(text[start:end].split())
    assert "".join(page.marked.split()) == cited
    assert "".join(page.text.split()).endswith("".join(text.split()))


def test_a_title_that_opens_the_text_is_not_shown_twice() -> None:
    sections = (Section("题", 1, 0, 4),)
    page = shown(Document("a", "题", "题\n猫。", "a.md", {}, sections))
    assert page.count("<h1") == 1
    assert '<h1 id="s0">题</h1>\n<p>猫。</p>' in page
    assert shown(make("题目\n\n猫。")).count("<h1") == 1
    assert "<h1>题</h1><p>题目</p>" in shown(make("题目\n\n猫。"))


def test_a_page_without_a_citation_marks_nothing() -> None:
    for page in (shown(make("猫。")), shown(make("猫。"), 2, 1), shown(make("猫。"), 1, 1)):
        assert "<mark" not in page
        assert 'aria-label="引文"' not in page


def test_a_changed_document_says_so_and_marks_nothing(client: TestClient) -> None:
    assert "有改动" in shown(make("猫。"), changed=True)
    assert "有改动" not in shown(make("猫。"))
    url = client.get("/api/documents").json()["documents"][0]["view_url"]
    span = {"start": 7, "end": 9}
    version = url.rpartition("v=")[2]
    assert (
        Page(client.get("/documents/手册/猫", params={**span, "v": version}).text).marked == "阿花"
    )
    changed = client.get("/documents/手册/猫", params={**span, "v": "0123456789ab"}).text
    assert "有改动" in changed
    assert "<mark" not in changed


def test_one_citation_offers_the_way_back_to_it() -> None:
    page = shown(make("猫在屋顶。"), 0, 1)
    assert '<a class="button" href="#cited">回到引文</a>' in page
    assert "上一处" not in page


def test_citations_of_one_answer_lead_to_each_other_in_order() -> None:
    page = shown(make("猫在屋顶，狗在院子，鱼在水里。"), 5, 6, cites="10-11,0-1")
    assert "引文 2 / 3" in page
    link = "?start={}&amp;end={}&amp;cites=0-1,5-6,10-11&amp;v=d#cited"
    assert f'rel="prev" href="{link.format(0, 1)}">上一处<' in page
    assert f'rel="next" href="{link.format(10, 11)}">下一处<' in page
    assert page.count('<mark class="other">') == 2
    assert '<mark id="cited" tabindex="-1" autofocus>狗</mark>' in page


def test_before_the_first_and_after_the_last_citation_there_is_none() -> None:
    first = shown(make("猫在屋顶，狗在院子。"), 0, 1, cites="0-1,5-6")
    assert 'aria-disabled="true">上一处<' in first
    assert 'rel="next"' in first
    last = shown(make("猫在屋顶，狗在院子。"), 5, 6, cites="0-1,5-6")
    assert 'aria-disabled="true">下一处<' in last
    assert "start=0&amp;end=1&amp;" in last


def test_the_way_to_other_citations_stays_in_the_collection(client: TestClient) -> None:
    client.post("/api/documents?collection=b", json={"title": "狗", "text": "狗在院子。猫呢？"})
    (listed,) = client.get("/api/documents?collection=b").json()["documents"]
    page = client.get(f"{listed['view_url']}&start=3&end=8&cites=8-11").text
    assert "cites=3-8,8-11&amp;v=" in page
    assert "&amp;collection=b#cited" in page


@pytest.mark.parametrize("cites", ["x", "1-", "1-2,", "-1-2", "1-2;3-4", "0-1," * 50 + "0-1"])
def test_citations_written_wrongly_are_refused(client: TestClient, cites: str) -> None:
    problem_in(client.get("/documents/手册/猫", params={"cites": cites}), 422, "invalid_request")


def test_citations_that_say_nothing_or_overlap_do_no_harm(client: TestClient) -> None:
    link = "/documents/手册/猫?start=7&end=12&cites=5-5,9-3,9-15,999-1000,7-12"
    html = client.get(link).text
    assert "引文 1 / 3" in html  # those that say something
    assert Page(html).marked == CAT_TEXT[7:15]


def test_a_document_that_is_gone_is_told_to_a_person_by_a_page(client: TestClient) -> None:
    problem_in(client.get("/documents/<b>x"), 404, "document_not_found")
    response = client.get("/documents/<b>x", headers={"accept": "text/html,*/*"})
    assert response.status_code == 404
    assert "没有文档 &lt;b&gt;x，可能已删除。" in response.text
    elsewhere = client.get("/documents/x?collection=none", headers={"accept": "text/html"})
    assert elsewhere.status_code == 404
    assert "没有文档集 none" in elsewhere.text


def long_document(levels: list[int]) -> Document:
    lines = [f"节{number:04}" for number, _ in enumerate(levels)]
    sections = tuple(
        Section(line, level, 6 * number, 6 * number + 6)
        for number, (line, level) in enumerate(zip(lines, levels, strict=True))
    )
    return Document("a", "题", "\n".join(lines), "a.md", {}, sections)


def test_a_document_with_some_headings_has_an_outline() -> None:
    page = shown(long_document([1, 2, 2]))
    assert '<nav class="outline" aria-label="目录">' in page
    assert '<li class="d2"><a href="#s0">节0000</a></li>' in page
    assert '<li class="d3"><a href="#s6">节0001</a></li>' in page
    assert "outline" not in shown(long_document([1, 2]))


def test_an_outline_leaves_out_the_depths_that_would_be_too_many() -> None:
    page = shown(long_document([1, *[2] * 100, 1, *[3] * 150]))
    assert page.count('<li class="d2">') == 2
    assert 'class="d3"' not in page
    assert shown(long_document([1] * 250)).count('<li class="d2">') == 250


def test_a_page_says_how_long_the_document_is_and_when_it_changed() -> None:
    page = shown(make("猫" * 1234))
    assert "1,234 字" in page
    assert "<time>2026-11-24</time>" in page
