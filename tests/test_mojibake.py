import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.mojibake import repair

DATA = Path(__file__).parents[1].parent / "shared" / "data"
HAN = st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF)
LETTERS = st.sampled_from("abcXYZàâçéèêëîïôùûüÿñæÀÉÇßøåäöÄÖÜ")
MARKS = st.sampled_from("“”‘’…–—·»™®,.")


def spoil(text: str) -> str:
    """Read the UTF-8 of `text` as Windows-1252; what that leaves undefined, as Latin-1."""
    return "".join(
        chr(byte) if byte in {0x81, 0x8D, 0x8F, 0x90, 0x9D} else bytes([byte]).decode("cp1252")
        for byte in text.encode()
    )


@pytest.mark.parametrize(
    ("spoiled", "repaired"),
    [
        ("å¼€å§‹", "开始"),
        ("“容器”的概念å¼€始被重新审视", "“容器”的概念开始被重新审视"),
        ("越来越有熟悉的感觉，æˆ‘们在", "越来越有熟悉的感觉，我们在"),
        ("减少出现故障的æ¦‚率", "减少出现故障的概率"),
        ("“æˆ‘”", "“我”"),
        ("(å›\u203a)故意", "(四)故意"),
        ("‘æˆ‘’说", "‘我’说"),
        ("Dockerâ€”â€”ä¸€ä¸ªå·¥å…·", "Docker——一个工具"),
        ("ï¼ˆæ³¨ï¼‰", "（注）"),
        ("ð\xa0®·", "𠮷"),
        ("ðŸ˜€", "😀"),
        ("30Â°C", "30°C"),
        ("OÂ·JÂ·è¾›æ™®æ£®", "O·J·辛普森"),
    ],
)
def test_a_run_of_mojibake_becomes_what_it_was(spoiled: str, repaired: str) -> None:
    assert repair(spoiled) == repaired


@pytest.mark.parametrize(
    "text",
    [
        "naïve café",
        "Ã",
        "€",
        "“引号”和‘引号’……——",
        "30°C，±5%，3×4",
        "“café”…",
        "Beyoncé”——的歌",
        "字母“é”…是法语",
        "São Tomé e Príncipe",
    ],
)
def test_healthy_text_is_left_as_it_is(text: str) -> None:
    assert repair(text) == text


@pytest.mark.parametrize("text", ["å¼", "å", "æˆ", "è\xa0", "ðŸ˜", "í\xa0€", "à€€", "ï¿½"])
def test_half_of_a_character_and_what_no_character_has_stay(text: str) -> None:
    assert repair(text) == text


@settings(deadline=None)
@given(st.text(HAN, min_size=2), st.text(HAN), st.text(HAN))
def test_every_spoiled_run_inside_healthy_chinese_is_restored(
    middle: str, before: str, after: str
) -> None:
    assert repair(before + spoil(middle) + after) == before + middle + after
    assert repair(f"“{spoil(middle)}”") == f"“{middle}”"


@settings(deadline=None)
@given(st.text(HAN | st.sampled_from("，。、；：？！（）《》“”—…")))
def test_a_text_that_was_spoiled_as_a_whole_is_restored(text: str) -> None:
    once = spoil(text)
    if len(text) > 1 or not text:  # one character alone may be three ordinary marks
        assert repair(once) == text


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(LETTERS, min_size=2), st.text(MARKS, max_size=4), st.text(HAN))))
def test_words_in_other_scripts_and_their_marks_are_never_touched(
    parts: list[tuple[str, str, str]],
) -> None:
    text = " ".join(f"{han}{word}{marks}{han}" for word, marks, han in parts)
    assert repair(text) == text


@pytest.mark.parametrize("piece", ["å¼", "Â·", "å¼€", "é”", "ðŸ˜"])
def test_time_grows_with_the_length_and_no_faster(
    piece: str, cpu_seconds: Callable[[Callable[[], object]], float]
) -> None:
    def seconds(times: int) -> float:
        text = piece * times
        return cpu_seconds(lambda: repair(text))

    assert seconds(80_000) < 9 * max(seconds(20_000), 0.02)  # 16 times, were it quadratic


@pytest.mark.parametrize("name", ["cmrc_trial", "drcd_dev", "lecoqa_train", "kdconv_travel"])
def test_real_text_keeps_every_chinese_character(name: str) -> None:
    path = DATA / name / "paragraphs.jsonl"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    for line in path.read_text(encoding="utf-8").splitlines()[::5]:
        text = json.loads(line)["text"]
        assert chinese(repair(text)) == chinese(text)
        assert chinese(repair(spoil(text))) == chinese(text)


def chinese(text: str) -> str:
    return "".join(char for char in text if char > "\u2e7f")
