import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.readers.nesting import shallow


@pytest.mark.parametrize(
    "html",
    [
        "<div><p>一<p>二<br></div></div><b>三</b>",
        "<ul>" + "<li>甲" * 2000 + "</ul>",
        "<p>甲" * 2000,
        "<div>甲</div>" * 2000,
        "甲 < 乙 > 丙 <3 </ >",
        "",
    ],
)
def test_an_ordinary_page_is_left_as_it_is(html: str) -> None:
    assert shallow(html) == html


def test_what_is_deeper_than_a_browser_goes_loses_its_tags() -> None:
    deep = "<div>" * 600 + "底" + "</div>" * 600
    assert shallow(deep) == "<div>" * 512 + "底" + "</div>" * 512
    assert shallow("".join(f"<x{n}>" for n in range(600))).count("<") == 512


def test_formatting_that_is_never_closed_is_opened_sixteen_times() -> None:
    assert shallow("<p><B>甲" * 20) == "<p><B>甲" * 16 + "<p>甲" * 4
    assert shallow("<b>" * 20 + "甲" + "</b>" * 20) == "<b>" * 16 + "甲" + "</b>" * 16


def test_a_tag_with_endless_attributes_keeps_its_name() -> None:
    assert shallow("<a " + "x=1 " * 20_000 + ">甲</a>") == "<a>甲</a>"


@settings(deadline=None)
@given(st.lists(st.sampled_from(["<b>", "</b>", "<div>", "</div>", "甲", "<p>", "<", ">"])))
def test_text_is_never_taken_out(tokens: list[str]) -> None:
    tokens = tokens * 40
    assert shallow("".join(tokens)).count("甲") == tokens.count("甲")
