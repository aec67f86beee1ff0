"""Makes the pictures of the documentation: `python -m pytest tests/screenshots.py`.

They show a real server over the bundled texts, so what they say is what it answers.
"""

import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from bot.testing import Server

IMAGES = Path(__file__).parents[1] / "docs" / "images"
KEY = "correct-horse-battery-staple"
YEAR = "chroot 是哪一年出现的？"
REFUSED = ["Podman 是哪一年发布的？", "Podman 是哪一年发布的？", "WebAssembly 会取代容器吗？"]
ARTICLE = """<!doctype html><html lang="zh"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>容器文档</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ max-width: 36rem; padding: 2rem; margin: 0; font: 1rem/1.9 sans-serif; }}
</style>
<h1>我们的容器平台</h1>
<p>这是一个使用问渠的网站。页面右下角的按钮是它的网页组件，只用一行代码嵌入。</p>
<p>读者不必离开这一页就能提问，每句回答都能点回原文。</p>
<script src="{wenqu}/widget.js" data-wenqu data-title="容器问答" data-lang="zh-Hans" async></script>
</html>"""


@dataclass(frozen=True, slots=True)
class Shop:
    """A site, and the file of its page."""

    url: str
    page: Path


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A site of somebody else, from another origin."""
    folder = tmp_path_factory.mktemp("shop")
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield Shop(f"http://127.0.0.1:{server.server_port}", folder / "index.html")
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def wenqu(bundled: Path, shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that may be administered, and embedded by the shop."""
    data = tmp_path_factory.mktemp("shown") / "data"
    shutil.copytree(bundled, data)
    with Server(data, WENQU_ADMIN_KEY=KEY, WENQU_WIDGET_ORIGINS=shop.url) as server:
        for question in REFUSED:
            asked = {"question": question}
            reply = httpx2.post(f"{server.url}/api/chat", json=asked, timeout=30).json()
            assert reply["refused"]
        yield server.url


def browse(chromium: Browser, width: int, height: int, *, dark: bool = False) -> Page:
    """Open a fresh window of a size, light or dark."""
    context = chromium.new_context(
        locale="zh-CN",
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        device_scale_factor=2,
    )
    return context.new_page()


def save(page: Page, name: str) -> None:
    page.mouse.move(0, 0)
    page.wait_for_load_state("networkidle")
    IMAGES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=IMAGES / f"{name}.png", animations="disabled", caret="hide")
    page.context.close()


def ask(place: Page | FrameLocator, *questions: str) -> None:
    for question in questions:
        field = place.get_by_role("textbox", name="问题")
        field.fill(question)
        field.press("Enter")
        expect(place.locator(".turn").last.locator('[data-state="done"]')).to_be_visible()
        expect(place.locator(".log")).to_have_attribute("aria-busy", "false")


def test_chat(chromium: Browser, site: str) -> None:
    page = browse(chromium, 1280, 800)
    page.goto(site)
    ask(page, "第一代容器引擎有什么好处和不足？", "第二代呢？")
    save(page, "chat")


def test_source(chromium: Browser, site: str) -> None:
    asked = {"question": "第一代容器引擎有什么好处和不足？"}
    cited = httpx2.post(f"{site}/api/chat", json=asked, timeout=30).json()["citations"]
    same = [each for each in cited if each["document_id"] == cited[0]["document_id"]]
    cites = ",".join(f"{each['start']}-{each['end']}" for each in same)
    page = browse(chromium, 1280, 800)
    page.goto(f"{site}{cited[0]['view_url']}&cites={cites}")
    expect(page.locator("#cited")).to_be_in_viewport()
    save(page, "source")


@pytest.mark.parametrize(
    ("name", "width", "height", "dark"),
    [
        ("widget", 1120, 800, False),
        ("widget-dark", 1120, 800, True),
        ("widget-phone", 390, 800, False),
    ],
)
def test_widget(
    chromium: Browser, shop: Shop, wenqu: str, name: str, width: int, height: int, *, dark: bool
) -> None:
    page = browse(chromium, width, height, dark=dark)
    shop.page.write_text(ARTICLE.format(wenqu=wenqu), encoding="utf-8")
    page.goto(shop.url)
    page.get_by_role("button", name="容器问答").click()
    frame = page.frame_locator("wenqu-widget iframe")
    ask(frame, YEAR)
    frame.locator(".sources-toggle").click()
    save(page, name)


@pytest.mark.parametrize("view", ["documents", "questions"])
def test_admin(chromium: Browser, wenqu: str, view: str) -> None:
    page = browse(chromium, 1280, 800)
    page.goto(wenqu)
    page.evaluate(f"sessionStorage.setItem('wenqu.key', {json.dumps(json.dumps(KEY))})")
    page.goto(f"{wenqu}/admin#{view}")
    expect(page.locator(".card:visible").first).to_be_visible()
    save(page, "admin" if view == "documents" else f"admin-{view}")
