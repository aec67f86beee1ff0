"""What can go wrong around an answer, in a real Chromium: the server plays each fault."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from starlette.responses import JSONResponse

from bot.testing_stream import Cut, ScriptedSite, answer, citation, script

pytestmark = pytest.mark.slow

QUESTION = "容器是什么？"
SHIFTS = """
new PerformanceObserver(list => {
  window.shifts = (window.shifts ?? 0) + list.getEntries().reduce((sum, {value}) => sum + value, 0);
}).observe({type: "layout-shift", buffered: true});
"""

WATCH = """
window.seen = [];
new MutationObserver(() => {
  const now = [
    document.querySelector(".log").ariaBusy,
    document.querySelector(".status")?.textContent,
  ];
  if (String(now) !== String(window.seen.at(-1))) window.seen.push(now);
}).observe(document.querySelector(".log"), {subtree: true, childList: true, attributes: true});
"""


@pytest.fixture
def scripted() -> Iterator[ScriptedSite]:
    with ScriptedSite() as site:
        yield site


def send(page: Page, question: str = QUESTION) -> None:
    page.get_by_role("textbox", name="问题").fill(question)
    page.get_by_role("button", name="发送").click()


def long_answer(sentences: int = 24) -> tuple[list[str], str]:
    pieces = [
        f"第 {n} 句话说明容器的一个方面，长到会在屏幕上折行[{n % 3 + 1}]。"
        for n in range(sentences)
    ]
    pieces[8] = "\n- 一项[1]。"
    pieces[9] = "\n- 又一项[2]。"
    pieces[10] = "\n结尾另起一段[3]。"
    return pieces, "".join(pieces)


def test_the_states_of_an_answer_are_told_in_their_order(
    page: Page, scripted: ScriptedSite
) -> None:
    whole = answer("容器隔离进程[1]。", [citation(1)])
    scripted.plays = [script(whole, pause=0.05)]
    page.goto(scripted.url)
    page.evaluate(WATCH)
    send(page)
    expect(page.locator(".status")).to_have_text("每句都有出处")
    expect(page.locator(".log")).to_have_attribute("aria-busy", "false")
    seen = page.evaluate("window.seen")
    assert seen == [
        ["true", "正在连接"],
        ["true", "正在查找"],
        ["true", "正在回答"],
        ["true", "每句都有出处"],
        ["false", "每句都有出处"],
    ]


@pytest.mark.parametrize("slower", [1, 20])  # at 20, a page is painted while it is still parsed
@pytest.mark.parametrize(  # sources below the answer, beside it; while it scrolls
    ("width", "height"), [(400, 2400), (1440, 2400), (1280, 700)]
)
def test_nothing_moves_while_an_answer_streams(
    page: Page, scripted: ScriptedSite, width: int, height: int, slower: int
) -> None:
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
    pieces, text = long_answer()
    whole = answer(text, [citation(n) for n in (1, 2, 3)])
    scripted.plays = [script(whole, pieces, pause=0.05)]
    page.set_viewport_size({"width": width, "height": height})
    page.add_init_script(SHIFTS)
    page.goto(scripted.url)
    page.wait_for_timeout(300 * slower**0.5)
    before = page.evaluate("window.shifts ?? 0")
    send(page)
    expect(page.locator('[data-state="done"]')).to_be_visible()
    page.wait_for_timeout(300)
    assert page.evaluate("window.shifts ?? 0") - before == 0
    assert before == 0


def test_what_stands_there_is_not_made_again_and_says_the_whole(
    page: Page, scripted: ScriptedSite
) -> None:
    pieces, text = long_answer()
    whole = answer(text, [citation(n) for n in (1, 2, 3)])
    scripted.plays = [script(whole, pieces, pause=0.05)]
    page.goto(scripted.url)
    send(page)
    marker = page.locator("a.marker").first
    marker.focus()
    expect(page.locator('[data-state="done"]')).to_be_visible()
    expect(marker).to_be_focused()
    shown = page.locator(".prose").evaluate("prose => prose.textContent").replace("\u2060", "")
    plain = text.replace("\n- ", "").replace("\n", "")
    assert shown == plain.replace("[1]", "1").replace("[2]", "2").replace("[3]", "3")
    expect(page.locator(".prose li")).to_have_count(2)


def test_a_reader_who_scrolled_up_is_left_in_peace(page: Page, scripted: ScriptedSite) -> None:
    pieces, text = long_answer(60)
    scripted.plays = [script(answer(text, [citation(n) for n in (1, 2, 3)]), pieces, pause=0.04)]
    page.set_viewport_size({"width": 600, "height": 420})
    page.goto(scripted.url)
    send(page)
    log = page.locator(".log")
    log.evaluate("log => new Promise(done => log.onscroll = () => log.scrollTop > 150 && done())")
    log.evaluate("log => log.scrollTo(0, 40)")
    expect(page.locator('[data-state="done"]')).to_be_visible()
    assert log.evaluate("log => log.scrollTop") == 40


def test_stop_tells_the_server_and_keeps_what_was_said(page: Page, scripted: ScriptedSite) -> None:
    pieces, text = long_answer()
    whole = answer(text, [citation(n) for n in (1, 2, 3)])
    scripted.plays = [script(whole, pieces, pause=0.3)]
    page.goto(scripted.url)
    send(page)
    expect(page.locator(".prose")).to_contain_text("第 0 句话")
    page.get_by_role("button", name="停止").click()
    expect(page.locator(".status")).to_have_text("已停止")
    expect(page.locator(".prose")).to_contain_text("第 0 句话")
    expect(page.get_by_role("textbox", name="问题")).to_be_focused()
    page.wait_for_timeout(600)
    assert scripted.gone == 1
    scripted.plays = [script(answer("好了[1]。", [citation(1)]))]
    page.get_by_role("button", name="重试").click()
    expect(page.locator(".prose")).to_have_text("好了\u20601。")
    assert scripted.questions == [QUESTION, QUESTION]


def test_a_server_that_is_away_costs_no_text(page: Page, scripted: ScriptedSite) -> None:
    scripted.plays = [script(answer("好了[1]。", [citation(1)]))]
    page.goto(scripted.url)
    scripted.stop()
    send(page)
    expect(page.get_by_role("alert")).to_have_text("连接不上服务器。问题已保留，可以重试。")
    expect(page.locator(".question")).to_contain_text(QUESTION)
    page.get_by_role("button", name="修改问题").click()
    expect(page.get_by_role("textbox", name="问题")).to_have_value(QUESTION)
    page.get_by_role("button", name="重试").click()
    expect(page.get_by_role("alert")).to_be_visible()
    scripted.start()
    page.get_by_role("button", name="重试").click()
    expect(page.locator(".prose")).to_have_text("好了\u20601。")
    expect(page.locator(".turn")).to_have_count(1)


def test_a_lost_network_is_told_and_its_return_too(page: Page, scripted: ScriptedSite) -> None:
    page.goto(scripted.url)
    page.context.set_offline(True)
    notice = page.get_by_text("网络已断开，恢复后可以继续提问。")
    expect(notice).to_be_visible()
    page.context.set_offline(False)
    expect(notice).to_be_hidden()


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_counted_down_to_the_next_try(
    page: Page, scripted: ScriptedSite, status: int
) -> None:
    problem = {"status": status, "code": "overloaded", "detail": "忙", "detail_en": "busy"}
    busy = JSONResponse(problem, status, {"retry-after": "2"})
    scripted.plays = [busy, script(answer("好了[1]。", [citation(1)]))]
    page.goto(scripted.url)
    send(page)
    expect(page.get_by_role("alert")).to_have_text("提问的人太多，请稍候。")
    expect(page.get_by_role("button", name="2 秒后可以重试")).to_be_disabled()
    page.get_by_role("button", name="重试", exact=True).click()
    expect(page.locator(".prose")).to_have_text("好了\u20601。")


def test_an_error_within_the_stream_is_shown_in_words(page: Page, scripted: ScriptedSite) -> None:
    problem = {"status": 504, "code": "deadline", "detail": "回答用时太久", "detail_en": "too long"}
    scripted.plays = [[("meta", {"session_id": "s", "turn_id": "t"}), ("error", problem)]]
    page.goto(scripted.url)
    send(page)
    expect(page.get_by_role("alert")).to_have_text("出错了：回答用时太久")


def test_a_line_that_breaks_off_is_no_answer(page: Page, scripted: ScriptedSite) -> None:
    whole = answer("容器隔离进程[1]。", [citation(1)])
    scripted.plays = [[*script(whole)[:3], Cut()]]
    page.goto(scripted.url)
    send(page)
    expect(page.get_by_role("alert")).to_have_text("回答到一半连接断了。问题已保留，可以重试。")


def test_an_expired_session_gives_way_to_a_new_one(page: Page, scripted: ScriptedSite) -> None:
    expired = JSONResponse({"status": 404, "code": "session_not_found", "detail": "没有"}, 404)
    good = script(answer("好了[1]。", [citation(1)]))
    scripted.plays = [good, expired, good]
    page.goto(scripted.url)
    send(page)
    expect(page.locator(".prose")).to_have_count(1)
    expect(page.locator(".log")).to_have_attribute("aria-busy", "false")
    send(page)
    expect(page.get_by_text("之前的会话已过期，已开始新的会话。")).to_be_visible()
    expect(page.locator(".prose").last).to_have_text("好了\u20601。")


def test_a_question_too_long_is_told_before_it_is_sent(page: Page, scripted: ScriptedSite) -> None:
    page.goto(scripted.url)
    field = page.get_by_role("textbox", name="问题")
    expect(page.get_by_role("button", name="发送")).to_be_disabled()
    field.fill("𠮷" * 2000)
    expect(page.get_by_role("button", name="发送")).to_be_enabled()
    field.fill("𠮷" * 2001)
    expect(page.get_by_role("button", name="发送")).to_be_disabled()
    expect(page.get_by_text("问题最多 2000 个字，现在有 2001 个。")).to_be_visible()


def test_a_deleted_source_is_named_and_leads_nowhere(page: Page, scripted: ScriptedSite) -> None:
    deleted = citation(1, title="（文档已删除）", quote="", passage="", headings=[], view_url=None)
    scripted.plays = [script(answer("容器隔离进程[1]。", [deleted]))]
    page.goto(scripted.url)
    send(page)
    expect(page.locator(".marker")).to_have_attribute("aria-label", "出处 1：（文档已删除）")
    expect(page.locator(".source")).to_contain_text("文档已删除")
    expect(page.locator(".answer a")).to_have_count(0)
