from collections.abc import Callable

import pytest

from corpus.readers.hugo import without_anchors, without_comments, without_shortcodes
from corpus.readers.markdown import read_markdown


def lines(markdown: str) -> list[str]:
    return [block.text for block in read_markdown(markdown).blocks]


def test_markdown_is_read_with_its_structure() -> None:
    markdown = (
        "# 容器 **史**\n\n容器隔离进程，\n它很轻。\n\n## 列表 {#list}\n\n1. 甲\n2. 乙\n   - 子\n\n"
        "| 年 | 系统 |\n|---|---|\n| 1979 | `chroot` |\n\n```sh\nls  -l\n\n  pwd\n```\n\n> 引文\n\n"
        "见[文档](https://x.org)和![架构图](a.png)。\n"
    )
    blocks = read_markdown(markdown).blocks
    assert [(block.kind, block.level, block.text) for block in blocks] == [
        ("heading", 1, "容器 史"),
        ("paragraph", 0, "容器隔离进程，它很轻。"),
        ("heading", 2, "列表"),
        ("item", 0, "1. 甲"),
        ("item", 0, "2. 乙"),
        ("item", 0, "  - 子"),
        ("row", 0, "| 年 | 系统 |"),
        ("row", 0, "| 1979 | chroot |"),
        ("code", 0, "ls  -l\n\n  pwd"),
        ("paragraph", 0, "引文"),
        ("paragraph", 0, "见文档和架构图。"),
    ]


def test_bold_that_commonmark_leaves_beside_a_full_width_mark_is_undone() -> None:
    assert lines("这是**“开放”**的。**注意。**后文") == ["这是“开放”的。注意。后文"]
    assert lines("见**[文档](x)里的步骤。**后") == ["见文档里的步骤。后"]
    assert lines("`**甲**`和 2 ** 3 ** 4") == ["**甲**和 2 ** 3 ** 4"]


def test_footnotes_come_at_the_end() -> None:
    assert lines("容器[^1]很轻。\n\n[^1]: https://x.org/a\n") == [
        "容器[1]很轻。",
        "1. https://x.org/a",
    ]


@pytest.mark.parametrize(
    ("markdown", "left"),
    [
        ("前\n<!-- one\n\ntwo -->\n后", ["前", "后"]),
        ("前<!-- 注 -->后", ["前后"]),
        ("<!--\nTitle\n-->\n# 题", ["题"]),
        ("1. 甲\n   <!--\n2. English\n-->\n2. 乙", ["1. 甲", "2. 乙"]),
        ("```html\n<!-- 例 -->\n```", ["<!-- 例 -->"]),
        ("用 `<!-- 例 -->` 写", ["用 <!-- 例 --> 写"]),
        ("<!-- ```\n-->\n文", ["文"]),
        ("<!--\n```\n-->\n文", ["文"]),
        ("```\n<!--\n```\n文", ["<!--", "文"]),
        ("文\n\n<!-- 没有结尾\n\n藏", ["文"]),
        ("<table><tr><td>甲</td>\n<!-- x -->\n    <td>乙</td></tr></table>", ["| 甲 | 乙 |"]),
    ],
)
def test_comments_go_except_in_code(markdown: str, left: list[str]) -> None:
    assert lines(markdown) == left


@pytest.mark.parametrize(
    ("shortcode", "words"),
    [
        ('{{< glossary_tooltip text="Pod" term_id="pod" >}}', "Pod"),
        ('{{<glossary_tooltip term_id="pod" text="容器组">}}', "容器组"),
        ('{{% heading "whatsnext" %}}', "接下来"),
        ('{{% heading "prerequisites" %}}', "准备开始"),
        ('{{% heading "其他" %}}', "其他"),
        ("{{< note >}}甲{{< /note >}}", "甲"),
        ('{{< figure src="a.svg" caption="图一" >}}', "图一"),
        ('{{% tab name="Linux" %}}甲{{% /tab %}}', "Linux甲"),
        ('{{< tabs name="id" >}}甲{{< /tabs >}}', "甲"),
        ("{{< mermaid >}}graph{{< /mermaid >}}乙", "乙"),
        ("{{< comment >}}藏{{< /comment >}}甲{{< comment >}}乙", "甲乙"),
        ("{{</* note */>}}", ""),
        ("{{ .Values.x }} {{< 没有结尾", "{{ .Values.x }} {{< 没有结尾"),
    ],
)
def test_a_shortcode_gives_its_words(shortcode: str, words: str) -> None:
    assert without_shortcodes(shortcode) == words


def test_an_anchor_goes_only_from_the_end_of_a_line() -> None:
    assert without_anchors("## 题 {#what-is}\n文 {#x} 文\n题{#y}  ") == "## 题\n文 {#x} 文\n题"


@pytest.mark.parametrize(
    "piece",
    ["<!--", "a`<!--", "{{< ", '{{< a "', "{{< comment >}}", "{#", "**甲", "[", "> ", "- a\n", "`"],
)
def test_time_grows_with_the_length_and_no_faster(
    piece: str, cpu_seconds: Callable[[Callable[[], object]], float]
) -> None:
    def seconds(times: int) -> float:
        return cpu_seconds(lambda: read_markdown(piece * times))

    assert seconds(8_000) < 9 * max(seconds(2_000), 0.02)  # 16 times, were it quadratic


def test_a_comment_that_ends_nowhere_hides_the_rest_of_the_text() -> None:
    assert without_comments("甲\n<!-- 乙\n丙") == "甲\n\n\n"
