import math
from collections.abc import Sequence

import numpy as np
import pytest

from bot.evidence import Evidence
from bot.question import Question
from bot.reading import CERTAIN, READ, USES, Readings, log_odds, read, rerank
from bot.short import short_answer
from bot.weights import reader_weights
from corpus.document import Passage
from index.hit import Hit
from index.reader import Reading


class FakeReader:
    """Thinks a passage relevant as its text says, and its words from 3 to 6 the answer."""

    def read(self, question: str, hits: Sequence[Hit]) -> list[Reading]:
        assert question
        return [reading(float(hit.passage.text[:3])) for hit in hits]


def reading(relevance: float, sure: float = 0.99) -> Reading:
    places = np.array([[0, 3], [3, 6], [6, 9]], np.int64)
    likely = np.array([0.0, sure, 0.0], np.float32)
    return Reading(places, likely, likely, 1 - sure, relevance)


def hit(text: str, score: float) -> Hit:
    return Hit(Passage(text, 0, len(text), text), score)


HITS = [hit(f"0.{at}甲乙丙丁戊己", 1 - at / 20) for at in range(1, 9)]
"""The lower the score, the more relevant."""


def question(kind: str = "who", text: str = "谁？") -> Question:
    return Question(text, kind, ("谁",), (), (), ())  # type: ignore[arg-type]  # any kind


def evidence(text: str, start: int = 0) -> Evidence:
    passage = Passage(HITS[0].passage.document_id, 0, 9, HITS[0].passage.text)
    return Evidence(passage, start, start + len(text), 1.0)


def test_only_the_first_passages_are_read() -> None:
    readings = read(FakeReader(), USES, "谁？", HITS)
    assert set(readings.by_id) == {one.passage.id for one in HITS[:READ]}
    assert readings.relevance(HITS[-1].passage.id) == -6.0


def test_a_passage_far_below_the_best_is_not_read() -> None:
    far = [*HITS[:2], hit("0.9远", HITS[0].score - CERTAIN - 0.01)]
    assert set(read(FakeReader(), USES, "谁？", far).by_id) == {h.passage.id for h in far[:2]}


def test_nothing_is_read_without_a_reader_or_a_use() -> None:
    for readings in (read(None, USES, "谁？", HITS), read(FakeReader(), frozenset(), "谁？", HITS)):
        assert readings.by_id == {}
        assert rerank(HITS, readings) == HITS
        assert not readings.used_for("refuse")


def test_relevance_changes_the_order_and_keeps_what_was_not_read_behind() -> None:
    weight = reader_weights().rerank
    ranked = rerank(HITS, read(FakeReader(), USES, "谁？", HITS))
    by_hand = sorted(HITS[:READ], key=lambda h: -(h.score + weight * float(h.passage.text[:3])))
    assert [one.passage for one in ranked] == [one.passage for one in [*by_hand, *HITS[READ:]]]
    assert all(0 <= one.score <= 1 for one in ranked)


def test_the_order_stays_where_the_reader_is_not_for_it() -> None:
    readings = read(FakeReader(), frozenset({"quote"}), "谁？", HITS)
    assert rerank(HITS, readings) == HITS
    assert readings.used_for("quote")


def test_log_odds_are_bounded() -> None:
    assert log_odds(0.5) == 0
    assert log_odds(0.8) == pytest.approx(math.log(4))
    assert log_odds(0) == pytest.approx(-6, abs=0.01)
    assert log_odds(1) == pytest.approx(6, abs=0.01)


def test_the_words_the_reader_is_sure_of_stand_first() -> None:
    readings = Readings({HITS[0].passage.id: reading(0.9)}, USES)
    assert short_answer(question(), evidence(HITS[0].passage.text), readings) == "甲乙丙"


@pytest.mark.parametrize("kind", ["list", "compare", "why", "how", "definition"])
def test_some_questions_have_no_short_answer(kind: str) -> None:
    readings = Readings({HITS[0].passage.id: reading(0.9)}, USES)
    assert short_answer(question(kind), evidence(HITS[0].passage.text), readings) == ""


def test_no_words_are_said_that_are_unsure_asked_for_or_of_another_sentence() -> None:
    sentence = evidence(HITS[0].passage.text)
    unsure = Readings({HITS[0].passage.id: reading(0.9, sure=0.1)}, USES)
    assert short_answer(question(), sentence, unsure) == ""
    sure = Readings({HITS[0].passage.id: reading(0.9)}, USES)
    assert short_answer(question(text="甲乙丙是谁？"), sentence, sure) == ""
    assert short_answer(question(), evidence("丁戊己", start=6), sure) == ""
    off = Readings(sure.by_id, frozenset({"rerank"}))
    assert short_answer(question(), sentence, off) == ""
    assert short_answer(question(), evidence("甲乙丙", start=3), sure) == ""  # it is all of it
