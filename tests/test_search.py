import math

import pytest

from corpus.document import Document
from corpus.words import Segmenter
from index.dense import Dense
from index.gazetteer import Gazetteer
from index.lexical import Bags, Lexical
from index.rows import rows_of, search_text
from index.search import HybridIndex
from index.stopwatch import Stopwatch
from index.testing import CharEmbedder

TEXTS = ["猫猫猫。", "猫和狗。", "狗在跑。", "cri-o 是容器引擎。"]


@pytest.fixture
def index(segmenter: Segmenter) -> HybridIndex:
    embedder = CharEmbedder("猫狗鸟")
    rows = [
        row
        for at, text in enumerate(TEXTS)
        for row in rows_of(Document(id=f"d{at}", title=f"题{at}", text=text, source=""))
    ]
    return HybridIndex(
        rows,
        Dense.build(embedder.encode_passages(TEXTS)),
        Lexical.build(Bags.count(segmenter.terms(text) for text in TEXTS)),
        embedder,
        segmenter,
        Gazetteer({}),
    )


def test_a_hit_says_what_each_retriever_thought_of_it(index: HybridIndex) -> None:
    first, second, *rest = index.search("猫", 4)
    assert (first.passage.document_id, first.title) == ("d0", "题0")
    assert first.ranks == {"dense": 1, "bm25": 1}
    # (猫3, 狗0, 鸟0, other 1) against (1, 0, 0, 0)
    assert first.scores["dense"] == pytest.approx(3 / math.sqrt(10))
    assert second.passage.document_id == "d1"
    assert all("bm25" not in hit.ranks and hit.scores["bm25"] == 0 for hit in rest)


def test_a_name_is_found_by_words_where_meaning_fails(index: HybridIndex) -> None:
    assert index.search("CRI-O", 1, weights={"dense": 0, "bm25": 1})[0].passage.document_id == "d3"


def test_results_are_ordered_and_no_more_than_asked_for(index: HybridIndex) -> None:
    hits = index.search("狗", 3)
    assert len(hits) == 3
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert hits == index.search("狗", 3)
    assert len(index.search("狗", 99)) == 4
    assert index.search("狗", 0) == []


def test_the_stages_of_a_search_are_timed(index: HybridIndex) -> None:
    watch = Stopwatch()
    index.search("猫", watch=watch)
    assert set(watch.timings()) == {"embed", "dense", "bm25", "fuse", "total"}


def test_what_is_searched_has_the_title_once_and_the_headings_above() -> None:
    assert search_text("简史", ("简史", "编排"), "文") == "简史 > 编排\n文"
    assert search_text("", (), "文") == "\n文"


def test_either_script_finds_the_same_with_the_same_scores(index: HybridIndex) -> None:
    assert index.search("貓和狗") == index.search("猫和狗")
    assert search_text("簡史", ("編排",), "容器") == search_text("简史", ("编排",), "容器")


def test_the_words_to_look_for_can_be_others_than_the_question(index: HybridIndex) -> None:
    by_words = {"dense": 0.0, "bm25": 1.0}
    assert index.search("狗", 1, weights=by_words)[0].passage.document_id == "d1"
    found = index.search("狗", 1, words="CRI-O", weights=by_words)
    assert found[0].passage.document_id == "d3"
