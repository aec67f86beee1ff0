from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.blocks import Block, Content
from corpus.structure import compose


def heading(text: str, level: int) -> Block:
    return Block(text, "heading", level=level)


def test_blocks_part_by_a_blank_line_and_items_of_one_list_by_a_line_end() -> None:
    blocks = (
        Block("一段。"),
        Block("- 甲", "item", group=1),
        Block("  - 乙", "item", group=1),
        Block("- 另一个列表", "item", group=2),
        Block("| a | b |", "row", group=3),
        Block("| 1 | 2 |", "row", group=3),
        Block("x = 1\n\n  y = 2", "code"),
    )
    _, text, sections = compose(Content(blocks), "stem")
    assert text == (
        "一段。\n\n- 甲\n  - 乙\n\n- 另一个列表\n\n| a | b |\n| 1 | 2 |\n\nx = 1\n\n  y = 2"
    )
    assert sections == ()


def test_a_section_ends_before_the_next_heading_that_is_not_below_it() -> None:
    blocks = (
        heading("题", 1),
        heading("甲", 2),
        Block("文一。"),
        heading("子", 3),
        Block("文二。"),
        heading("乙", 2),
        Block("文三。"),
    )
    title, text, sections = compose(Content(blocks), "stem")
    assert title == "题"
    assert text == "题\n\n甲\n\n文一。\n\n子\n\n文二。\n\n乙\n\n文三。"
    spans = [(s.heading, s.level, text[s.start : s.end]) for s in sections]
    assert spans == [
        ("题", 1, text),
        ("甲", 2, "甲\n\n文一。\n\n子\n\n文二。"),
        ("子", 3, "子\n\n文二。"),
        ("乙", 2, "乙\n\n文三。"),
    ]


def test_title_author_and_date_open_the_text() -> None:
    metadata = {"title": "容器简史", "author": "张三", "date": "2020-10-13"}
    title, text, sections = compose(Content((Block("正文。"),), metadata), "stem")
    assert title == "容器简史"
    assert text == "容器简史\n\n作者：张三\n\n发布日期：2020年10月13日\n\n正文。"
    assert [(s.heading, s.level, s.start, s.end) for s in sections] == [
        ("容器简史", 1, 0, len(text))
    ]


def test_a_title_is_not_said_twice() -> None:
    metadata = {"title": "容器简史", "author": "张三"}
    for first in (heading("容器简史", 1), heading("容器简史", 2), Block("容器简史")):
        _, text, _ = compose(Content((first, Block("正文。")), metadata), "stem")
        assert text == "容器简史\n\n作者：张三\n\n正文。"
    _, text, _ = compose(Content((heading("另一题", 1), Block("正文。")), metadata), "stem")
    assert text == "容器简史\n\n作者：张三\n\n另一题\n\n正文。"


def test_the_best_title_that_there_is_is_taken() -> None:
    page = (heading("题", 1), Block("文。"))
    chapters = (heading("一", 1), Block("文。"), heading("二", 1), Block("文。"))
    assert compose(Content(page, {"title": "元"}, title="页"), "stem")[0] == "元"
    assert compose(Content(page, title="页"), "stem")[0] == "题"
    assert compose(Content(chapters, title="页"), "stem")[0] == "页"
    assert compose(Content(chapters), "stem")[0] == "一"
    assert compose(Content((Block("文。"),), title="页"), "stem")[0] == "页"
    assert compose(Content((heading("节", 2), Block("文。"))), "stem")[0] == "节"
    assert compose(Content((Block("文。"),)), "stem")[0] == "stem"
    assert compose(Content((Block("文。"),)), " \n")[0] == "document"


def test_a_short_bold_paragraph_is_a_heading_below_the_last_real_one() -> None:
    def bold(text: str) -> Block:
        return Block(text, strong=True)

    blocks = (
        bold("背景"),
        Block("文。"),
        heading("实", 2),
        bold("子题"),
        Block("文。"),
        bold("尾"),
    )
    _, _, sections = compose(Content(blocks), "stem")
    assert [(s.heading, s.level) for s in sections] == [("背景", 2), ("实", 2), ("子题", 3)]


def test_a_bold_sentence_is_no_heading() -> None:
    for text in ("这是一句话。", "注意：", "真的吗？", "等等…", "字" * 31, "他说“好”"):
        blocks = (Block(text, strong=True), Block("文。"))
        assert compose(Content(blocks), "stem")[2] == ()


LINE = st.text(st.characters(categories=["Lo", "Ll"]), min_size=1, max_size=40)
BLOCK = st.one_of(
    st.builds(heading, LINE, st.integers(1, 6)),
    st.builds(Block, LINE, strong=st.booleans()),
    st.builds(lambda text, group: Block(f"- {text}", "item", group=group), LINE, st.integers(1, 3)),
)


@settings(deadline=None)
@given(st.lists(BLOCK, min_size=1), st.dictionaries(st.sampled_from(["title", "author"]), LINE))
def test_sections_nest_and_begin_with_their_heading(
    blocks: list[Block], metadata: dict[str, str]
) -> None:
    _, text, sections = compose(Content(tuple(blocks), metadata), "stem")
    starts = [section.start for section in sections]
    assert starts == sorted(set(starts))
    for section in sections:
        assert text.startswith(section.heading, section.start)
        assert 0 <= section.start < section.end <= len(text)
        assert text[section.end : section.end + 2] in {"", "\n\n"}
    for outer in sections:
        for inner in sections:
            if outer.start < inner.start < outer.end:
                assert inner.end <= outer.end
                assert inner.level > outer.level
