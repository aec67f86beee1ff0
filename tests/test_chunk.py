import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.chunk import chunk
from corpus.document import Document, Section
from corpus.sentences import sentences

SENTENCE = "容器用命名空间隔离进程，用控制组限制资源。"  # 21 characters


def plain(text: str) -> Document:
    return Document(id="d", title="d", text=text, source="d")


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Headings of changing depth over paragraphs, lists and rows; some sections empty."""
    block = st.one_of(
        st.integers(1, 40).map(lambda n: SENTENCE * n),
        st.integers(1, 9).map(
            lambda n: "\n".join(f"{i + 1}. 第{i}项：{SENTENCE}" for i in range(n))
        ),
        st.just("| 年 | 事 |\n| 1979 | chroot |"),
        st.just("没有标点的一行" * 30),
        st.just("𠮷😀"),
    )
    parts = draw(
        st.lists(st.tuples(st.integers(1, 3), st.lists(block, max_size=3)), min_size=1, max_size=6)
    )
    text, starts = "", []
    for level, blocks in parts:
        starts.append((level, len(text)))
        text += "\n\n".join([f"标题{len(starts)}", *blocks]) + "\n\n"
    sections = []
    for at, (level, start) in enumerate(starts):
        ends = [other for deeper, other in starts[at + 1 :] if deeper <= level]
        end = ends[0] if ends else len(text)
        sections.append(Section(f"标题{at + 1}", level, start, end))
    return Document(id="d", title="d", text=text, source="d", sections=tuple(sections))


@given(documents())
def test_passages_are_exact_ordered_and_lose_no_word(document: Document) -> None:
    passages = chunk(document)
    last = 0
    kept = [False] * len(document.text)
    for passage in passages:
        passage.check(document)
        assert passage.start >= last
        last = passage.end
        kept[passage.start : passage.end] = [True] * len(passage.text)
    headings = {heading for passage in passages for heading in passage.headings}
    rest = (" " if done else shown for done, shown in zip(kept, document.text, strict=True))
    lost = set("".join(rest).split())
    assert lost <= headings  # a heading is searched with its passages, all else is in one


@given(documents())
def test_passages_begin_and_end_with_sentences_and_stay_below_the_limit(
    document: Document,
) -> None:
    spans = sentences(document.text)
    starts, ends = {span.start for span in spans}, {span.end for span in spans}
    for passage in chunk(document):
        assert len(passage.text) <= 350
        long = [
            s
            for s in spans
            if s.start < passage.end and passage.start < s.end and s.end - s.start > 350
        ]
        if not long:
            assert passage.start in starts
            assert passage.end in ends


def test_a_long_paragraph_is_shared_out_evenly() -> None:
    passages = chunk(plain(SENTENCE * 40))  # 840 characters: three of about 280
    assert [len(p.text) for p in passages] == [273, 273, 294]


def test_a_passage_rather_ends_with_a_paragraph() -> None:
    passages = chunk(plain(SENTENCE * 9 + "\n\n" + SENTENCE * 10))
    assert [p.text.count("。") for p in passages] == [9, 10]


def test_a_list_stays_with_the_line_that_announces_it() -> None:
    text = "分为三种：\n- 进程隔离。\n- 硬件分区。\n- 语言运行时隔离。"
    assert [p.text for p in chunk(plain(text))] == [text]


def test_a_list_item_is_not_cut_between_its_sentences() -> None:
    items = "\n".join(f"{n}. {SENTENCE * 5}" for n in range(1, 6))  # 108 characters each
    for passage in chunk(plain(items)):
        assert passage.text[0].isdigit()


def test_a_sentence_that_is_too_long_is_cut_at_its_clauses() -> None:
    text = "没有句号的一段，" * 100
    passages = chunk(plain(text))
    assert "".join(p.text for p in passages) == text
    assert all(p.text.endswith("，") for p in passages)
    assert all(p.text == "字" * len(p.text) for p in chunk(plain("字" * 1000)))


def test_sections_do_not_mix_and_an_empty_one_is_found_by_its_heading() -> None:
    text = "甲\n\n正文。\n\n乙\n\n丙\n"
    sections = (Section("甲", 1, 0, 8), Section("乙", 1, 8, 13), Section("丙", 2, 11, 13))
    found = chunk(Document(id="d", title="d", text=text, source="d", sections=sections))
    assert [(p.text, p.headings) for p in found] == [("正文。", ("甲",)), ("丙", ("乙", "丙"))]


def test_sizes_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="low=9, high=3"):
        chunk(plain("字"), low=9, high=3)
