"""The admin page in a real Chromium, against a real server with the bundled texts."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import FilePayload, Page, expect

from bot.testing import Server

pytestmark = pytest.mark.slow

KEY = "correct-horse-battery-staple"
CAT = FilePayload(
    name="阿花.md", mimeType="text/markdown", buffer="# 阿花\n\n阿花在屋顶上睡觉。".encode()
)
REPORT = {
    "format": 1,
    "about": {
        "set": "bundled", "made": "2026-11-24T07:44:39Z", "wenqu": "0.1.0", "model": "m",
        "machine": "x", "documents": 12, "passages": 90,
    },
    "scores": [
        {"measure": name, "split": split, "value": value, "low": low, "high": high, "questions": 40}
        for name, split, value, low, high in (
            ("recall@5", "tune", 0.912, 0.85, 0.96), ("recall@5", "test", 0.9, 0.8, 1.0),
            ("follow_up", "test", -0.05, -0.1, 0.0), ("total_p95", "test", 25.04, 20.0, 30.0),
        )
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def address(bundled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of our own with the admin key, whose documents may be changed."""
    folder = tmp_path_factory.mktemp("admin")
    shutil.copytree(bundled, folder / "data")
    report = folder / "results.json"
    report.write_text(json.dumps(REPORT), encoding="utf-8")
    with Server(folder / "data", WENQU_ADMIN_KEY=KEY, WENQU_EVAL_REPORT=str(report)) as server:
        yield server.url


@pytest.fixture
def admin(page: Page, address: str) -> Page:
    """The page, entered."""
    page.goto(f"{address}/admin")
    page.get_by_label("管理密钥", exact=True).fill(KEY)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="文档", exact=True)).to_be_visible()
    return page


def upload(page: Page, file: FilePayload, button: str = "上传文件") -> None:
    with page.expect_file_chooser() as chosen:
        page.get_by_role("button", name=button).click()
    chosen.value.set_files([file])


def view(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="管理").get_by_role("link", name=name).click()


def documents(page: Page) -> list[str]:
    return page.locator(".document .title").all_inner_texts()


def delete(page: Page, title: str) -> None:
    page.get_by_role("button", name=f"删除《{title}》").click()
    page.get_by_role("dialog").get_by_role("button", name="删除").click()
    expect(page.get_by_role("status").filter(has_text=f"已删除《{title}》。")).to_be_visible()


def test_only_the_right_key_leads_in_and_leaving_forgets_it(page: Page, address: str) -> None:
    page.goto(f"{address}/admin")
    field = page.get_by_label("管理密钥", exact=True)
    expect(page.get_by_role("alert")).to_be_hidden()
    for wrong in ("a-wrong-key-of-some-length", "密钥密钥"):
        field.fill(wrong)
        page.get_by_role("button", name="进入").click()
        expect(page.get_by_role("alert")).to_have_text("密钥不对，请再试一次。")
        expect(page.get_by_role("navigation")).to_be_hidden()
        expect(field).to_be_focused()
    field.fill(KEY)
    page.get_by_role("button", name="进入").click()
    expect(page.locator(".document")).to_have_count(12)
    page.reload()
    expect(page.locator(".document")).to_have_count(12)
    assert page.evaluate("localStorage.length") == 0
    page.get_by_role("button", name="退出").click()
    expect(field).to_be_visible()
    assert KEY not in page.evaluate("JSON.stringify(sessionStorage)")


def test_without_a_configured_key_the_page_says_how_to_set_one(
    page: Page, site: str, violations: Callable[[Page], list[str]]
) -> None:
    page.goto(f"{site}/admin")
    expect(page.get_by_role("heading", name="还没有管理密钥")).to_be_visible()
    expect(page.locator("main")).to_contain_text("WENQU_ADMIN_KEY")
    expect(page.get_by_label("管理密钥", exact=True)).to_be_hidden()
    assert violations(page) == []


def test_an_uploaded_document_is_found_until_it_is_deleted(admin: Page) -> None:
    upload(admin, CAT)
    expect(admin.get_by_role("status").filter(has_text="新增 1 份")).to_be_visible()
    expect(admin.locator(".document")).to_have_count(13)
    view(admin, "检索")
    admin.get_by_role("searchbox", name="问题或词语").fill("阿花在哪里睡觉？")
    admin.get_by_role("button", name="检索").click()
    first = admin.locator(".hit").first
    expect(first.locator(".passage")).to_have_text("阿花在屋顶上睡觉。")
    expect(first.locator(".scores")).to_contain_text("语义")
    expect(first.locator(".scores")).to_contain_text("第 1 名")
    expect(admin.locator(".term", has_text="阿花")).to_be_visible()
    view(admin, "文档")
    admin.get_by_role("button", name="删除《阿花》").click()
    admin.get_by_role("dialog").get_by_role("button", name="取消").click()
    assert "阿花" in documents(admin)
    delete(admin, "阿花")
    assert "阿花" not in documents(admin)
    view(admin, "检索")
    expect(admin.locator(".hit").first).to_be_visible()
    expect(admin.locator(".passage", has_text="阿花")).to_have_count(0)


def test_a_file_of_any_name_can_replace_a_document(admin: Page) -> None:
    upload(admin, CAT)
    expect(admin.locator(".document", has_text="阿花")).to_be_visible()
    other = FilePayload(
        name="新.txt", mimeType="text/plain", buffer="阿花搬到车库里去了。".encode()
    )
    upload(admin, other, "替换《阿花》")
    expect(admin.get_by_role("status").filter(has_text="替换 1 份")).to_be_visible()
    expect(admin.locator(".document")).to_have_count(13)
    assert "阿花" not in documents(admin)
    delete(admin, "新")


def test_a_file_that_cannot_be_read_is_told_with_its_reason(admin: Page) -> None:
    upload(admin, FilePayload(name="空.md", mimeType="text/markdown", buffer=b" "))
    expect(admin.locator("[role=status] .bad")).to_contain_text("空.md")
    expect(admin.locator("progress")).to_be_hidden()
    with admin.expect_file_chooser() as chosen:
        admin.get_by_role("button", name="上传文件").click()
    chosen.value.set_files([CAT, FilePayload(name="坏.pdf", mimeType="", buffer=b"%PDF-1.7 x")])
    expect(admin.locator("[role=status] .bad")).to_contain_text("坏.pdf")
    expect(admin.get_by_role("status").filter(has_text="新增 1 份")).to_be_visible()
    delete(admin, "阿花")


def test_how_much_has_been_sent_is_shown_while_it_is_sent(admin: Page) -> None:
    admin.route("**/api/documents", lambda _route: None)  # it never gets there
    upload(admin, CAT)
    expect(admin.get_by_role("progressbar")).to_be_visible()
    expect(admin.locator("[data-is=doing]")).to_have_text(re.compile("正在(上传《阿花.md》|读取)"))


def test_an_upload_that_fails_says_so_and_can_be_tried_again(admin: Page) -> None:
    admin.route("**/api/documents", lambda route: route.abort())
    upload(admin, CAT)
    expect(admin.locator("[role=status] .bad")).to_contain_text("连不上服务")
    admin.unroute("**/api/documents")
    upload(admin, CAT)
    expect(admin.get_by_role("status").filter(has_text="新增 1 份")).to_be_visible()
    delete(admin, "阿花")


def test_a_refused_question_is_listed_and_can_be_answered_by_writing(
    admin: Page, address: str
) -> None:
    question = {"question": "Podman 是哪一年发布的？"}
    replies = [
        httpx2.post(f"{address}/api/chat", json=question, timeout=30).json() for _ in range(2)
    ]
    assert all(reply["refused"] for reply in replies)
    vote = {"turn_id": replies[0]["turn_id"], "vote": "down", "comment": "<b>应该有</b>"}
    httpx2.post(f"{address}/api/feedback", json=vote, timeout=30)
    view(admin, "没答好的问题")
    entry = admin.locator(".question", has_text="Podman")
    expect(entry).to_contain_text("拒答 2 次")
    expect(entry).to_contain_text("点踩 1 次")
    expect(entry.locator("blockquote")).to_have_text("<b>应该有</b>")
    entry.get_by_role("link", name="补写").click()
    dialog = admin.get_by_role("dialog", name="粘贴文字")
    expect(dialog.get_by_label("标题")).to_have_value("Podman 是哪一年发布的？")
    dialog.get_by_label("标题").fill("Podman 简史")
    dialog.get_by_label("正文").fill("Podman 是 2018 年发布的。")
    dialog.get_by_role("button", name="加入").click()
    expect(admin.get_by_role("status").filter(has_text="新增 1 份")).to_be_visible()
    reply = httpx2.post(f"{address}/api/chat", json=question, timeout=30).json()
    assert "2018" in reply["answer"]
    delete(admin, "Podman 简史")


def test_a_text_that_cannot_be_added_is_not_lost(admin: Page) -> None:
    admin.route("**/api/documents", lambda route: route.abort())
    for _ in range(2):
        admin.get_by_role("button", name="粘贴文字").click()
        dialog = admin.get_by_role("dialog", name="粘贴文字")
        if not dialog.get_by_label("正文").input_value():
            dialog.get_by_label("标题").fill("一")
            dialog.get_by_label("正文").fill("很长的文字")
        expect(dialog.get_by_label("正文")).to_have_value("很长的文字")
        dialog.get_by_role("button", name="加入").click()
        expect(admin.locator("[role=status] .bad")).to_contain_text("连不上服务")


def test_documents_are_found_by_title_or_source(admin: Page) -> None:
    search = admin.get_by_role("searchbox", name="按标题或来源查找文档")
    search.fill("TIMELINE")
    expect(admin.locator(".document")).to_have_count(1)
    expect(admin.locator("main")).to_contain_text("12 份里有 1 份")
    search.fill("没有这样的")
    expect(admin.locator("main")).to_contain_text("没有找到这样的文档。")


def test_the_index_and_the_last_measurement_are_shown(admin: Page) -> None:
    view(admin, "索引")
    facts = admin.locator(".facts")
    expect(facts).to_contain_text("90")
    expect(facts).to_contain_text("384 维，逐一比较，精确")
    expect(facts).to_contain_text("multilingual-e5-small")
    view(admin, "评测")
    expect(admin.get_by_role("heading", name="评测")).to_be_focused()
    table = admin.get_by_role("table", name="检索")
    expect(table.get_by_role("row").nth(1)).to_have_text(
        "召回率 @591.285.0 – 96.040 题90.080.0 – 100.040 题"
    )
    talk = admin.get_by_role("table", name="对话与字形")
    expect(talk.get_by_role("row").nth(1)).to_contain_text("−5.0−10.0 – +0.040 题")
    expect(admin.get_by_role("table", name="耗时（毫秒）")).to_contain_text("25.020.0 – 30.0")


def test_a_key_that_was_changed_leads_back_to_the_door(admin: Page) -> None:
    admin.evaluate("sessionStorage.setItem('wenqu.key', JSON.stringify('another-key-of-length'))")
    admin.reload()
    expect(admin.get_by_role("alert")).to_have_text("密钥不对，请再试一次。")
    expect(admin.locator(".document")).to_have_count(0)


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wrong_for_those_who_see_or_move_otherwise(
    admin: Page, violations: Callable[[Page], list[str]], width: int
) -> None:
    admin.set_viewport_size({"width": width, "height": 800})
    for name in ("文档", "没答好的问题", "检索", "索引", "评测"):
        view(admin, name)
        expect(admin.get_by_role("heading", name=name, exact=True)).to_be_focused()
        expect(admin.locator("[aria-busy]")).to_have_count(0)
        if width > 360 or name == "文档":  # the others differ only in how wide they are
            assert violations(admin) == [], name
        assert admin.evaluate("document.documentElement.scrollWidth") <= width, name
    view(admin, "文档")
    admin.get_by_role("button", name="粘贴文字").click()
    assert violations(admin) == []
    admin.keyboard.press("Escape")
    admin.get_by_role("button", name="删除").first.click()
    assert violations(admin) == []


def test_all_can_be_done_by_the_keyboard(admin: Page) -> None:
    admin.get_by_role("button", name="粘贴文字").focus()
    admin.keyboard.press("Enter")
    admin.keyboard.type("短文")
    admin.keyboard.press("Tab")
    admin.keyboard.type("一二三。")
    for _ in range(3):
        admin.keyboard.press("Tab")
    admin.keyboard.press("Enter")
    expect(admin.locator(".document", has_text="短文")).to_be_visible()
    admin.get_by_role("button", name="删除《短文》").focus()
    admin.keyboard.press("Enter")
    expect(admin.get_by_role("button", name="取消")).to_be_focused()
    admin.keyboard.press("Tab")
    admin.keyboard.press("Enter")
    expect(admin.locator(".document", has_text="短文")).to_have_count(0)
