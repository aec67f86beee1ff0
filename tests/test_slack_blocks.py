import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.channels.slack_blocks import chosen, message, waiting
from bot.channels.slack_fake import wrong
from bot.channels.slack_text import escaped, question_in
from bot.wire import Json


def citation(number: int, quote: str = "引文。", url: str | None = None, title: str = "题") -> Json:
    return {"number": number, "quote": quote, "title": title, "headings": ["节"], "view_url": url}


def shown(sent: str) -> str:
    """What Slack shows of a text."""
    return sent.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def reply(answer: str, *citations: Json, turn_id: str | None = "turn-1") -> Json:
    return {"answer": answer, "citations": [*citations], "turn_id": turn_id}


def texts(made: Json) -> list[str]:
    return [block["text"]["text"] for block in made["blocks"] if block["type"] == "section"]


def test_an_answer_its_sources_and_two_thumbs_are_blocks_in_this_order() -> None:
    made = message(
        reply("甲[1]。乙[2]。", citation(1), citation(2, url="https://x.example/d")), "T1"
    )
    assert texts(made) == ["甲[1]。乙[2]。", "*[1]* 题 › 节\n“引文。”", "*[2]* 题 › 节\n“引文。”"]
    assert [block.get("accessory", {}).get("url") for block in made["blocks"]] == [
        None, None, "https://x.example/d", None,
    ]  # fmt: skip
    assert [button["value"] for button in made["blocks"][-1]["elements"]] == ["T1:turn-1"] * 2
    assert made["text"] == "甲[1]。乙[2]。"


def test_what_is_no_turn_has_no_thumbs() -> None:
    assert [
        block["type"] for block in message(reply("问题太长。", turn_id=None), "T1")["blocks"]
    ] == ["section"]


@pytest.mark.parametrize("url", ["/documents/a", "javascript:alert(1)", "https://x/" + "y" * 3000])
def test_a_button_opens_only_what_slack_can_open(url: str) -> None:
    made = message(reply("甲[1]。", citation(1, url=url)), "T1")
    assert not any("accessory" in block for block in made["blocks"])


@pytest.mark.parametrize(
    "sentence", ["一句话。", "<&>。", "x" * 40, "𠮷" * 9 + "！", "&" * 301 + "。", "&" * 40_000]
)
def test_a_long_answer_keeps_to_the_limits_and_says_that_it_was_cut(sentence: str) -> None:
    whole = sentence * (40_000 // len(sentence))
    made = message(reply(whole, *[citation(n, "引" * 999) for n in range(1, 60)]), "T1")
    assert wrong(made) == ""
    assert len(made["text"]) <= 4000
    answer = shown("".join(texts(made)[:-31]))
    assert answer.endswith("…")
    assert whole.startswith(answer[:-1])
    assert len(answer) >= 2000
    assert texts(made)[-1] == "还有 29 处出处没有列出。"


def test_an_answer_is_parted_between_sentences() -> None:
    sentence = "字" * 299 + "。"
    made = message(reply(sentence * 10), "T1")
    assert [len(text) for text in texts(made)] == [900, 900, 900, 300]


@given(st.text(alphabet="<>&|@!#`*_~a字\n ", min_size=1, max_size=400), st.integers(1, 40))
@settings(deadline=None)
def test_nothing_in_an_answer_or_a_source_is_markup_of_slack(words: str, times: int) -> None:
    made = message(reply(words * times, citation(1, words, title=words)), "T1")
    assert wrong({**made, "text": "x"}) == ""
    for text in [made["text"], *texts(made)]:
        assert not {"<", ">"} & {*text}
        assert re.sub("&(?:amp|lt|gt);", "", text).count("&") == 0


@given(st.text())
@settings(deadline=None)
def test_what_was_escaped_reads_as_it_was(words: str) -> None:
    assert shown(escaped(words)) == words


def test_a_thumb_that_was_given_is_the_only_one_that_stands_out() -> None:
    made = message(reply("甲[1]。", citation(1)), "T1")
    up = chosen(made["blocks"], "fb_up")
    assert [button.get("style") for button in up[-1]["elements"]] == ["primary", None]
    down = chosen(up, "fb_down")
    assert [button.get("style") for button in down[-1]["elements"]] == [None, "danger"]
    assert down[:-1] == made["blocks"][:-1]


def test_a_waiting_message_can_be_found_again() -> None:
    made = waiting("mark-1")
    assert (made["text"], made["blocks"][0]["block_id"]) == ("正在查找…", "mark-1")
    assert wrong(made) == ""


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("<@U0BOT> 什么是容器？", "什么是容器？"),
        ("问一下 <@U0BOT>，容器是什么", "问一下 ，容器是什么"),
        ("<@U0BOT|wenqu> <@U2> 谁？", "谁？"),
        ("<#C1|general> 里说的是什么", "#general 里说的是什么"),
        ("<#C1> 里", "里"),
        ("<https://a.example/?x=1&amp;y=2>", "https://a.example/?x=1&y=2"),
        ("看 <https://a.example|这里>", "看 这里"),
        ("<!here> <!channel> 早", "早"),
        ("<!subteam^S1|@运维> 早", "运维 早"),
        ("<!date^1392734382^{date}|2014-02-18> 是？", "2014-02-18 是？"),
        ("a &lt; b &amp;&amp; c &gt; d", "a < b && c > d"),
        ("&amp;lt; &copy;", "&lt; &copy;"),
        ("1 < 2", "1 < 2"),
        ("<@U0BOT>", ""),
        ("", ""),
    ],
)
def test_a_question_is_read_without_the_markup_of_slack(sent: str, meant: str) -> None:
    assert question_in(sent) == meant


@given(st.text(max_size=200))
@settings(deadline=None)
def test_any_text_without_markup_is_read_as_it_was_typed(words: str) -> None:
    assert question_in(escaped(words)) == words.strip()
