import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.llm.plain import plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("容器隔离进程。", "容器隔离进程。"),
        ("**容器** __隔离__ `进程`。", "容器 隔离 进程。"),
        ("## 标题", "标题"),
        ("> 引用", "引用"),
        ("* 一项", "- 一项"),
        ("1. 一项", "1. 一项"),
        ("见[官网](https://evil.example/a?b=c)。", "见官网。"),
        ("见[官网][1]。", "见官网。"),
        ("图![猫](https://evil.example/x.png)好。", "图好。"),
        ("图![猫](https://evil.example/x.png", "图"),
        ("见 https://evil.example/路好。", "见 路好。"),
        ("见<https://evil.example>。", "见。"),
        ("www.evil.example 好", "好"),
        ("点 javascript:alert(1) 好", "点 好"),
        ("<b>容器</b><br/>隔离", "容器隔离"),
        ("<script>alert(1)</script>好", "好"),
        ("<img src=x onerror=alert(1)>好", "好"),
        ("&lt;img src=x onerror=alert(1)&gt;好", "好"),
        ("&amp;lt;b&amp;gt;好", "好"),
        ("<<b>img src=x>好", "好"),
        ("<!-- 藏 -->好", "好"),
        ('<img alt="', ""),
        ("a < b，c > d", "a < b，c > d"),
        ("2*3=6，2 * 3", "2*3=6，2 * 3"),
        ("好\u202e坏\u200b人\x07", "好坏人"),
        ("2010 年 。", "2010 年。"),
        ("in 2010 .", "in 2010."),
        ("| 一 | 二 |", "一 | 二"),
        ("一行\n又一行", "一行 又一行"),
    ],
)
def test_only_plain_text_is_left(text: str, expected: str) -> None:
    assert plain(text) == expected


MARKUP = re.compile(
    r"<[A-Za-z/!]|https?://|javascript:|!\[|\]\(|[\x00-\x08\u200b-\u200f\u202a-\u202e]"
)
WORDS = (
    "< > b script / img ![ ]( ) ] [ ( http :// ht tp://x &lt; &amp; lt; java script: ! -- * ` 好"
)
PARTS = st.sampled_from([*WORDS.split(), " ", "\u200b", " src=x", "**"])


@given(st.lists(PARTS, max_size=25).map("".join))
def test_no_markup_comes_through_however_it_is_nested(text: str) -> None:
    assert not MARKUP.search(plain(text)), text


@given(st.text())
def test_plain_text_stays_as_it_is(text: str) -> None:
    once = plain(text)
    assert plain(once) == once
