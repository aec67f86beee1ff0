from collections.abc import Callable

import pytest

from bot.answer import Citation
from bot.pieces import Piece
from bot.runtime import Runtime
from bot.settings import Settings
from corpus.document import Passage
from corpus.words import Segmenter
from eval.bench.field import standing
from eval.bench.fuzz_model import bundled_passages, faults_of, scribble
from eval.bench.fuzz_orders import obeying, order
from index.database import Database
from index.testing import CharEmbedder

SEED = 20_240_229


def test_whatever_a_model_writes_what_is_shown_has_its_source(segmenter: Segmenter) -> None:
    tally = scribble(bundled_passages(), segmenter, full=False, seed=SEED)
    assert tally.complaints == []
    assert tally.statuses[200] > 20  # of some answers something was shown
    assert tally.statuses[204] > 20  # and of some nothing


PASSAGE = Passage("d", 10, 21, "甲是2013年出生的。", ("题",))
CITED = Citation(1, PASSAGE, 10, 19, "甲是2013年出生")


@pytest.mark.parametrize(
    ("text", "citation", "fault"),
    [
        ("甲是2013年出生[1]。", CITED, None),
        ("甲是2014年出生[1]。", CITED, "'2014' of"),
        ("Docker 是2013年出生[1]。", CITED, "'Docker' of"),
        ("甲是2013年出生。", CITED, "has no source"),
        ("甲是2013年出生[2]。", CITED, "has no source"),
        ("甲 <b>是2013年出生[1]。", CITED, "has a link or markup"),
    ],
)
def test_a_false_answer_would_be_seen(text: str, citation: Citation, fault: str | None) -> None:
    found = [*faults_of([Piece(text, (citation,))], [PASSAGE], mark=False)]
    assert (fault is None) == (found == [])
    assert fault is None or any(fault in each for each in found)


def test_a_quotation_from_elsewhere_would_be_seen() -> None:
    other = Passage("e", 0, 11, "甲是2013年出生的。", ())
    found = faults_of([Piece("甲是2013年出生[1]。", (CITED,))], [other], mark=False)
    assert "is in no passage" in next(iter(found))


@pytest.mark.parametrize("wrapped", [lambda opened: opened, obeying], ids=["extractive", "obeys"])
def test_no_order_in_a_question_gets_more_than_an_answer(
    segmenter: Segmenter,
    wrapped: Callable[[Callable[[Settings], Runtime]], Callable[[Settings], Runtime]],
) -> None:
    def opened(chosen: Settings) -> Runtime:
        return Runtime(chosen, Database(chosen.database), CharEmbedder(""), segmenter)

    with standing(wrapped(opened)) as field:
        tally = order(field, full=False)
    assert tally.complaints == []
    assert tally.statuses == {200: 24}
