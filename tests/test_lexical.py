import math
import random

import numpy as np
import pytest

from index.lexical import Bags, Lexical, best, term_hash

TEXTS = [["猫", "猫", "狗"], ["狗"], ["鸟", "猫", "鱼", "鱼"], []]


def printed(texts: list[list[str]], question: list[str], row: int, k1: float, b: float) -> float:
    """The formula as printed, term by term, with nothing worked out ahead."""
    n = len(texts)
    mean = sum(map(len, texts)) / n
    total = 0.0
    for term in set(question):
        df = sum(term in text for text in texts)
        tf = texts[row].count(term)
        if not tf:
            continue
        idf = math.log(1 + (n - df + 0.5) / (df + 0.5))
        total += idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * len(texts[row]) / mean))
    return total


def test_a_score_worked_out_by_hand() -> None:
    # 猫: n=4, df=2, idf = ln(1 + 2.5/2.5) = ln 2; lengths 3, 1, 4, 0, mean 2
    scores = Lexical.build(Bags.count(TEXTS), k1=1, b=0).scores(["猫"])
    assert scores == pytest.approx([math.log(2) * 2 * 2 / 3, 0, math.log(2), 0])


@pytest.mark.parametrize("seed", range(20))
def test_scores_agree_with_the_printed_formula(seed: int) -> None:
    chance = random.Random(seed)
    texts = [chance.choices("猫狗鸟鱼虫", k=chance.randint(0, 9)) for _ in range(12)]
    question = chance.choices("猫狗鸟鱼虫兽", k=3)
    k1, b = chance.choice([0.8, 1.2, 2.0]), chance.choice([0.0, 0.4, 0.75, 1.0])
    scores = Lexical.build(Bags.count(texts), k1=k1, b=b).scores(question)
    assert scores == pytest.approx(
        [printed(texts, question, row, k1, b) for row in range(12)], rel=1e-5
    )


def test_terms_nobody_has_and_no_texts_at_all_are_no_error() -> None:
    assert Lexical.build(Bags.count(TEXTS)).scores(["兽"]).tolist() == [0, 0, 0, 0]
    assert Lexical.build(Bags.count(TEXTS)).scores([]).tolist() == [0, 0, 0, 0]
    empty = Lexical.build(Bags.count([]))
    assert empty.scores(["猫"]).shape == (0,)
    assert not empty.knows("猫")


def test_rarity_is_the_inverse_document_frequency() -> None:
    lexical = Lexical.build(Bags.count(TEXTS))
    assert lexical.rarity("猫") == pytest.approx(math.log(2))
    assert lexical.rarity("兽") == pytest.approx(math.log(1 + 4.5 / 0.5))
    assert lexical.knows("鱼")
    assert not lexical.knows("兽")


def test_picked_and_joined_bags_are_those_of_the_texts() -> None:
    bags = Bags.count(TEXTS)
    order = [2, 0, 0, 3]
    same(bags.pick(order), Bags.count([TEXTS[row] for row in order]))
    same(bags.joined(Bags.count([["虫"]])), Bags.count([*TEXTS, ["虫"]]))
    assert len(bags.pick([])) == 0


def same(one: Bags, other: Bags) -> None:
    for field in ("bounds", "terms", "counts"):
        assert np.array_equal(getattr(one, field), getattr(other, field))


def test_the_best_are_ordered_by_score_then_row_and_zero_is_no_result() -> None:
    scores = np.array([0, 2, 1, 2, 2, 0.5], np.float32)
    assert best(scores, 2).tolist() == [1, 3]
    assert best(scores, 9).tolist() == [1, 3, 4, 2, 5]
    assert best(scores, 0).tolist() == []


def test_a_hash_is_the_same_in_every_process() -> None:
    # printf '容器' | b2sum -l 64, read as a little-endian number
    assert term_hash("容器") == int.from_bytes(bytes.fromhex("2b1bc231bf5a33bc"), "little")


@pytest.mark.parametrize("size", [0, 63, 64, 65, 5000])
@pytest.mark.parametrize("k", [0, 1, 50, 78, 79, 5001])
def test_the_best_of_many_are_those_that_sorting_all_would_give(size: int, k: int) -> None:
    chance = np.random.default_rng(size + k)
    steps = chance.integers(0, 30, size)  # many are equal, and a third has none
    scores = np.where(steps < 10, 0, steps).astype(np.float32)
    ranked = sorted(np.flatnonzero(scores), key=lambda row: (-scores[row], row))
    assert best(scores, k).tolist() == ranked[:k]


@pytest.mark.parametrize("k", [1, 2, 50, 78])
def test_the_best_of_many_that_all_differ_are_found_wherever_they_stand(k: int) -> None:
    scores = np.random.default_rng(k).permutation(5000).astype(np.float32)
    for given in (scores, np.sort(scores), np.sort(scores)[::-1]):
        assert best(given, k).tolist() == np.argsort(-given)[:k].tolist()
