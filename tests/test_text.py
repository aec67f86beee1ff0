import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.readers.text import read_text

LONG = (
    "容器技术从一九七九年的文件系统隔离开始经过四十年的发展成为云计算的基础设施并推动了云原生的兴起"
)


def texts(text: str) -> list[str]:
    return [block.text for block in read_text(text).blocks]


def headings(text: str) -> list[tuple[str, int]]:
    return [(block.text, block.level) for block in read_text(text).blocks if block.level]


def test_a_line_is_a_block() -> None:
    text = "\u3000\u3000第一段，讲容器。\n第二段，讲镜像\n\n\n  第三段。  "
    assert texts(text) == ["第一段，讲容器。", "第二段，讲镜像", "第三段。"]
    assert texts("") == []


def test_text_wrapped_by_hand_is_joined_to_paragraphs() -> None:
    whole = LONG * 3 + "。"
    wrapped = "\n".join(whole[start : start + 30] for start in range(0, len(whole), 30))
    assert texts(wrapped) == [whole]
    indented = f"\u3000\u3000{whole}"
    rows = [indented[start : start + 30] for start in range(0, len(indented), 30)]
    assert texts("\n".join(rows * 2)) == [whole, whole]
    assert texts(f"{wrapped}\n\n{wrapped}") == [whole, whole]


def test_wrapped_english_gets_its_spaces_back() -> None:
    words = ("Containers share the kernel of their host and start within a second " * 6).strip()
    rows, row = [], ""
    for word in words.split():
        if len(f"{row} {word}") > 60:
            rows.append(row)
            row = word
        else:
            row = f"{row} {word}".strip()
    assert texts("\n".join([*rows, row])) == [words]


def test_verse_names_and_lines_of_any_length_are_not_joined() -> None:
    verse = "半亩方塘一鉴开\n天光云影共徘徊\n问渠那得清如许\n为有源头活水来"
    assert texts(verse) == verse.split("\n")
    ragged = f"{LONG}\n{LONG[:25]}\n{LONG}{LONG[:9]}\n{LONG[:33]}"
    assert texts(ragged) == ragged.split("\n")


def test_a_full_line_that_ends_a_sentence_ends_its_paragraph() -> None:
    whole = LONG * 3 + "。"
    first = "\n".join((LONG * 2)[start : start + 30] for start in range(0, 59, 30))
    ended = LONG[:29] + "。"
    assert texts(f"{first}\n{ended}\n{whole[:30]}\n{whole[30:60]}\n完。") == [
        (LONG * 2)[:60] + ended,
        whole[:60] + "完。",
    ]


def test_lines_of_which_many_are_longer_were_not_wrapped() -> None:
    rows = [LONG[:30]] * 6 + [LONG[:44]] * 2
    assert texts("\n".join(rows)) == rows


def test_a_list_stays_a_list_in_wrapped_text() -> None:
    whole = LONG * 3 + "。"
    wrapped = "\n".join(whole[start : start + 30] for start in range(0, len(whole), 30))
    found = read_text(f"{wrapped}\n1. 甲\n2. 乙\n- 丙\n正文").blocks
    assert [(block.kind, block.text) for block in found] == [
        ("paragraph", whole),
        ("item", "1. 甲"),
        ("item", "2. 乙"),
        ("item", "- 丙"),
        ("paragraph", "正文"),
    ]
    assert len({block.group for block in found if block.kind == "item"}) == 1


def test_numbered_lines_that_stand_alone_are_headings() -> None:
    text = "第一章 起源\n第二节：隔离\n文。\n第三编\n文。"
    assert headings(text) == [("第一章 起源", 2), ("第二节：隔离", 3), ("第三编", 1)]
    assert headings("一、背景\n文。\n二、小结\n文。\n三、丙") == [("一、背景", 2), ("二、小结", 2)]
    assert headings("1.1 背景\n文。\n1.2 小结\n文。\n1.2.1 细节\n文。\n1.2.2 又\n文。") == [
        ("1.1 背景", 3),
        ("1.2 小结", 3),
        ("1.2.1 细节", 4),
        ("1.2.2 又", 4),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "第一章 起源\n第二章 发展\n第三章 未来\n正文",  # the table of contents
        "文。\n第一章 起源",
        "一、甲\n二、乙\n三、丙",
        "一、只有一条\n文。",
        "1.5 倍的速度\n文。",
        "第二天他们开始了。\n文。",
        "第一章讲的是容器，很长很长，一直说到第三十个字以后还没有说完的一句话\n文",
        "一、这是一句话。\n文。\n二、这也是。\n文。",
    ],
)
def test_what_only_looks_numbered_is_no_heading(text: str) -> None:
    assert headings(text) == []


@settings(deadline=None)
@given(st.text(st.sampled_from("容器，。 \u3000a1.-第章一、\n")))
def test_no_character_is_lost_or_made(text: str) -> None:
    assert "".join("".join(texts(text)).split()) == "".join(text.split())
