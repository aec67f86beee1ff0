from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from corpus.document import Passage
from corpus.fold import simplify
from index.model import TOKENIZER, model_folder
from index.pair import PASSAGE_TOKENS, QUESTION_TOKENS, pair, passage_pair
from index.session import open_tokenizer

pytestmark = pytest.mark.slow  # the tokenizer of the real model

QUESTION = "容器是哪一年出现的？"
TEXTS = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("容器臺灣𠮷😀１２㈱…v1.24 \n"),
    max_size=80,
)


@pytest.fixture(scope="module")
def tokenizer(model_cache: Path) -> Tokenizer:
    return open_tokenizer(model_folder(model_cache) / TOKENIZER)


def test_simplifying_keeps_the_length_of_every_character() -> None:
    letters = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    assert [letter for letter in letters if len(simplify(letter)) != 1] == []


def test_the_tokens_of_a_span_are_the_words_of_the_span(tokenizer: Tokenizer) -> None:
    text = "1979年，Unix v7 支持 chroot。"
    encoded = pair(tokenizer, QUESTION, "容器简史 > 起源", text)
    for words in ("1979年", "chroot", "Unix v7", "。"):
        start = text.index(words)
        places = encoded.tokens_of(start, start + len(words))
        assert places is not None
        first, last = (place - encoded.first for place in places)
        said = text[encoded.spans[first][0] : encoded.spans[last][1]]
        assert words in said
        assert len(said) <= len(words) + 2  # a token may hold a neighbour


def test_a_token_begins_where_its_word_does_and_not_at_the_line_end_before(
    tokenizer: Tokenizer,
) -> None:
    text = "年表\n\n2013年，Docker 发布。\n 2014年，另一个。"
    places = pair(tokenizer, QUESTION, "", text).spans
    assert text.index("2013") in {start for start, _ in places}
    assert not any(text[a].isspace() and text[a:b].strip() for a, b in places)


def test_title_and_question_are_read_but_no_part_of_the_text(tokenizer: Tokenizer) -> None:
    encoded = pair(tokenizer, QUESTION, "容器简史", "容器简史")
    read = "".join(tokenizer.decode(list(encoded.ids)).replace("▁", "").split())
    assert read.count("容器简史") == 2
    assert QUESTION[:-1] in read
    assert (encoded.spans[0][0], encoded.spans[-1][1]) == (0, 4)
    assert encoded.first + len(encoded.spans) == len(encoded.ids) - 1  # the last one is </s>


@given(TEXTS, TEXTS)
def test_every_token_stands_in_the_text_in_order(
    tokenizer: Tokenizer, path: str, text: str
) -> None:
    encoded = pair(tokenizer, QUESTION, path, text)
    ends = [0, *(end for _, end in encoded.spans)]
    assert all(0 <= start < end <= len(text) for start, end in encoded.spans)
    assert ends == sorted(ends)
    assert encoded.first >= 1
    assert len(encoded.ids) >= encoded.first + len(encoded.spans)


@given(TEXTS)
def test_traditional_script_is_read_as_simplified(tokenizer: Tokenizer, text: str) -> None:
    other = pair(tokenizer, simplify(QUESTION), simplify(text), simplify(text))
    assert pair(tokenizer, QUESTION, text, text) == other


def test_what_is_too_long_is_read_to_its_limit(tokenizer: Tokenizer) -> None:
    encoded = pair(tokenizer, "问" * 3000, "题", "容器" * 3000)
    assert encoded.first <= QUESTION_TOKENS + 10
    assert len(encoded.ids) <= QUESTION_TOKENS + PASSAGE_TOKENS + 2
    assert encoded.tokens_of(5990, 5992) is None


def test_a_passage_is_read_with_its_title_and_headings(tokenizer: Tokenizer) -> None:
    passage = Passage("d", 10, 14, "容器简史", ("简史", "起源"))
    assert passage_pair(tokenizer, QUESTION, "简史", passage) == pair(
        tokenizer, QUESTION, "简史 > 起源", "容器简史"
    )
