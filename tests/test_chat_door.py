"""The chat page of a service that needs a key, in a real browser."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from bot.keys import Keys
from bot.runtime import Runtime
from bot.testing import CAT_QUESTION, serving

pytestmark = pytest.mark.slow


@pytest.fixture
def closed(runtime: Runtime) -> Iterator[tuple[str, str]]:
    """Address of a service with a key, and the key."""
    _, key = Keys(runtime.database).add("网页", ["ask"])
    with serving(runtime) as port:
        yield f"http://127.0.0.1:{port}/", key


def enter(page: Page, key: str) -> None:
    page.get_by_label("密钥", exact=True).fill(key)
    page.get_by_role("button", name="进入").click()


def ask(page: Page) -> None:
    page.get_by_label("问题").fill(CAT_QUESTION)
    page.get_by_role("button", name="发送").click()


def test_the_key_is_asked_for_once_and_then_everything_works(
    page: Page, closed: tuple[str, str], violations: Callable[[Page], list[str]]
) -> None:
    url, key = closed
    page.goto(url)
    expect(page.get_by_role("dialog")).to_be_visible()
    assert violations(page) == []
    enter(page, key)
    expect(page.get_by_role("dialog")).to_be_hidden()
    ask(page)
    expect(page.get_by_text("阿花在屋顶上睡觉").first).to_be_visible()
    page.reload()  # the tab knows the key, and the conversation comes back
    expect(page.get_by_text("阿花在屋顶上睡觉").first).to_be_visible()
    assert page.get_by_role("dialog").is_hidden()
    assert key not in page.content()


def test_a_wrong_key_is_told_and_another_one_asked_for_with_the_next_question(
    page: Page, closed: tuple[str, str]
) -> None:
    url, key = closed
    page.goto(url)
    enter(page, "wq_000000000000_" + "x" * 43)
    expect(page.get_by_role("dialog")).to_be_hidden()
    ask(page)
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("密钥").first).to_be_visible()  # what the service says of it
    page.get_by_role("button", name="重试").click()
    enter(page, key)
    expect(page.get_by_text("阿花在屋顶上睡觉").first).to_be_visible()
