import time

import pytest

from corpus.frontmatter import peel
from corpus.opening import opening_lines, readable_date


def test_front_matter_becomes_strings_as_they_were_written() -> None:
    text = (
        "\n---\ntitle: '容器简史'\ncategories: \n - 博客\n - 首页\ndate: 2020-10-13\n"
        "version: 1.10\ncomments: no\nempty:\nnested:\n  key: 值\n---\n\n正文。\n"
    )
    metadata, body = peel(text)
    assert body == "\n正文。\n"
    assert metadata == {
        "title": "容器简史",
        "categories": "博客、首页",
        "date": "2020-10-13",
        "version": "1.10",
        "comments": "no",
        "empty": "",
        "nested": '{"key": "值"}',
    }


@pytest.mark.parametrize(
    "text",
    [
        "没有元数据。\n---\n",
        "---\n没有结尾，只有一条线。\n",
        "---\n\n正文在两条线之间，没有冒号\n\n---\n更多正文。",
        "---- \ntitle: x\n---\n",
        "---\n" + "a: b\n" * 20_000 + "---\n正文",
        "",
    ],
)
def test_a_text_without_front_matter_stays_whole(text: str) -> None:
    assert peel(text) == ({}, text)


def test_yaml_that_does_not_parse_is_read_line_by_line() -> None:
    text = "---\ntitle: Docker: 容器简史\nauthor: @张三\n---\n正文"
    assert peel(text) == ({"title": "Docker: 容器简史", "author": "@张三"}, "正文")


@pytest.mark.parametrize(
    "bomb",
    [
        "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(6)).replace(
            "*a0", "x"
        ),
        "a: " + "[" * 30_000,
        "a: !!python/object/apply:os.system ['touch /tmp/x']\n",
    ],
)
def test_a_bomb_in_front_matter_is_harmless(bomb: str) -> None:
    start = time.perf_counter()
    metadata, body = peel(f"---\n{bomb}\n---\n正文")
    assert time.perf_counter() - start < 5
    assert body.endswith("正文")
    assert all(len(value) < 40_000 for value in metadata.values())


@pytest.mark.parametrize(
    ("written", "readable"),
    [
        ("Tue, 13 Oct 2020 00:00:00 GMT", "2020年10月13日（Tue, 13 Oct 2020 00:00:00 GMT）"),
        ("2020-10-13", "2020年10月13日"),
        ("2020/1/2", "2020年1月2日"),
        ("2020.01.02", "2020年1月2日"),
        ("2020年10月13日", "2020年10月13日"),
        ("2020-10-13 08:00:00", "2020年10月13日（2020-10-13 08:00:00）"),
        ("2020-10-13T08:00:00+08:00", "2020年10月13日（2020-10-13T08:00:00+08:00）"),
        ("October 13, 2020", "2020年10月13日（October 13, 2020）"),
        ("13 Oct 2020", "2020年10月13日（13 Oct 2020）"),
        ("2020-13-45", "2020-13-45"),
        ("去年秋天", "去年秋天"),
        ("2020-10-133", "2020-10-133"),
    ],
)
def test_a_date_is_shown_the_chinese_way_with_what_was_written(written: str, readable: str) -> None:
    assert readable_date(written) == readable


def test_author_and_date_are_put_into_words_in_this_order() -> None:
    metadata = {"date": "2020-1-2", "tags": "甲", "author": "张三"}
    assert opening_lines(metadata) == ["作者：张三", "发布日期：2020年1月2日"]
    assert opening_lines({"作者": "李四", "日期": "去年"}) == ["作者：李四", "发布日期：去年"]
    assert opening_lines({"author": "", "weight": "50"}) == []
