"""The chat page in a real Chromium, against a real server with the bundled texts."""

import re
from collections.abc import Callable

import httpx2
import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.slow

YEAR = "chroot 是哪一年出现的？"
LIST = "新引擎有哪些？"
UNKNOWN = "Podman 是哪一年发布的？"
FOCUSED = """
(() => {
  const focused = document.activeElement;
  const name = focused.getAttribute("aria-label") || focused.textContent.trim();
  const outlined = focused.closest(".composer-box") ?? focused;
  return [name, getComputedStyle(outlined).outlineStyle !== "none" || focused === document.body];
})()
"""
FIRST_PAINT_MILLISECONDS = 300
FINGER = 44
SHAPES = {"desktop": (1280, 800), "tablet": (820, 1180), "phone": (360, 640)}


def ask(page: Page, question: str) -> Locator:
    """Type a question, send it by Enter, and return its turn once the answer is whole."""
    field = page.get_by_role("textbox", name="问题")
    field.fill(question)
    field.press("Enter")
    turn = page.locator(".turn").last
    expect(turn.locator('[data-state="done"]')).to_be_visible()
    expect(page.locator(".log")).to_have_attribute("aria-busy", "false")
    return turn


def test_every_marker_is_one_click_from_its_words_in_the_source(page: Page, site: str) -> None:
    page.goto(site)
    turn = ask(page, YEAR)
    expect(turn.locator(".prose")).to_contain_text("1979 年")
    quote = turn.locator("blockquote mark").first.inner_text()
    with page.expect_popup() as opened:
        turn.locator("a.marker").first.click()
    source = opened.value
    marked = "".join(source.locator("mark").all_inner_texts())
    assert quote
    assert quote in marked
    expect(source.locator("mark").last).to_be_in_viewport()


def test_the_words_of_a_source_are_one_click_from_the_next_that_the_answer_cites(
    page: Page, site: str
) -> None:
    page.goto(site)
    turn = ask(page, LIST)
    links = turn.locator("a.marker").evaluate_all("all => [...new Set(all.map(a => a.href))]")
    several = [link for link in links if "cites=" in link]
    assert several
    page.goto(several[0])
    bar = page.get_by_role("navigation", name="引文")
    expect(bar).to_contain_text(re.compile("引文 [12] / [2-9]"))
    step = bar.locator("a[rel]").first
    with page.expect_navigation():
        step.click()
    expect(page.locator("#cited")).to_be_in_viewport()


def test_a_follow_up_leans_on_what_was_said(page: Page, site: str) -> None:
    page.goto(site)
    ask(page, YEAR)
    expect(ask(page, "LXC 呢？").locator(".prose")).to_contain_text("2008 年")


def test_a_refusal_offers_the_nearest_headings_which_can_be_asked(page: Page, site: str) -> None:
    page.goto(site)
    turn = ask(page, UNKNOWN)
    expect(turn.locator(".status")).to_have_text("文档里没有找到答案")
    expect(turn.locator(".prose")).not_to_contain_text("相近的内容")  # the buttons say it
    chips = turn.locator(".nearest .chip")
    heading = chips.first.evaluate("chip => chip.firstChild.textContent")
    chips.first.click()
    expect(page.locator(".turn")).to_have_count(2)
    expect(page.locator(".question").last).to_have_text(f"问题 {heading}")
    expect(page.locator(".turn").last.locator('[data-state="done"]')).to_be_visible()


def test_a_suggested_question_gets_a_sourced_answer(page: Page, site: str) -> None:
    page.goto(site)
    chips = page.locator(".suggestions .chip")
    expect(chips).to_have_count(4)
    chips.first.click()
    expect(page.locator("a.marker").first).to_be_visible()
    expect(page.locator(".welcome")).to_be_hidden()


def test_a_copied_answer_carries_its_numbered_sources(page: Page, site: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site)
    page.goto(site)
    turn = ask(page, YEAR)
    turn.get_by_role("button", name="复制").click()
    expect(turn.get_by_role("button", name="已复制")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    answer, sources = copied.split("\n\n出处\n")
    assert answer.startswith("1979 年[1]。")
    head, quote, link = sources.strip().split("\n")[:3]
    assert head == "[1] 从 chroot 到 LXC：OS 虚拟化之路 › 早期的系统"
    assert "1979 年随 Unix v7 出现" in quote
    assert link.startswith(f"{site}/documents/")


def test_a_thumb_and_a_comment_reach_the_server(page: Page, site: str) -> None:
    page.goto(site)
    turn = ask(page, YEAR)
    turn.get_by_role("button", name="没有帮助").click()
    comment = turn.get_by_role("textbox", name="想补充什么")
    comment.fill("年份对，但太短")
    comment.press("Enter")
    expect(turn.get_by_text("谢谢，已收到。")).to_be_visible()
    expect(turn.get_by_role("button", name="没有帮助")).to_have_attribute("aria-pressed", "true")
    (entry,) = page.evaluate("JSON.parse(localStorage['wenqu.history'])")
    session = httpx2.get(f"{site}/api/sessions/{entry['id']}").json()
    assert session["turns"][0]["vote"] == "down"


def test_answering_again_keeps_the_former_answer(page: Page, site: str) -> None:
    page.goto(site)
    turn = ask(page, YEAR)
    turn.get_by_role("button", name="重新回答").click()
    number = turn.locator(".variants [role=status]")
    expect(number).to_have_text("2 / 2")
    expect(page.locator(".log")).to_have_attribute("aria-busy", "false")
    turn.get_by_role("button", name="上一个回答").click()
    expect(number).to_have_text("1 / 2")
    expect(turn.locator(".prose")).to_contain_text("1979 年")
    page.reload()
    expect(page.locator(".variants [role=status]")).to_have_text("2 / 2")
    expect(page.locator(".turn")).to_have_count(1)


def test_history_is_shared_by_tabs_comes_back_and_can_be_deleted(page: Page, site: str) -> None:
    page.goto(site)
    ask(page, YEAR)
    other = page.context.new_page()
    other.goto(site)
    ask(other, LIST)
    entries = page.locator(".history-open")
    expect(entries).to_have_text([LIST, YEAR])  # told of by the other tab
    expect(page.locator(".question")).to_have_text([f"问题 {YEAR}"])  # which talks of its own
    entries.first.click()
    expect(page.locator(".question")).to_have_text([f"问题 {LIST}"])
    (entry, _) = page.evaluate("JSON.parse(localStorage['wenqu.history'])")
    page.get_by_role("button", name=f"删除这个对话：{LIST}").click()
    assert httpx2.get(f"{site}/api/sessions/{entry['id']}").status_code == 200  # asks once more
    page.get_by_role("button", name="确认删除").click()
    expect(entries).to_have_text([YEAR])
    expect(other.locator(".history-open")).to_have_text([YEAR])
    assert httpx2.get(f"{site}/api/sessions/{entry['id']}").status_code == 404
    expect(page.locator(".welcome")).to_be_visible()


def test_a_new_conversation_begins_without_the_old_one(page: Page, site: str) -> None:
    page.goto(site)
    ask(page, YEAR)
    page.get_by_role("button", name="新对话").click()
    expect(page.locator(".turn")).to_have_count(0)
    ask(page, LIST)
    assert len(page.evaluate("JSON.parse(localStorage['wenqu.history'])")) == 2


def test_enter_that_ends_a_composition_never_sends(page: Page, site: str) -> None:
    page.goto(site)
    field = page.get_by_role("textbox", name="问题")
    field.focus()
    debugger = page.context.new_cdp_session(page)
    debugger.send(
        "Input.imeSetComposition", {"text": "rongqi", "selectionStart": 6, "selectionEnd": 6}
    )
    enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229}
    debugger.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **enter})
    page.keyboard.press("Enter")  # some report it as an ordinary key while composing
    expect(page.locator(".turn")).to_have_count(0)
    debugger.send("Input.insertText", {"text": "容器"})
    field.evaluate(  # Safari: the composition ends, then comes the Enter that ended it
        """field => {
          field.dispatchEvent(new CompositionEvent("compositionend"));
          const enter = {key: "Enter", bubbles: true, cancelable: true};
          field.dispatchEvent(new KeyboardEvent("keydown", enter));
        }"""
    )
    expect(page.locator(".turn")).to_have_count(0)
    expect(field).to_have_value(re.compile("容器"))
    field.press("Shift+Enter")
    expect(page.locator(".turn")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.locator(".turn")).to_have_count(1)


def test_everything_is_reached_by_keyboard_alone(page: Page, site: str) -> None:
    page.goto(site)
    page.keyboard.type(LIST)  # the field has the focus from the beginning
    page.keyboard.press("Enter")
    expect(page.locator('[data-state="done"]')).to_be_visible()
    reached: dict[str, bool] = {}
    for _ in range(40):
        page.keyboard.press("Tab")
        name, shown = page.evaluate(FOCUSED)
        if name in reached:
            break
        reached[name] = shown
    wanted = ("新对话", "外观", "语言", "对话", "复制", "重新回答", "有帮助", "没有帮助", "问题")
    assert [name for name in wanted if name not in reached] == []
    assert [name for name in reached if name.startswith("出处 1：")]
    assert [name for name, shown in reached.items() if not shown] == []


@pytest.mark.parametrize("shape", SHAPES)
def test_no_fault_of_access_light_or_dark(
    page: Page, site: str, violations: Callable[[Page], list[str]], shape: str
) -> None:
    width, height = SHAPES[shape]
    page.set_viewport_size({"width": width, "height": height})
    page.goto(site)
    expect(page.locator(".suggestions .chip").first).to_be_visible()
    assert violations(page) == []
    ask(page, LIST).get_by_role("button", name="没有帮助").click()
    ask(page, UNKNOWN)
    if width < 992:
        page.locator(".sources-toggle").first.click()
        page.get_by_role("button", name="历史对话").click()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("document.querySelector('.log').scrollWidth") <= width
    small = page.evaluate(
        """[...document.querySelectorAll('button, select, textarea')]
          .filter(each => each.checkVisibility()).map(each => each.getBoundingClientRect())
          .filter(({height}) => height && height < 44).length"""
    )
    assert small == 0


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("zh-TW", "有什麼想問的？"),
        ("en-GB", "What would you like to know?"),
        ("fr", "有什么想问的？"),
    ],
)
def test_the_page_speaks_the_language_of_its_reader(
    page: Page, site: str, language: str, said: str
) -> None:
    page.add_init_script(
        f"Object.defineProperty(navigator, 'languages', {{value: ['{language}']}})"
    )
    page.goto(site)
    expect(page.locator(".greeting")).to_have_text(said)


def test_language_and_theme_can_be_chosen_and_are_kept(page: Page, site: str) -> None:
    page.goto(site)
    ask(page, YEAR)
    page.get_by_label("外观").select_option("dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_label("语言").select_option("en")
    expect(page.get_by_placeholder("Ask a question")).to_be_visible()
    expect(page.locator(".question")).to_contain_text(YEAR)  # the conversation is still there
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    assert dark == "rgb(18, 23, 25)"


def test_the_tables_of_strings_have_the_same_keys_and_values(page: Page, site: str) -> None:
    page.goto(site)
    tables = page.evaluate("import('/assets/strings.js').then(module => module.TABLES)")
    assert list(tables) == ["zh-Hans", "zh-Hant", "en"]
    holes = [
        {key: sorted(re.findall(r"\{(\w+)\}", text)) for key, text in table.items()}
        for table in tables.values()
    ]
    assert holes[0] == holes[1] == holes[2]
    used = {
        key
        for script in ("answer", "chat", "composer", "conversation", "feedback", "history")
        for key in re.findall(r'[( ?]t\("(\w+)"', httpx2.get(f"{site}/assets/{script}.js").text)
    }
    assert used <= set(tables["en"])


def test_the_first_paint_comes_at_once(page: Page, site: str) -> None:
    times = []
    for _ in range(6):
        page.goto(site)
        times.append(
            page.evaluate(
                """new Promise(done => new PerformanceObserver(list => {
                  const [first] = list.getEntriesByName("first-contentful-paint");
                  if (first) done(first.startTime);
                }).observe({type: "paint", buffered: true}))"""
            )
        )
    assert min(times) < FIRST_PAINT_MILLISECONDS
