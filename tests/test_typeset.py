import re
from collections.abc import Sequence
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ink import Ink
from bot.typeset import Heading, headings, typeset
from corpus.document import Document, Section
from corpus.sentences import Span

WORDS = st.sampled_from(
    [
        "- 猫",
        "  - 狗",
        "2. 鸟",
        "| a | b |",
        "|  | c |  |",
        "𠮷野家 <b>",
        "",
        "  if x:",
        "（1） 鱼",
        "标题",
    ]
)


def html_of(
    text: str, *sections: Section, cited: Span | None = None, others: Sequence[Span] = ()
) -> str:
    document = Document("a", "题", text, "a.md", {}, sections)
    return typeset(document, Ink(text, cited, others))


def text_of(html: str) -> str:
    return unescape(re.sub("<[^>]*>", "", html))


def test_paragraphs_are_separate_and_escaped() -> None:
    assert html_of("猫 <b>。\n\n狗 & 鸟。") == "<p>猫 &lt;b&gt;。</p>\n<p>狗 &amp; 鸟。</p>"


def test_items_nest_by_their_indentation() -> None:
    html = html_of("- 猫\n  - 黑猫\n  - 白猫\n- 狗")
    assert re.sub('<span class="sign">- </span>', "", html) == (
        "<ul><li>猫<ul><li>黑猫</li><li>白猫</li></ul></li><li>狗</li></ul>"
    )


def test_an_item_that_stands_further_out_begins_a_list_of_its_own() -> None:
    html = html_of("  - 猫\n- 狗")
    assert re.sub('<span class="sign">- </span>', "", html) == (
        "<ul><li>猫</li></ul><ul><li>狗</li></ul>"
    )


def test_numbers_of_items_are_kept() -> None:
    html = html_of("3. 猫\n4. 狗")
    assert html == (
        '<ol><li value="3"><span class="sign">3. </span>猫</li>'
        '<li value="4"><span class="sign">4. </span>狗</li></ol>'
    )


def test_signs_that_html_does_not_know_are_shown() -> None:
    assert html_of("（1） 猫") == '<ul class="signed"><li>（1） 猫</li></ul>'
    assert html_of("① 猫\n- 狗") == (
        '<ul class="signed"><li>① 猫</li></ul><ul><li><span class="sign">- </span>狗</li></ul>'
    )


def test_rows_are_a_table_headed_by_the_first() -> None:
    html = html_of("| 时间 |  |\n| 1979 年 | chroot |")
    assert re.sub('<span class="sign">[ |]*</span>', "", html) == (
        '<div class="table" role="region" aria-label="表格" tabindex="0"><table>'
        '<thead><tr><th scope="col">时间</th><td></td></tr></thead>'
        "<tbody><tr><td>1979 年</td><td>chroot</td></tr></tbody></table></div>"
    )


def test_a_single_row_heads_nothing() -> None:
    html = html_of("| a | b |")
    assert "<th" not in html
    assert html.count("<td>") == 2


@pytest.mark.parametrize("text", ["| |", "|", "| a", "a |"])
def test_bars_alone_are_no_table(text: str) -> None:
    assert html_of(text) == f"<p>{text}</p>"


def test_lines_that_stand_together_keep_their_shape() -> None:
    assert html_of("if x:\n    run(x)") == "<pre>if x:\n    run(x)</pre>"
    assert html_of("床前明月光，\n  疑是地上霜。") == (
        '<p class="lines">床前明月光，\n  疑是地上霜。</p>'
    )


def test_headings_are_headings_without_gaps_in_their_depth() -> None:
    text = "题\n甲\n乙\n丙\n丁"
    levels = [1, 4, 6, 6, 2]
    sections = tuple(
        Section(text[2 * at], level, 2 * at, len(text)) for at, level in enumerate(levels)
    )
    html = html_of(text, *sections)
    assert html == (
        '<h1 id="s0">题</h1>\n<h2 id="s2">甲</h2>\n<h3 id="s4">乙</h3>\n<h3 id="s6">丙</h3>\n'
        '<h2 id="s8">丁</h2>'
    )


def test_the_headings_are_told_in_order() -> None:
    document = Document("a", "题", "甲\n\n猫。", "a.md", {}, (Section("甲", 3, 0, 5),))
    assert headings(document) == [Heading(0, 2, "甲")]


def test_marks_are_written_in_order_and_never_overlap() -> None:
    html = html_of("猫狗鸟鱼虫", cited=Span(1, 3), others=[Span(0, 2), Span(2, 5), Span(4, 5)])
    assert html == (
        '<p><mark class="other">猫</mark><mark id="cited" tabindex="-1" autofocus>狗鸟</mark>'
        '<mark class="other">鱼虫</mark></p>'
    )


def test_a_citation_over_several_blocks_is_marked_in_each_and_named_once() -> None:
    html = html_of("猫。\n\n狗。\n\n鸟。", cited=Span(1, 7))
    assert html == (
        '<p>猫<mark id="cited" tabindex="-1" autofocus>。</mark></p>\n'
        "<p><mark>狗。</mark></p>\n<p>鸟。</p>"
    )


def test_a_hidden_sign_is_never_what_is_scrolled_to() -> None:
    html = html_of("- 猫", cited=Span(0, 3))
    assert '<span class="sign"><mark>- </mark></span><mark id="cited"' in html


@given(st.lists(WORDS, min_size=1), st.integers(0, 60), st.integers(0, 60))
def test_every_character_of_a_line_is_in_the_page_in_order(
    words: list[str], start: int, end: int
) -> None:
    text = "\n".join(words)
    if not text.strip():
        return
    html = html_of(text, cited=Span(start, end))
    assert "".join(text_of(html).split()) == "".join(text.split())
    marked = "".join(re.findall("<mark[^>]*>([^<]*)</mark>", html))
    assert "".join(unescape(marked).split()) == "".join(text[start:end].split())


@given(st.lists(WORDS, min_size=1))
def test_every_element_is_closed_where_it_has_to_be(words: list[str]) -> None:
    text = "\n".join(words)
    if not text.strip():
        return
    open_tags: list[str] = []
    for closing, tag in re.findall("<(/?)([a-z0-9]+)[^>]*>", html_of(text)):
        if closing:
            assert open_tags.pop() == tag
        else:
            open_tags.append(tag)
    assert open_tags == []
