from pathlib import Path

import faiss
import numpy as np
import pytest

from index.canary import PROBES, Canary, probes
from index.dense import Dense, DenseKind
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


def saved(path: Path, vectors: Vectors, exact_up_to: int = 100) -> tuple[Dense, bytes]:
    built = Dense.build(vectors, exact_up_to=exact_up_to)
    built.save(path)
    return built, path.read_bytes()


@pytest.mark.parametrize("exact_up_to", [100, 10])
def test_a_saved_index_answers_the_same_and_gives_its_vectors_back(
    tmp_path: Path, exact_up_to: int
) -> None:
    vectors = unit(50, 8, 6)
    built, data = saved(tmp_path / "dense.faiss", vectors, exact_up_to)
    loaded = Dense.load(data, kind=built.kind, rows=50, dimension=8)
    del data  # which the index goes on to use
    assert (len(loaded), loaded.dimension, loaded.kind) == (50, 8, built.kind)
    assert loaded.search(vectors[7], 3)[0].tolist() == built.search(vectors[7], 3)[0].tolist()
    assert np.array_equal(loaded.vectors([3, 1]), vectors[[3, 1]])
    assert loaded.vectors([]).shape == (0, 8)


def test_the_file_is_the_one_that_faiss_itself_writes(tmp_path: Path) -> None:
    vectors = unit(50, 8, 6)
    index = faiss.IndexFlatIP(8)
    index.add(vectors)
    faiss.write_index(index, str(tmp_path / "theirs"))
    assert saved(tmp_path / "ours", vectors)[1] == (tmp_path / "theirs").read_bytes()


@pytest.mark.parametrize(
    ("kind", "rows", "dimension", "says"),
    [
        ("HNSW", 50, 8, "type IndexFlatIP, HNSW is expected"),
        ("Flat", 49, 8, r"is \(50, 8, 0, True\), not \(49, 8, 0, True\)"),
        ("Flat", 50, 9, r"is \(50, 8, 0, True\), not \(50, 9, 0, True\)"),
    ],
)
def test_another_index_than_the_one_expected_is_refused(
    tmp_path: Path, kind: DenseKind, rows: int, dimension: int, says: str
) -> None:
    _, data = saved(tmp_path / "dense.faiss", unit(50, 8, 6))
    with pytest.raises(ValueError, match=says):
        Dense.load(data, kind=kind, rows=rows, dimension=dimension)


def test_another_metric_is_refused(tmp_path: Path) -> None:
    index = faiss.IndexFlatL2(8)
    index.add(unit(50, 8, 6))
    faiss.write_index(index, str(tmp_path / "dense.faiss"))
    with pytest.raises(ValueError, match="type IndexFlatL2, Flat is expected"):
        Dense.load((tmp_path / "dense.faiss").read_bytes(), kind="Flat", rows=50, dimension=8)


@pytest.mark.parametrize("link", [50, 2**31 - 1, -2])
def test_a_graph_with_a_link_that_leads_nowhere_is_refused(tmp_path: Path, link: int) -> None:
    vectors = unit(50, 8, 6)
    built, data = saved(tmp_path / "dense.faiss", vectors, 10)
    links = faiss.vector_to_array(built._index.hnsw.neighbors)
    at = data.index(links.tobytes())
    forged = data[:at] + np.int32(link).tobytes() + data[at + 4 :]
    with pytest.raises((ValueError, RuntimeError)):
        Dense.load(forged, kind="HNSW", rows=50, dimension=8)


@pytest.mark.parametrize("count", [2**28, 2**33])
def test_a_count_that_would_take_all_memory_is_refused_at_once(tmp_path: Path, count: int) -> None:
    _, data = saved(tmp_path / "dense.faiss", unit(50, 8, 6))
    at = data.index(np.uint64(50 * 8).tobytes())
    forged = data[:at] + np.uint64(count).tobytes() + data[at + 8 :]
    with pytest.raises((ValueError, RuntimeError)):
        Dense.load(forged, kind="Flat", rows=50, dimension=8)


@pytest.mark.parametrize("exact_up_to", [1000, 10])
def test_a_canary_knows_its_index_and_no_other(exact_up_to: int) -> None:
    vectors = unit(300, 16, 7)
    built = Dense.build(vectors, exact_up_to=exact_up_to)
    canary = Canary.of(built)
    assert canary.wrong(built) == ""
    swapped = vectors.copy()
    swapped[[3, 4]] = swapped[[4, 3]]
    assert Canary.of(Dense.build(swapped)).sums == pytest.approx(Canary.of(built).sums)
    turned = vectors.copy()
    turned[3] *= -1
    assert canary.wrong(Dense.build(turned, exact_up_to=exact_up_to))
    assert "more or fewer" in canary.wrong(Dense.build(vectors[:5], exact_up_to=exact_up_to))


def test_the_sums_of_a_canary_are_those_of_all_scores() -> None:
    vectors, asked = unit(30, 16, 8), probes(16)
    assert np.linalg.norm(asked, axis=1) == pytest.approx(np.ones(PROBES), abs=1e-6)
    canary = Canary.of(Dense.build(vectors))
    assert canary.sums == pytest.approx((asked @ vectors.T).sum(axis=1), abs=1e-4)
    assert canary.best[5] == pytest.approx(np.sort(vectors @ asked[5])[::-1][:10], abs=1e-5)


def test_a_full_disk_is_told_as_such() -> None:
    with pytest.raises(OSError, match="No space left"):
        Dense.build(unit(5000, 16, 9)).save(Path("/dev/full"))
