from hypothesis import given
from hypothesis import strategies as st

from bot.channels.markdown import markdown
from bot.channels.portions import clip, pack, sources
from bot.pieces import parts

CITATION = {
    "number": 1,
    "title": "题",
    "headings": ["章", "节"],
    "quote": "甲\n 乙",
    "view_url": "/documents/a",
}


@given(st.lists(st.text(max_size=30)), st.integers(4, 40))
def test_messages_are_short_enough_and_lose_nothing(wholes: list[str], size: int) -> None:
    messages = pack(wholes, size)
    assert "".join(messages) == "".join(wholes)
    assert all(len(message.encode()) <= size for message in messages)


def test_a_message_ends_where_a_sentence_does() -> None:
    assert pack(["一二。", "三。", "四五六。"], 15) == ["一二。三。", "四五六。"]
    assert pack(["一二三四"], 7) == ["一二", "三四"]
    assert pack([], 10) == [""]


@given(st.text(max_size=200))
def test_the_parts_of_a_text_are_the_text(text: str) -> None:
    assert "".join(parts(text)) == text


def test_what_does_not_fit_is_cut_with_an_ellipsis() -> None:
    assert clip(["一。", "二。"], 12) == "一。二。"
    assert clip(["一。", "二。"], 11) == "一。…"
    assert clip(["一二三四"], 11) == "一二…"


def test_a_source_is_named_by_its_nearest_heading_and_linked_only_from_everywhere() -> None:
    reply = {"citations": [CITATION, {**CITATION, "number": 2, "headings": ["题"]}]}
    here, there = sources(reply)
    assert (here.title, here.quote, here.url) == ("题 › 节", "甲 乙", "")
    assert there.title == "题"
    far = {
        **CITATION,
        "view_url": "https://docs.example/a",
        "quote": "长" * 200,
        "title": "名" * 90,
    }
    (source,) = sources({"citations": [far]})
    assert (source.url, len(source.quote), len(source.title)) == ("https://docs.example/a", 150, 80)
    assert sources({"citations": [{**CITATION, "view_url": None}]})[0].url == ""


def test_quoted_words_are_no_markup() -> None:
    text = "[猫](http://evil)![](x)<font color=red><@u1>\n# 题\n> 引\n```\n1 < 2"
    quoted = {
        **CITATION,
        "title": "a](http://evil)[b",
        "quote": "[x](y)",
        "view_url": "https://d/a",
    }
    shown = markdown({"answer": text, "citations": [quoted]}, 1000)
    assert "](http" not in shown.replace("](https://d/a)", "")
    assert "](x)" not in shown
    assert "](y)" not in shown
    assert "<font" not in shown
    assert "<@" not in shown
    assert not any(line.startswith(("#", ">", "```")) for line in shown.splitlines())
    assert shown.replace("\u200b", "").startswith(text)
    assert shown.endswith("\n[1] [a］\u200b(http://evil)［b › 节](https://d/a)：“[x]\u200b(y)”")


def test_lines_end_as_the_tool_wants_and_the_limit_holds() -> None:
    reply = {"answer": "甲。\n乙[1]。", "citations": [CITATION]}
    assert markdown(reply, 1000, line_end="  \n").startswith("甲。  \n乙[1]。  \n  \n---  \n")
    assert markdown(reply, 15) == "甲。…"
