import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.fold import fold, fold_with_offsets, simplify

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60)


@pytest.mark.parametrize(
    ("shown", "matched"),
    [
        ("容器編排與鏡像發佈", "容器编排与镜像发布"),
        ("裏面、裡面", "里面、里面"),
        ("\uff2b\uff18\uff33 \uff08容器\uff09", "k8s (容器)"),
        ("Café NAÏVE", "cafe naive"),
        ("Cafe\u0301", "cafe"),
        ("ﾊﾟﾄﾞ", "ハ\u309aト\u3099"),
        ("Việt", "viet"),
        ("㈱", "(株)"),
        ("𠮷野家", "𠮷野家"),
    ],
)
def test_what_differs_only_in_script_width_case_or_accent_folds_alike(
    shown: str, matched: str
) -> None:
    assert fold(shown) == matched


@given(TEXT, TEXT)
def test_a_text_folds_the_same_beside_any_neighbour(one: str, other: str) -> None:
    assert fold(one + other) == fold(one) + fold(other)


@given(TEXT)
def test_folding_twice_changes_nothing_more(text: str) -> None:
    # characters whose compatibility form is itself capital or accented settle in a second pass
    assert fold(fold(fold(text))) == fold(fold(text))


@given(TEXT)
def test_the_way_back_agrees_with_folding(text: str) -> None:
    folded = fold_with_offsets(text)
    assert folded.text == fold(text)
    assert len(folded.offsets) == len(folded.text) + 1
    assert list(folded.offsets) == sorted(folded.offsets)
    for at in range(len(folded.text)):
        start, end = folded.original(at, at + 1)
        assert folded.text[at] in fold(text[start:end])


def test_a_match_in_folded_text_leads_to_the_shown_words() -> None:
    text = "½ 杯𠮷的容器編排。"
    folded = fold_with_offsets(text)
    at = folded.text.index("编排")
    start, end = folded.original(at, at + 2)
    assert text[start:end] == "編排"
    assert unicodedata.normalize("NFKC", text)[start:end] != "編排"  # offsets would have slipped


def test_a_span_outside_the_folded_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[1, 3\) is no span of a folded text of 2"):
        fold_with_offsets("容器").original(1, 3)


def test_simplifying_changes_the_script_and_nothing_else() -> None:
    assert simplify("Café 容器編排，\uff21！") == "Café 容器编排，\uff21！"
