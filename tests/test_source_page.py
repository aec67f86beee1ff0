"""The source view in a real Chromium."""

import time
from collections.abc import Callable, Iterator

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from bot.runtime import Runtime
from bot.testing import serving
from corpus.document import Document, Section
from index.documents import to_row

pytestmark = pytest.mark.slow

ASTRAL = "👩‍👩‍👧 全家去𠮷野家。\n\n- 𠮷野家不卖🐱猫粮。\n- 𠮷祥如意。\n\n| 𠮷 | 🐱 |\n| 一 | 二 |"
QUOTES = ["𠮷野家", "👩‍👩‍👧 全家去𠮷野家。", "- 𠮷野家不卖🐱猫粮。", "🐱猫", "| 𠮷 | 🐱 |", "二 |"]
LONG = 1_000_000


@pytest.fixture
def url(runtime: Runtime) -> Iterator[str]:
    """A server with a document full of characters outside the basic plane, and a long one."""
    parts: list[str] = []
    while sum(len(part) for part in parts) < LONG:
        parts.append(f"第 {len(parts)} 节\n\n{'容器隔离进程，𠮷野家不卖容器。' * 60}\n\n")
    starts = [0]
    for part in parts[:-1]:
        starts.append(starts[-1] + len(part))
    sections = tuple(Section(f"第 {at} 节", 1, start, start + 1) for at, start in enumerate(starts))
    long = Document("long", "很长", "".join(parts), "long.md", {}, sections)
    with runtime.database.write() as session:
        session.merge(to_row("default", Document("astral", "题", ASTRAL, "a.md"), 1))
        session.merge(to_row("default", long, 1))
    with serving(runtime) as port:
        yield f"http://127.0.0.1:{port}"


def marked(page: Page) -> str:
    texts = page.locator("mark:not(.other)").evaluate_all("marks => marks.map(m => m.textContent)")
    return "".join(texts)


@pytest.mark.parametrize("quote", QUOTES)
def test_the_marked_words_are_the_quote_and_in_view(page: Page, url: str, quote: str) -> None:
    start = ASTRAL.index(quote)
    page.goto(f"{url}/documents/astral?start={start}&end={start + len(quote)}")
    assert marked(page) == quote
    expect(page.locator("#cited")).to_be_in_viewport()


def test_every_citation_of_an_answer_is_marked_in_its_source(page: Page, site: str) -> None:
    question = {"question": "新引擎有哪些？"}
    citations = httpx2.post(f"{site}/api/chat", json=question, timeout=30).json()["citations"]
    assert citations
    for citation in citations:
        page.goto(site + citation["view_url"])
        assert marked(page) == citation["quote"]
        expect(page.locator("#cited")).to_be_in_viewport()


def test_the_next_and_the_previous_citation_are_one_click_away(page: Page, url: str) -> None:
    cites = f"{LONG // 2}-{LONG // 2 + 5},{LONG - 900}-{LONG - 890}"
    page.goto(f"{url}/documents/long?start=10&end=20&cites={cites}")
    bar = page.get_by_role("navigation", name="引文")
    first = marked(page)
    for place, length in (("2 / 3", 5), ("3 / 3", 10)):
        bar.get_by_role("link", name="下一处").click()
        expect(bar).to_contain_text(f"引文 {place}")
        assert len(marked(page)) == length
        expect(page.locator("#cited")).to_be_in_viewport()
    expect(bar.get_by_text("下一处")).to_have_attribute("aria-disabled", "true")
    bar.get_by_role("link", name="上一处").click()
    expect(bar).to_contain_text("引文 2 / 3")
    bar.get_by_role("link", name="上一处").focus()
    page.keyboard.press("Enter")
    expect(bar).to_contain_text("引文 1 / 3")
    assert marked(page) == first
    page.mouse.wheel(0, 5000)
    bar.get_by_role("link", name="引文 1 / 3").click()
    expect(page.locator("#cited")).to_be_in_viewport()


def test_a_million_characters_are_there_in_a_moment(page: Page, url: str) -> None:
    started = time.monotonic()
    page.goto(f"{url}/documents/long?start={LONG - 900}&end={LONG - 890}", wait_until="commit")
    expect(page.locator("#cited")).to_be_in_viewport()
    assert time.monotonic() - started < 5
    shown = page.locator("article").evaluate("article => Array.from(article.textContent).length")
    assert shown > LONG - 5000


def test_all_of_it_works_without_scripts(chromium: Browser, url: str) -> None:
    with chromium.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{url}/documents/long?start={LONG - 900}&end={LONG - 890}&cites=10-20")
        expect(page.locator("#cited")).to_be_in_viewport()
        page.get_by_role("link", name="上一处").click()
        expect(page.get_by_text("引文 1 / 2")).to_be_visible()
        expect(page.locator("#cited")).to_be_in_viewport()


def test_the_outline_is_open_where_there_is_room_and_leads_to_its_headings(
    page: Page, site: str
) -> None:
    found = httpx2.get(f"{site}/api/documents", timeout=30).json()["documents"]
    view = next(document["view_url"] for document in found if "isolation" in document["id"])
    page.goto(site + view)
    outline = page.get_by_role("navigation", name="目录")
    outline.get_by_role("link").last.click()
    expect(page.locator("h2").last).to_be_in_viewport()
    page.set_viewport_size({"width": 390, "height": 800})
    expect(outline.get_by_role("link").last).to_be_hidden()
    outline.get_by_text("目录", exact=True).click()
    expect(outline.get_by_role("link").last).to_be_visible()


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wrong_for_those_who_see_or_move_otherwise(
    page: Page, site: str, violations: Callable[[Page], list[str]], width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    found = httpx2.get(f"{site}/api/documents", timeout=30).json()["documents"]
    for name in ("timeline", "isolation"):
        view = next(document["view_url"] for document in found if name in document["id"])
        page.goto(f"{site}{view}&start=80&end=110&cites=10-40,200-230")
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto(f"{site}/documents/none")
    assert violations(page) == []


def test_the_page_looks_as_was_chosen_where_people_ask(page: Page, site: str) -> None:
    page.goto(site)
    page.evaluate("localStorage.setItem('wenqu.theme', JSON.stringify('dark'))")
    page.goto(f"{site}/documents/none")
    assert page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"
