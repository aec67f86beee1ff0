import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.clean import clean, columns, one_line


@pytest.mark.parametrize(
    ("dirty", "cleaned"),
    [
        ("一\r\n二\r三\u2028四\x0b五\x85六", "一\n二\n三\n四\n五\n六"),
        ("容\u200b器\ufeff技\u00ad术", "容器技术"),
        ("甲\x00\x07\x1b乙\x7f丙\x90丁", "甲乙丙丁"),
        ("甲\u202e乙\u2066丙", "甲乙丙"),  # marks that turn text round
        ("甲\U000e0041乙", "甲乙"),  # a tag that nobody sees
        ("甲\t乙\u00a0丙", "甲 乙 丙"),
        ("全角ＡＢＣ１２３", "全角ＡＢＣ１２３"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),  # joiners make one emoji of three
        ("e\u0301", "e\u0301"),  # NFC is for matching, not for showing
        ("概念å¼\u20ac始", "概念开始"),
    ],
)
def test_what_cannot_be_seen_goes_and_what_can_be_seen_stays(dirty: str, cleaned: str) -> None:
    assert clean(dirty) == cleaned


@pytest.mark.parametrize(
    ("wrapped", "joined"),
    [
        ("容器\n技术", "容器技术"),
        ("容器\n  技术", "容器技术"),
        ("容器 \n技术", "容器技术"),
        ("Linux\nkernel", "Linux kernel"),
        ("使用\nDocker", "使用 Docker"),
        ("Docker\n镜像", "Docker 镜像"),
        ("第一，\nDocker", "第一，Docker"),
        ("Docker\n（容器）", "Docker（容器）"),
        ("说\n“好”", "说“好”"),
        ("said\n“yes”", "said “yes”"),
        ("容器 技术", "容器 技术"),  # a space that somebody typed
        ("a   b", "a b"),
        ("\u3000\u3000段首\u3000内 ", "段首\u3000内"),
        ("甲\n\n\n乙", "甲乙"),
        ("𠮷\n野", "𠮷野"),
        ("\n", ""),
    ],
)
def test_soft_wraps_are_joined_as_chinese_is_written(wrapped: str, joined: str) -> None:
    assert one_line(wrapped) == joined


@settings(deadline=None)
@given(st.text())
def test_clean_text_stays_as_it_is(text: str) -> None:
    cleaned = clean(text)
    assert "\r" not in cleaned
    assert len(cleaned.split("\n")) == len(cleaned.splitlines()) + cleaned.endswith("\n") + (
        not cleaned
    )
    assert not any(unicodedata.category(char) == "Cc" and char != "\n" for char in cleaned)


def test_a_wide_character_takes_two_columns() -> None:
    assert (columns("abc"), columns("容器"), columns("容器，v1"), columns("“”")) == (3, 4, 8, 4)
