from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from corpus.document import Passage
from index.errors import ModelError
from index.hit import Hit
from index.reader import LONGEST, Reading, Span
from index.reader_model import OnnxReader, open_reader, reader_folder
from index.trained import TrainedReader


def reading(starts: list[float], ends: list[float], absent: float = 0.0) -> Reading:
    places = np.array([[2 * at, 2 * at + 2] for at in range(len(starts))], np.int64).reshape(-1, 2)
    return Reading(
        places, np.array(starts, np.float32), np.array(ends, np.float32), absent, relevance=0.5
    )


def test_the_best_span_has_the_largest_product_of_start_and_end() -> None:
    best = reading([0.1, 0.6, 0.3], [0.5, 0.1, 0.4]).best()
    assert best is not None  # from 1 to 2, for from 1 to 0 would end before it begins
    assert best == Span(2, 6, best.probability)
    assert best.probability == pytest.approx(0.6 * 0.4)


def test_a_span_is_no_longer_than_a_sentence() -> None:
    size = LONGEST + 20
    starts, ends = [0.0] * size, [0.0] * size
    starts[0], ends[-1], starts[3], ends[5] = 0.9, 0.9, 0.05, 0.05
    best = reading(starts, ends).best()
    assert best is not None
    assert (best.start, best.end) == (0, 12)  # 0.9 * 0.05; the end at 0.9 is too far


def test_a_passage_without_words_has_no_span() -> None:
    assert reading([], [], absent=1.0).best() is None
    assert reading([], [], absent=1.0).within(0, 100) == 0


def test_the_probability_of_a_part_is_that_of_the_tokens_that_begin_in_it() -> None:
    read = reading([0.1, 0.2, 0.3], [0.3, 0.3, 0.3], absent=0.4)
    assert read.within(0, 4) == pytest.approx(0.3)
    assert read.within(1, 4) == pytest.approx(0.2)
    assert read.within(0, 6) == pytest.approx(1 - read.absent)


HISTORY = Hit(
    Passage(
        "d", 0, 47, "1979年，Unix v7 支持 chroot。2013年，Docker 项目发布，容器从此普及。"[:47]
    ),
    1.0,
    title="容器简史",
)
CATS = Hit(Passage("c", 0, 22, "阿花在屋顶上睡觉。它喜欢吃鱼，也喜欢晒太阳。"), 0.5, title="猫")


@pytest.fixture(scope="module")
def reader(model_cache: Path) -> OnnxReader:
    return open_reader(model_cache)


def said(reading: Reading, hit: Hit) -> str:
    best = reading.best()
    assert best is not None
    return hit.passage.text[best.start : best.end]


@pytest.mark.slow
def test_the_words_that_answer_are_found_and_the_passage_that_has_them(reader: OnnxReader) -> None:
    history, cats = reader.read("chroot 是哪一年出现的？", [HISTORY, CATS])
    assert "1979" in said(history, HISTORY)
    assert history.relevance > cats.relevance
    assert cats.absent > 0.5
    where = reader.read("阿花在哪里睡觉？", [CATS, HISTORY])
    assert "屋顶" in said(where[0], CATS)
    assert where[0].relevance > where[1].relevance


@pytest.mark.slow
def test_a_reading_does_not_depend_on_what_else_is_read(reader: OnnxReader) -> None:
    question = "chroot 是哪一年出现的？"
    (alone,) = reader.read(question, [HISTORY])
    for together in reader.read(question, [CATS, HISTORY] * 8)[1::2]:
        assert (together.starts == alone.starts).all()
        assert (together.ends == alone.ends).all()
        assert (together.absent, together.relevance) == (alone.absent, alone.relevance)
    assert reader.read(question, []) == []


@pytest.mark.slow
def test_the_probabilities_of_a_passage_sum_to_one(reader: OnnxReader) -> None:
    for read in reader.read("Docker 是谁发布的？", [HISTORY, CATS]):
        both = read.starts.sum() / 2 + read.ends.sum() / 2
        assert both + read.absent == pytest.approx(1, abs=1e-5)
        assert 0 < read.relevance < 1


@pytest.mark.slow
def test_a_damaged_folder_of_the_reader_is_made_anew(tmp_path: Path) -> None:
    folder = reader_folder(tmp_path)
    (folder / "reader.onnx.data").write_bytes(b"")
    with pytest.raises(ModelError, match="delete it"):
        OnnxReader.open(folder)
    assert reader_folder(tmp_path) == folder
    assert OnnxReader.open(folder).read("谁？", [CATS])


def test_the_weights_that_ship_say_what_they_are_and_are_small() -> None:
    trained = TrainedReader.shipped()
    assert trained.card.licence.startswith("CC BY-SA")
    assert any("CMRC" in name for name in trained.card.data)
    assert sum(tensor.nbytes for tensor in trained.tensors.values()) <= 25_000_000


def test_damaged_weights_are_named() -> None:
    for data in (b"", b"\x08\0\0\0\0\0\0\0{}      ", b"nonsense" * 100):
        with pytest.raises(ModelError, match="reader's weights"):
            TrainedReader.parse(data)
    trained = TrainedReader.shipped()
    missing = replace(trained, tensors={})
    with pytest.raises(ModelError, match=r"no tensor 'l0\.qkv\.w'"):
        missing.linear(0, "qkv")


@pytest.mark.slow
def test_weights_for_another_embedding_model_are_refused(tmp_path: Path) -> None:
    from index.reader_model import write_reader  # noqa: PLC0415

    with pytest.raises(ModelError, match="was trained on the model"):
        write_reader(b"another", tmp_path, lambda _share: None, trained=TrainedReader.shipped())
