import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.errors import GenerationError
from bot.llm.handles import LONGEST, Parser, Sentence


def parse(*chunks: str, passages: int = 5) -> list[tuple[str, tuple[int, ...]]]:
    return [(sentence.text, sentence.handles) for sentence in parsed(*chunks, passages=passages)]


def parsed(*chunks: str, passages: int = 5) -> list[Sentence]:
    parser = Parser(passages)
    found = [sentence for chunk in chunks for sentence in parser.feed(chunk)]
    return [*found, *parser.close()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("容器隔离进程[S1]。", [("容器隔离进程。", (1,))]),
        ("容器隔离进程。[S1]", [("容器隔离进程。", (1,))]),
        ("甲[S1]。乙。[S2] 丙[S3]", [("甲。", (1,)), ("乙。", (2,)), ("丙", (3,))]),
        ("[S1] 甲。", [("甲。", (1,))]),
        ("甲[S2][S1][S2]。", [("甲。", (2, 1))]),
        ("甲【S1】。", [("甲。", (1,))]),
        ("甲［S1］。", [("甲。", (1,))]),
        ("甲\u3014S1\u3015。", [("甲。", (1,))]),
        ("甲[Ｓ１]。", [("甲。", (1,))]),
        ("甲［Ｓ１，Ｓ２］。", [("甲。", (1, 2))]),
        ("甲[ S1 ]。", [("甲。", (1,))]),
        ("甲[S1-S3]。", [("甲。", (1, 2, 3))]),
        ("甲[S1–3]。", [("甲。", (1, 2, 3))]),
        ("甲[S2至S4]。", [("甲。", (2, 3, 4))]),
        ("甲[S3-S1]。", [("甲。", (3, 1))]),
        ("甲[S4-S9]。", [("甲。", (4, 5))]),
        ("甲[S1,S2]。", [("甲。", (1, 2))]),
        ("甲[S1、3；S5]。", [("甲。", (1, 3, 5))]),
        ("甲[S1 S2]。", [("甲。", (1, 2))]),
        ("甲[S1,S99]。", [("甲。", (1,))]),
    ],
)
def test_handles_are_taken_out_and_belong_to_their_sentence(
    text: str, expected: list[tuple[str, tuple[int, ...]]]
) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "marker",
    ["[S0]", "[S6]", "[S99]", "[S100]", "[1]", "【1】", "［１］", "[^1]", "[1, 2]", "[S١]"],
)
def test_what_is_no_handle_of_a_passage_cites_nothing(marker: str) -> None:
    ((text, handles),) = parse(f"甲{marker}。")
    assert handles == ()
    assert text in {"甲。", f"甲{marker}。"}
    assert not any(digit in text for digit in "0123456789１")


@pytest.mark.parametrize("text", ["甲[S", "甲[S1", "甲【S1、", "甲[", "甲。[S2"])
def test_half_a_handle_at_the_end_is_left_out(text: str) -> None:
    assert parse(text) == [(text.partition("[")[0].partition("【")[0], ())]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("见[附录]。", "见[附录]。"),
        ("[看](http://x.example)", "[看](http://x.example)"),
        ("数组 a[i]", "数组 a[i]"),
        ("Amazon（S3）存储。", "Amazon（S3）存储。"),
        (
            "[一二三四五六七八九十一二三四五六七八九十一二三四五六七八九十一二三四五六七八九十一",
            None,
        ),
        ("[甲[乙]", "[甲[乙]"),
    ],
)
def test_other_brackets_stay_text(text: str, expected: str | None) -> None:
    assert parse(text) == [(expected or text, ())]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("甲。乙！丙？丁", ["甲。", "乙！", "丙？", "丁"]),
        ("版本 v1.24 好。", ["版本 v1.24 好。"]),
        ("他说：“走吧。我来。”然后走了。", ["他说：“走吧。我来。”", "然后走了。"]),
        ("“走吧。”他说。", ["“走吧。”他说。"]),
        ("如果 a!=b 就停。", ["如果 a!=b 就停。"]),
        ("好……真好。", ["好……", "真好。"]),
        ("真的？！好。", ["真的？！", "好。"]),
        ("Docker Inc. was founded. Then it grew, v1.24 too.", None),
        ("甲\n\n- 乙\n- 丙", ["甲", "- 乙", "- 丙"]),
        ("（见下文。）后来。", ["（见下文。）后来。"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences_end_where_they_end(text: str, sentences: list[str] | None) -> None:
    expected = sentences or (
        ["Docker Inc. was founded.", "Then it grew, v1.24 too."] if sentences is None else []
    )
    assert [found for found, _ in parse(text)] == expected


def test_a_line_is_noted() -> None:
    assert [sentence.new_line for sentence in parsed("甲：\n- 乙。丙。\n丁")] == [
        False,
        True,
        False,
        True,
    ]


WORDS = "甲 容器。 [S1] 【S2】 ［S1-3］ [S9] [1] 。 ！ [ ] S1 “ ” a. b ? ( http://x v1.2 ， 1 …"
PARTS = st.sampled_from([*WORDS.split(), "\n", "\r\n", " "])


@given(st.lists(PARTS, max_size=30).map("".join), st.data())
@example("甲[S1]。乙", None)
def test_any_chunking_gives_the_same(text: str, data: st.DataObject | None) -> None:
    whole = parsed(text)
    assert parsed(*text) == whole
    if data is not None:
        cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=6).map(sorted))
        chunks = [text[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]
        assert parsed(*chunks) == whole


@given(st.text(max_size=200))
def test_whatever_is_said_only_handles_there_are_come_out(text: str) -> None:
    for sentence in parsed(text, passages=3):
        assert set(sentence.handles) <= {1, 2, 3}
        assert sentence.text.strip()


def test_a_sentence_is_given_as_soon_as_the_next_begins() -> None:
    parser = Parser(2)
    assert list(parser.feed("甲。[S1]")) == []
    assert list(parser.feed("乙")) == [Sentence("甲。", (1,))]


def test_reading_stops_at_the_longest() -> None:
    text = "".join(chr(0x4E00 + n) for n in range(LONGEST + 1))
    parser = Parser(1)
    assert list(parser.feed(text[:LONGEST])) == []
    with pytest.raises(GenerationError) as error:
        list(parser.feed(text[LONGEST:]))
    assert error.value.reason == "endless"


@pytest.mark.parametrize(
    "loop", ["好", "好的", "容器技术", "这句话有十几个字但是一直重复。", "ab " * 9]
)
def test_going_round_in_a_circle_stops_the_reading(loop: str) -> None:
    parser = Parser(1)
    with pytest.raises(GenerationError) as error:
        list(parser.feed(loop * 100))
    assert error.value.reason == "endless"
    assert len("".join(parser._read)) <= max(16 * 4, len(loop) * 6)


@pytest.mark.parametrize(
    "text", ["哈哈哈哈哈哈", "------------", "1. 甲\n2. 乙\n3. 丙\n4. 丁\n5. 戊\n"]
)
def test_a_little_repetition_is_no_circle(text: str) -> None:
    parsed(text)
