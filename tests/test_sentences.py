import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sentences import Span, item_marker, lines, sentences

TEXT = st.text(
    alphabet=st.sampled_from([*"容器的。！？…”“「」（）()\"'.!?,，；：、 \n\t1a.B-/:@𠮷"]),
    max_size=80,
)


def cut(text: str) -> list[str]:
    return [text[span.start : span.end] for span in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("容器隔离进程。镜像打包应用！为什么？", ["容器隔离进程。", "镜像打包应用！", "为什么？"]),
        ("他说：“走吧。”然后走了。", ["他说：“走吧。”", "然后走了。"]),
        ("“走吧。”他说。", ["“走吧。”他说。"]),
        ("他喊“快跑！”，大家跑了。", ["他喊“快跑！”，大家跑了。"]),
        ("容器（见下文。还有图）很轻。好。", ["容器（见下文。还有图）很轻。", "好。"]),
        ("支持 v1.24 与 cri-o 1.0.2。完", ["支持 v1.24 与 cri-o 1.0.2。", "完"]),
        ("见 https://a.cn/x?y=1.2!z 的说明。好", ["见 https://a.cn/x?y=1.2!z 的说明。", "好"]),
        ("Use runC. It works. 然后部署", ["Use runC.", "It works.", "然后部署"]),
        ("e.g. Docker, i.e. a tool. Fine.", ["e.g. Docker, i.e. a tool.", "Fine."]),
        ("等等……后来成功了。", ["等等……", "后来成功了。"]),
        ("他想……，但没说。", ["他想……，但没说。"]),
        ("真的？！太好了。", ["真的？！", "太好了。"]),
        ("一是快；二是稳。", ["一是快；二是稳。"]),
        (
            "1. 进程隔离。共享内核。\n2. 硬件分区。",
            ["1. 进程隔离。", "共享内核。", "2. 硬件分区。"],
        ),
        ("第一行\n第二行", ["第一行", "第二行"]),
        ("有点跑题了。。。总之", ["有点跑题了。。。", "总之"]),
        ("版本 2.0 发布", ["版本 2.0 发布"]),
        ("「𠮷野家。」好。", ["「𠮷野家。」", "好。"]),
        ("口号是“Build. Ship. Run!”，很响亮。", ["口号是“Build. Ship. Run!”，很响亮。"]),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


@given(TEXT)
def test_sentences_cover_all_that_is_not_white_space_in_order_and_without_overlap(
    text: str,
) -> None:
    covered = [False] * len(text)
    last = 0
    for span in sentences(text):
        assert last <= span.start < span.end <= len(text)
        assert not text[span.start].isspace()
        assert not text[span.end - 1].isspace()
        assert "\n" not in text[span.start : span.end]
        covered[span.start : span.end] = [True] * (span.end - span.start)
        last = span.end
    assert all(done or text[at].isspace() for at, done in enumerate(covered))


@given(TEXT, st.integers(0, 80), st.integers(0, 80))
def test_a_part_of_a_text_is_cut_in_the_coordinates_of_the_whole(
    text: str, one: int, other: int
) -> None:
    start, end = sorted((min(one, len(text)), min(other, len(text))))
    inside = [Span(s.start + start, s.end + start) for s in sentences(text[start:end])]
    assert sentences(text, start, end) == inside


def test_a_long_unclosed_quotation_does_not_swallow_the_text() -> None:
    text = "他说：“" + "这是一句话。" * 40
    assert len(cut(text)) == 40


@pytest.mark.parametrize(
    ("line", "length"),
    [
        ("- 容器", 2),
        ("12. 容器", 4),
        ("  3) 容器", 5),
        ("① 容器", 2),
        ("1.5 倍", 0),
        ("容器", 0),
        ("（一） 容器", 4),
    ],
)
def test_list_markers_are_told_from_numbers(line: str, length: int) -> None:
    assert item_marker(line, Span(0, len(line))) == length


def test_lines_are_trimmed_and_blank_ones_left_out() -> None:
    assert list(lines("  容器 \n\n\u3000\n镜像")) == [Span(2, 4), Span(9, 11)]


@pytest.mark.parametrize("unit", ["（", "“", ".", "…", "1", "a-", "[1]", "http://", "”", "容。"])
def test_time_grows_with_the_text_not_with_its_square(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    started = time.process_time()
    sentences(text)
    assert time.process_time() - started < 2
