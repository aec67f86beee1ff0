"""The widget on a page of another origin, in a real Chromium, against a real server."""

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from bot.testing import Server

pytestmark = pytest.mark.slow

YEAR = "chroot 是哪一年出现的？"
LOADER_BYTES = 5_000
EVERYTHING_BYTES = 60_000

PAGE = """<!doctype html><html lang="zh"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; script-src 'nonce-own' {wenqu}; frame-src {wenqu}">
<title>别人的网站</title><body><h1>别人的网站</h1><a href="#">前面的链接</a>
<script src="{wenqu}/widget.js" data-wenqu {data} async></script></body></html>"""


class Elsewhere:
    """A site of somebody else, with a policy as strict as can be."""

    def __init__(self) -> None:
        outer = self
        self.page = ""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(outer.page.encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def embed(self, wenqu: str, **data: str) -> None:
        written = " ".join(f'data-{name}="{value}"' for name, value in data.items())
        self.page = PAGE.format(wenqu=wenqu, data=written)

    @contextmanager
    def serving(self) -> Iterator["Elsewhere"]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        thread.start()
        yield self
        self._server.shutdown()
        self._server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    with Elsewhere().serving() as site:
        yield site


@pytest.fixture(scope="module")
def wenqu(bundled: Path, elsewhere: Elsewhere) -> Iterator[str]:
    with Server(bundled, WENQU_WIDGET_ORIGINS=elsewhere.url) as server:
        yield server.url


@pytest.fixture
def embedded(page: Page, elsewhere: Elsewhere, wenqu: str) -> Page:
    """Somebody's page with the widget, not opened yet."""
    elsewhere.embed(wenqu, title="容器问答", lang="zh-Hans", greeting="想问哪一段历史？")
    page.goto(elsewhere.url)
    expect(page.get_by_role("button", name="容器问答")).to_be_visible()
    return page


def opened(page: Page) -> FrameLocator:
    page.get_by_role("button", name="容器问答").click()
    frame = page.frame_locator("wenqu-widget iframe")
    expect(frame.get_by_role("textbox", name="问题")).to_be_focused()
    return frame


def ask(frame: FrameLocator, question: str) -> None:
    field = frame.get_by_role("textbox", name="问题")
    field.fill(question)
    field.press("Enter")
    expect(frame.locator(".turn").last.locator('[data-state="done"]')).to_be_visible()
    expect(frame.locator(".log")).to_have_attribute("aria-busy", "false")


def test_a_reader_of_another_site_gets_from_question_to_source(embedded: Page) -> None:
    frame = opened(embedded)
    expect(frame.locator(".greeting")).to_have_text("想问哪一段历史？")
    expect(frame.locator(".suggestions .chip").first).to_be_visible()
    ask(frame, YEAR)
    frame.locator(".sources-toggle").click()
    quote = frame.locator("blockquote mark").first.inner_text()
    with embedded.expect_popup() as popup:
        frame.locator("a.marker").first.click()
    expect(popup.value.locator("mark")).not_to_have_count(0)
    marked = "".join(popup.value.locator("mark").all_inner_texts())
    assert quote
    assert quote in marked
    assert popup.value.evaluate("window.opener") is None
    ask(frame, "LXC 呢？")
    expect(frame.locator(".prose").last).to_contain_text("2008 年")
    ask(frame, "Podman 是哪一年发布的？")
    expect(frame.locator(".nearest .chip").first).to_be_visible()
    assert embedded.context.cookies() == []


def test_a_site_that_is_not_listed_gets_no_conversation(chromium: Browser, wenqu: str) -> None:
    said: list[str] = []
    with Elsewhere().serving() as unlisted, chromium.new_context() as context:
        unlisted.embed(wenqu, title="容器问答")
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.goto(unlisted.url)
        with page.expect_request("**/widget/frame*"):
            page.get_by_role("button", name="容器问答").click()
        page.wait_for_timeout(300)
        assert [frame.url for frame in page.frames if frame.url.startswith("chrome-error:")]
        assert [line for line in said if "frame-ancestors" in line]
        token = page.request.post(
            f"{wenqu}/widget/token", data={"embedder": unlisted.url}, headers={"origin": wenqu}
        )
        assert token.status == 403


def test_escape_closes_and_the_focus_comes_back(embedded: Page) -> None:
    opened(embedded)
    button = embedded.get_by_role("button", name="关闭问答")
    expect(button).to_have_attribute("aria-expanded", "true")
    embedded.keyboard.press("Escape")
    button = embedded.get_by_role("button", name="容器问答")
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(embedded.locator("wenqu-widget iframe")).to_be_hidden()
    embedded.keyboard.press("Enter")
    frame = embedded.frame_locator("wenqu-widget iframe")
    expect(frame.get_by_role("textbox", name="问题")).to_be_focused()
    frame.get_by_role("button", name="关闭").click()
    expect(button).to_be_focused()


def test_the_page_can_ask_and_hears_that_there_was_an_answer_but_not_what(embedded: Page) -> None:
    heard = embedded.evaluate(
        f"""new Promise(done => {{
          const heard = [];
          for (const name of ["open", "ready", "answer", "close"]) {{
            wenqu.addEventListener(name, event => {{
              heard.push([name, event.detail]);
              if (name === "answer") wenqu.close();
              if (name === "close") done(heard);
            }});
          }}
          wenqu.ask({YEAR!r});
        }})"""
    )
    assert heard == [
        ["open", None],
        ["ready", None],
        ["answer", {"refused": False, "citations": 1}],
        ["close", None],
    ]


def test_the_loader_may_run_twice_and_leaves_nothing_behind(embedded: Page) -> None:
    again = "document.body.append(Object.assign(document.createElement('script'), {src: where}))"
    source = embedded.locator("script[data-wenqu]").get_attribute("src")
    embedded.evaluate(f"where => {again}", source)
    embedded.wait_for_timeout(200)
    expect(embedded.locator("wenqu-widget")).to_have_count(1)
    names = "Object.keys(window).filter(name => /wenqu/i.test(name))"
    assert embedded.evaluate(names) == ["wenqu"]
    embedded.evaluate("wenqu.destroy()")
    expect(embedded.locator("wenqu-widget")).to_have_count(0)
    assert embedded.evaluate(names) == []


def test_forged_messages_are_not_obeyed(embedded: Page) -> None:
    frame = opened(embedded)
    embedded.evaluate(
        """() => {
          const close = {source: "wenqu", v: 1, type: "close"};
          postMessage(close, "*");                          // not from the frame
          dispatchEvent(new MessageEvent("message", {data: close, origin: "https://evil.example"}));
          const inner = document.querySelector("wenqu-widget").shadowRoot.querySelector("iframe");
          const say = message => inner.contentWindow.postMessage(message, "*");
          say({source: "wenqu", v: 1, type: "ask", text: 42});
          say({source: "other", v: 1, type: "ask", text: "?"});
          say(null);
        }"""
    )
    own = next(each for each in embedded.frames if "/widget/frame" in each.url)
    own.evaluate(  # somebody else in the frame of the reader
        """dispatchEvent(new MessageEvent("message", {
          data: {source: "wenqu", v: 1, type: "ask", text: "?"}, origin: location.origin,
          source: window,
        }))"""
    )
    embedded.wait_for_timeout(300)
    expect(frame.locator(".turn")).to_have_count(0)
    expect(embedded.locator("wenqu-widget iframe")).to_be_visible()


def test_a_conversation_goes_on_after_the_reader_moves_to_another_page(embedded: Page) -> None:
    ask(opened(embedded), YEAR)
    embedded.goto(f"{embedded.url}next")
    frame = opened(embedded)
    expect(frame.locator(".question")).to_contain_text(YEAR)
    frame.get_by_role("button", name="新对话").click()
    expect(frame.locator(".turn")).to_have_count(0)


def test_a_token_that_is_refused_is_renewed_once_unseen(embedded: Page) -> None:
    old = '{"token": "wqw_expired", "expires_in": 900}'
    embedded.route("**/widget/token", lambda route: route.fulfill(body=old), times=1)
    frame = opened(embedded)
    ask(frame, YEAR)
    expect(frame.get_by_role("alert")).to_have_count(0)


def test_the_frame_has_no_fault_of_access(
    page: Page, wenqu: str, elsewhere: Elsewhere, violations: Callable[[Page], list[str]]
) -> None:
    page.set_viewport_size({"width": 360, "height": 640})
    page.goto(f"{wenqu}/widget/frame?origin={elsewhere.url}&title=问答")
    field = page.get_by_role("textbox", name="问题")
    expect(page.locator(".suggestions .chip").first).to_be_visible()
    assert violations(page) == []
    field.fill(YEAR)
    field.press("Enter")
    expect(page.locator('[data-state="done"]')).to_be_visible()
    page.locator(".sources-toggle").click()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_a_page_with_the_widget_has_no_fault_of_access(
    embedded: Page, violations: Callable[[Page], list[str]]
) -> None:
    opened(embedded)
    assert [fault for fault in violations(embedded) if "wenqu" in fault] == []


def test_on_a_phone_it_fills_the_screen(page: Page, elsewhere: Elsewhere, wenqu: str) -> None:
    page.set_viewport_size({"width": 360, "height": 640})
    elsewhere.embed(wenqu, title="容器问答", lang="zh-Hans", theme="dark", position="left")
    page.goto(elsewhere.url)
    button = page.get_by_role("button", name="容器问答")
    place = button.bounding_box()
    assert place is not None
    assert place["x"] == 20
    frame = opened(page)
    box = page.locator("wenqu-widget iframe").bounding_box()
    assert box == {"x": 0, "y": 0, "width": 360, "height": 640}
    expect(page.get_by_role("button", name="关闭问答")).to_be_hidden()
    expect(frame.locator("html")).to_have_attribute("data-theme", "dark")
    size = frame.get_by_role("textbox", name="问题").evaluate("it => getComputedStyle(it).fontSize")
    assert size == "16px"


@pytest.mark.parametrize(
    ("colour", "on"),
    [("#ffd400", "#000"), ("#3b0a8f", "#fff"), ("url(https://evil.example)", None)],
)
def test_a_colour_is_taken_only_if_it_is_one_and_stays_readable(
    page: Page, elsewhere: Elsewhere, wenqu: str, colour: str, on: str | None
) -> None:
    elsewhere.embed(wenqu, title="容器问答", lang="zh-Hans", colour=colour)
    page.goto(elsewhere.url)
    frame = opened(page)
    style = "it => [it.style.getPropertyValue('--brand'), it.style.getPropertyValue('--on-brand')]"
    expected = [colour, on] if on else ["", ""]
    assert frame.locator("html").evaluate(style) == expected


def test_the_language_is_the_readers_unless_the_site_names_one(
    page: Page, elsewhere: Elsewhere, wenqu: str
) -> None:
    elsewhere.embed(wenqu, lang="zh-Hant")
    page.goto(elsewhere.url)
    page.get_by_role("button", name="開啟問答").click()
    frame = page.frame_locator("wenqu-widget iframe")
    expect(frame.locator(".greeting")).to_have_text("有什麼想問的？")
    expect(frame.locator("html")).to_have_attribute("lang", "zh-Hant")


def test_the_widget_is_light(embedded: Page, wenqu: str) -> None:
    sizes: dict[str, int] = {}

    def weigh(url: str, body: bytes) -> None:
        if url.startswith(wenqu) and ("/assets/" in url or "/widget" in url):
            sizes[url] = len(gzip.compress(body))

    embedded.on("response", lambda response: weigh(response.url, response.body()))
    embedded.reload()
    frame = opened(embedded)
    expect(frame.locator(".suggestions .chip").first).to_be_visible()
    loader = (files("bot") / "assets" / "widget.js").read_bytes()
    assert len(gzip.compress(loader)) < LOADER_BYTES
    assert len(sizes) > 10
    assert sum(sizes.values()) + len(gzip.compress(loader)) < EVERYTHING_BYTES
