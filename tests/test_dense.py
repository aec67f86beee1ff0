from pathlib import Path

import numpy as np
import pytest

from index.dense import Dense
from index.embed import Vectors


def unit(rows: int, columns: int, seed: int) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)
    scaled: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled


def test_exact_search_is_sorting_by_cosine() -> None:
    vectors, asked = unit(200, 16, 1), unit(5, 16, 2)
    dense = Dense.build(vectors)
    for vector in asked:
        rows, scores = dense.search(vector, 7)
        cosines = vectors @ vector
        assert rows.tolist() == np.argsort(-cosines)[:7].tolist()
        assert scores == pytest.approx(cosines[rows], abs=1e-6)


def test_equal_vectors_are_ordered_by_row_and_k_may_exceed_what_there_is() -> None:
    vectors = np.repeat(unit(1, 8, 3), 4, axis=0)
    rows, scores = Dense.build(vectors).search(vectors[0], 99)
    assert rows.tolist() == [0, 1, 2, 3]
    assert scores == pytest.approx([1, 1, 1, 1])
    assert Dense.build(vectors[:0]).search(vectors[0], 3)[0].tolist() == []


def test_the_graph_search_finds_nearly_what_the_exact_one_finds() -> None:
    vectors = unit(3000, 32, 4)
    exact, graph = Dense.build(vectors), Dense.build(vectors, exact_up_to=100)
    assert (exact.kind, graph.kind) == ("Flat", "HNSW")
    asked = unit(50, 32, 5)
    shared = [
        len(set(exact.search(v, 10)[0].tolist()) & set(graph.search(v, 10)[0].tolist()))
        for v in asked
    ]
    assert sum(shared) / 500 >= 0.95


@pytest.mark.parametrize("exact_up_to", [100, 10])
def test_a_saved_index_answers_the_same_and_gives_its_vectors_back(
    tmp_path: Path, exact_up_to: int
) -> None:
    vectors = unit(50, 8, 6)
    built = Dense.build(vectors, exact_up_to=exact_up_to)
    built.save(tmp_path / "dense.faiss")
    loaded = Dense.load(tmp_path / "dense.faiss")
    assert (len(loaded), loaded.dimension, loaded.kind) == (50, 8, built.kind)
    assert loaded.search(vectors[7], 3)[0].tolist() == built.search(vectors[7], 3)[0].tolist()
    assert np.array_equal(loaded.vectors([3, 1]), vectors[[3, 1]])
    assert loaded.vectors([]).shape == (0, 8)
