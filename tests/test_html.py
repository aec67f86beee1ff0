import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.blocks import Block
from corpus.readers.html import read_html
from corpus.readers.inline import caption


def lines(html: str) -> list[str]:
    return [block.text for block in read_html(html).blocks]


def kinds(html: str) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in read_html(html).blocks]


def test_headings_paragraphs_and_entities_are_read() -> None:
    html = "<h1>题 &amp; 目</h1><p>一&lt;二&nbsp;三&#20804;</p>散文<h3> 子 <b>题</b></h3>"
    assert read_html(html).blocks == (
        Block("题 & 目", "heading", level=1),
        Block("一<二 三兄"),
        Block("散文"),
        Block("子 题", "heading", level=3),
    )


def test_broken_html_is_read_as_a_browser_reads_it() -> None:
    assert lines("<p>一<p>二<div>三<b>四</div>五</b></p></span>六") == [
        "一",
        "二",
        "三四",
        "五",
        "六",
    ]
    assert lines("<ul><li>甲<li>乙</ul>") == ["- 甲", "- 乙"]
    assert lines("文 <a href='x>没有结尾") == ["文"]


def test_a_paragraph_is_one_line_and_a_break_begins_another() -> None:
    assert lines("<p>容器\n   技术\n<b>Linux</b>\nkernel</p>") == ["容器技术 Linux kernel"]
    assert lines("<p>作者：张三<br>发布日期：去年</p>") == ["作者：张三", "发布日期：去年"]


def test_lists_keep_their_numbers_and_their_nesting() -> None:
    html = (
        "<ol start=3><li>甲<ul><li>子一</li><li><p>子二</p><p>续</p></li></ul></li>"
        "<li value=9>乙<br>丙</li><li><p>丁。</p><p>Docker</p></li></ol><ul><li>另</li></ul>"
    )
    blocks = read_html(html).blocks
    assert [block.text for block in blocks] == [
        "3. 甲",
        "  - 子一",
        "  - 子二续",
        "9. 乙丙",
        "10. 丁。Docker",
        "- 另",
    ]
    assert {block.kind for block in blocks} == {"item"}
    assert [block.group for block in blocks] == [1, 1, 1, 1, 1, 2]


def test_code_in_a_list_item_stands_alone_and_the_list_goes_on() -> None:
    html = "<ol><li>运行：<pre>ls\n  -l</pre>然后看。</li><li>完</li></ol>"
    assert kinds(html) == [
        ("item", "1. 运行："),
        ("code", "ls\n  -l"),
        ("paragraph", "然后看。"),
        ("item", "2. 完"),
    ]


def test_code_keeps_its_lines_and_its_asterisks() -> None:
    assert lines("<pre><code>a = b ** c\n\n\tif x:\n  y  \n</code></pre>") == [
        "a = b ** c\n\n    if x:\n  y"
    ]
    assert lines("<p><b>**甲*</b>用 <code>**x**</code> 写</p>") == ["甲用 **x** 写"]


def test_each_block_in_code_is_a_line() -> None:
    assert lines("<pre><div>a</div><div>  b</div>c<br><br>d</pre>") == ["a\n  b\nc\n\nd"]


def test_rows_of_a_table_repeat_a_cell_that_spans_them() -> None:
    html = (
        "<table><caption>年表</caption><thead><tr><th>系统</th><th>年</th></tr></thead>"
        "<tr><td rowspan=2>chroot</td><td>1979</td></tr><tr><td>1982\n<p>BSD</p></td></tr>"
        "<tr><td>jail</td><td>1999</td></tr><tr><td></td></tr></table>"
    )
    assert kinds(html) == [
        ("paragraph", "年表"),
        ("row", "| 系统 | 年 |"),
        ("row", "| chroot | 1979 |"),
        ("row", "| chroot | 1982 BSD |"),
        ("row", "| jail | 1999 |"),
    ]


def test_blocks_inside_a_cell_or_an_item_run_together() -> None:
    cells = "<td><ul><li>甲</li><li>Docker</li></ul></td><td><p>乙</p><p>丙</p></td>"
    assert lines(f"<table><tr>{cells}</tr></table>") == ["| 甲 Docker | 乙丙 |"]
    assert kinds("<ul><li><h3>题</h3><p>文</p></li></ul>") == [("item", "- 题文")]
    assert kinds("<h2><p>题</p><ul><li>文</li></ul></h2>") == [("heading", "题文")]
    assert lines("<li>孤</li>") == ["- 孤"]


def test_a_table_that_only_places_things_is_no_table() -> None:
    assert lines("<table><tr><td><p>一</p><p>二</p></td></tr></table>") == ["一", "二"]
    nested = (
        "<table><tr><td>侧</td><td><table><tr><td>甲</td><td>乙</td></tr></table></td></tr></table>"
    )
    assert lines(nested) == ["侧", "| 甲 | 乙 |"]
    assert kinds("<table><tr><td><h2>题</h2></td><td>文</td></tr></table>") == [
        ("heading", "题"),
        ("paragraph", "文"),
    ]


@pytest.mark.parametrize(
    "unseen",
    [
        "<script>x</script>",
        "<style>p{}</style>",
        "<!-- 注 -->",
        "<nav><a>首页</a></nav>",
        "<div hidden>藏</div>",
        "<div style='display: none'>藏</div>",
        "<span style='visibility:hidden'>藏</span>",
        "<span aria-hidden=true>藏</span>",
        "<div role=navigation>首页</div>",
        "<noscript>请打开脚本</noscript>",
        "<button>复制</button><select><option>甲</option></select><svg><text>图</text></svg>",
        "<template>藏</template>",
        "<img alt=img src=x><img alt=image.png><img alt=图片1><img>",
        "&#0;&#xD800;",
    ],
)
def test_what_a_reader_of_the_page_does_not_see_is_left_out(unseen: str) -> None:
    assert lines(f"<p>前</p>{unseen}<p>后</p>") == ["前", "后"]


def test_line_numbers_beside_code_are_left_out() -> None:
    html = (
        "<figure class=highlight><table><tr><td class=gutter><pre>1<br>2</pre></td>"
        "<td class=code><pre>ls<br>pwd</pre></td></tr></table></figure>"
    )
    assert kinds(html) == [("code", "ls\npwd")]


def test_a_caption_is_kept_once() -> None:
    assert lines("<p><img alt='容器架构图'></p>") == ["容器架构图"]
    figure = "<figure><img alt='容器架构图'>{}</figure>"
    assert lines(figure.format("")) == ["容器架构图"]
    assert lines(figure.format("<figcaption>图一：架构</figcaption>")) == ["图一：架构"]


@pytest.mark.parametrize(
    ("alt", "text"),
    [
        ("容器架构图", "容器架构图"),
        ("Cloud native landscape", "Cloud native landscape"),
        ("img", ""),
        ("在这里插入图片描述", ""),
        ("图片 3", ""),
        ("架构.png", ""),
        ("https://x.org/a b", "https://x.org/a b"),
        ("3f2a9c1d5e6b7a8f9c0d", ""),
        ("logo", ""),
        ("", ""),
    ],
)
def test_an_image_speaks_only_if_its_text_is_a_caption(alt: str, text: str) -> None:
    assert caption(alt) == text


def test_the_address_of_a_link_shows_only_where_its_text_says_nothing() -> None:
    link = "<p><a href='https://x.org/a'>{}</a></p>"
    assert lines("<h2>参考文献</h2>" + link.format("容器史")) == ["参考文献", "容器史"]
    assert lines("<h2>参考文献</h2>" + link.format("链接")) == [
        "参考文献",
        "链接（https://x.org/a）",
    ]
    assert lines("<p><b>参考资料</b></p>" + link.format("原文"))[1] == "原文（https://x.org/a）"
    assert lines("<h2>背景</h2>" + link.format("链接")) == ["背景", "链接"]
    assert lines("<h2>题<a href='#x'>¶</a></h2>") == ["题"]


def test_a_power_is_not_read_as_digits_that_follow() -> None:
    assert lines("<p>10<sup>5</sup>个，m<sup>2</sup>，H<sub>2</sub>O，容器<sup>1</sup></p>") == [
        "10^5个，m^2，H2O，容器1"
    ]


def test_reading_aids_over_characters_are_left_out() -> None:
    assert lines("<ruby>漢<rp>(</rp><rt>hàn</rt><rp>)</rp></ruby>字") == ["漢字"]


def test_emphasis_marks_that_a_broken_conversion_left_are_taken_out() -> None:
    html = (
        "<p>在<strong>**公有云*</strong><em>等环境中运行</em><strong><em>可扩展*</em></strong>的应用，"
        "如<strong>**容器*</strong>*。</p>"
    )
    assert lines(html) == ["在公有云等环境中运行可扩展的应用，如容器。"]
    assert lines("<p>**“开放”**的<i>容</i>器 **`x`** 2**3**4</p>") == [
        "“开放”的容器 **`x`** 2**3**4"
    ]


def test_an_asterisk_that_somebody_meant_stays() -> None:
    assert lines("<p><b>价格</b>*含税，2*3=6，<b>a*</b></p>") == ["价格*含税，2*3=6，a*"]


def test_a_paragraph_that_is_bold_throughout_is_marked_as_strong() -> None:
    html = (
        "<p><b>背</b> <strong>景</strong></p><p><span style='font-weight:700'>小结</span></p>"
        "<p><b>甲</b>乙</p><ul><li><b>丙</b></li></ul>"
    )
    assert [block.strong for block in read_html(html).blocks] == [True, True, False, False]


def test_title_and_metadata_come_from_the_head() -> None:
    content = read_html(
        "<html><head><title> 容器 &amp; 史 </title><meta name=author content=张三>"
        "<meta property='article:published_time' content='2020-10-13'>"
        "<meta name=viewport content=x>"
        "</head><body><svg><title>图</title></svg>文</body></html>"
    )
    assert content.title == "容器 & 史"
    assert content.metadata == {"author": "张三", "date": "2020-10-13"}


def test_the_article_is_taken_out_of_its_page_if_it_holds_most_of_the_text() -> None:
    article = "容器技术的历史。" * 20
    page = f"<header>网站</header><article><p>{article}</p></article><footer>版权</footer>"
    assert lines(page) == [article]
    assert lines("<p>正文很长，不在卡片里。</p><article>卡片</article>") == [
        "正文很长，不在卡片里。",
        "卡片",
    ]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("<div>", "</div>"),
        ("<div>", ""),
        ("<ul><li>", ""),
        ("<b id={}>", ""),
        ("<x{}>", ""),
        ("<table><tr><td>", ""),
        ("<blockquote>", "</blockquote>"),
        ("<svg>", ""),
        ("<p><font color={}>", ""),
    ],
)
def test_a_page_nested_a_hundred_thousand_deep_is_read_in_time(start: str, end: str) -> None:
    depth = 100_000
    begin = time.process_time()
    html = "".join(start.format(number) for number in range(depth)) + "底" + end * depth
    texts = lines(html)
    assert time.process_time() - begin < 20  # a parser left to itself takes minutes
    if start != "<svg>":
        assert texts[-1].endswith("底")


@pytest.mark.parametrize(
    "piece", ["<li><p>段</p>", "<td rowspan=999>格", "文<br>", "<a>链</a>", "&amp;"]
)
def test_time_grows_with_the_length_and_no_faster(
    piece: str, cpu_seconds: Callable[[Callable[[], object]], float]
) -> None:
    def seconds(times: int) -> float:
        html = "<ul><table><tr>" + piece * times
        return cpu_seconds(lambda: read_html(html))

    assert seconds(16_000) < 9 * max(seconds(4_000), 0.02)  # 16 times, were it quadratic


TAGS = [
    "p",
    "div",
    "b",
    "em",
    "li",
    "ol",
    "table",
    "tr",
    "td",
    "h2",
    "pre",
    "br",
    "a",
    "sup",
    "script",
]
TOKEN = st.one_of(
    st.sampled_from([*(f"<{tag}>" for tag in TAGS), *(f"</{tag}>" for tag in TAGS)]),
    st.sampled_from(
        ["容器", "Docker ", "**", "*", "\n", "\u3000", "&nbsp;", "<!--", "-->", "<", "&"]
    ),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(TOKEN, max_size=40))
def test_whatever_the_page_its_blocks_are_clean_lines(tokens: list[str]) -> None:
    for block in read_html("".join(tokens)).blocks:
        assert block.text.strip() == block.text or block.kind in {"item", "code"}
        assert block.text.strip()
        assert block.kind == "code" or "\n" not in block.text
        assert "\u00a0" not in block.text
