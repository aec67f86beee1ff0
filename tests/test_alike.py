import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alike import alike

TEXT = st.text(alphabet="容器编排镜像a1", max_size=24)


def plain(one: str, other: str) -> int:
    """The textbook table, a second implementation."""
    row = [0] * (len(other) + 1)
    for left in one:
        last = 0
        for at, right in enumerate(other, start=1):
            kept = row[at]
            row[at] = last + 1 if left == right else max(row[at], row[at - 1])
            last = kept
    return row[-1]


@given(TEXT, TEXT)
def test_it_agrees_with_the_textbook_algorithm(question: str, sentence: str) -> None:
    expected = plain(question, sentence) / len(question) if question else 0.0
    assert alike(question, sentence) == pytest.approx(expected)


def test_order_counts_and_signs_script_and_case_do_not() -> None:
    assert alike("Docker 編排？", "docker：编排。") == 1
    assert alike("容器编排", "编排容器") == 0.5
    assert alike("？", "容器") == 0
