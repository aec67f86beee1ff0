import pytest

from bot.answer import Answer
from bot.compose import compose
from bot.evidence import Evidence
from bot.lists import whole_list
from corpus.document import Document, Passage, Section

TEXT = (
    "隔离\n\n隔离技术分成三类：\n\n"
    "1. 进程隔离。共享内核。\n2. 硬件分区：安全性高。\n3. 语言运行时隔离\n\n"
    "见[3]。他说“好。”\n\n| 年 | 事 |\n| 1979 | chroot |"
)
DOCUMENT = Document(
    id="d", title="d", text=TEXT, source="d", sections=(Section("隔离", 1, 0, len(TEXT)),)
)


def sentence(text: str) -> Evidence:
    start = TEXT.index(text)
    end = start + len(text)
    return Evidence(Passage.cut(DOCUMENT, start, end), start, end, 1.0)


@pytest.mark.parametrize(
    ("quoted", "shown"),
    [
        ("隔离技术分成三类：", "隔离技术分成三类[1]："),
        ("1. 进程隔离。", "进程隔离[1]。"),
        ("3. 语言运行时隔离", "语言运行时隔离[1]。"),
        ("见[3]。", "见［3］[1]。"),
        ("他说“好。”", "他说“好。”[1]"),
        ("| 1979 | chroot |", "1979，chroot[1]。"),
    ],
)
def test_a_sentence_is_shown_whole_with_its_marker_before_the_stop(quoted: str, shown: str) -> None:
    composed = compose([sentence(quoted)])
    assert composed.text == shown
    (citation,) = composed.citations
    assert TEXT[citation.start : citation.end] == citation.quote == quoted
    Answer(composed.text, "grounded", composed.citations)  # markers and citations agree


def test_sentences_follow_each_other_and_are_numbered() -> None:
    composed = compose([sentence("1. 进程隔离。"), sentence("共享内核。")], direct="进程隔离")
    assert composed.text == "进程隔离[1]。进程隔离[1]。共享内核[2]。"
    assert [citation.number for citation in composed.citations] == [1, 2]


def test_a_list_is_given_whole_and_in_order_from_any_of_its_lines() -> None:
    expected = [
        "隔离技术分成三类：",
        "1. 进程隔离。",
        "2. 硬件分区：安全性高。",
        "3. 语言运行时隔离",
    ]
    for line in ["隔离技术分成三类：", "共享内核。", "2. 硬件分区：安全性高。"]:
        found = whole_list(DOCUMENT, sentence(line))
        assert [evidence.text for evidence in found] == expected
    shown = compose(whole_list(DOCUMENT, sentence("共享内核。")), as_list=True).text
    assert shown.splitlines() == [
        "隔离技术分成三类[1]：",
        "1. 进程隔离[2]。",
        "2. 硬件分区：安全性高[3]。",
        "3. 语言运行时隔离[4]",
    ]


def test_text_that_is_no_list_gives_none() -> None:
    assert whole_list(DOCUMENT, sentence("他说“好。”")) == []
    assert whole_list(DOCUMENT, sentence("| 1979 | chroot |")) == []
