"""Nearest vectors by FAISS. The only module that imports it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from index.embed import Vectors

EXACT_UP_TO = 50_000
"""Passages up to which every vector is compared: about 5 ms a question. Beyond, HNSW."""
_NEIGHBOURS = 32
_BUILD_BREADTH = 80
_SEARCH_BREADTH = 96


class Dense:
    """Inner-product search over unit vectors: exact while that is quick, then HNSW.

    HNSW is Malkov and Yashunin, TPAMI 2020, doi:10.1109/TPAMI.2018.2889473.
    """

    def __init__(self, faiss_index: Any) -> None:  # noqa: ANN401  # several classes of FAISS
        """Wrap an index made by `build` or `load`."""
        self._index = faiss_index

    @classmethod
    def build(cls, vectors: Vectors, *, exact_up_to: int = EXACT_UP_TO) -> Self:
        """Index `vectors`, shape (n, dimension); rows keep their numbers."""
        import faiss  # noqa: PLC0415  # 0.1 s, and commands that do not search need none of it

        rows, dimension = vectors.shape
        index: Any
        if rows <= exact_up_to:
            index = faiss.IndexFlatIP(dimension)
        else:
            index = faiss.IndexHNSWFlat(dimension, _NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
            index.hnsw.efConstruction = _BUILD_BREADTH
            index.hnsw.efSearch = _SEARCH_BREADTH
        index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        return cls(index)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        """Columns of a vector."""
        return int(self._index.d)

    @property
    def kind(self) -> str:
        """`Flat` or `HNSW`."""
        return "HNSW" if hasattr(self._index, "hnsw") else "Flat"

    def search(self, vector: Vectors, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the rows nearest to `vector`, shape (dimension,), and their cosines, best first.

        Both have the shape (min(k, n),); equal cosines are ordered by row.
        """
        k = min(k, len(self))
        if k < 1:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        scores, rows = self._index.search(np.ascontiguousarray(vector[None, :]), k)
        found = rows[0] >= 0  # FAISS pads with -1 where a graph search finds fewer
        order = np.lexsort((rows[0][found], -scores[0][found]))
        return rows[0][found][order], scores[0][found][order]

    def vectors(self, rows: Sequence[int] | NDArray[np.int64]) -> Vectors:
        """Return the vectors at `rows`, shape (len(rows), dimension)."""
        chosen = np.ascontiguousarray(rows, dtype=np.int64)
        if not len(chosen):
            return np.zeros((0, self.dimension), np.float32)
        found: Vectors = self._index.reconstruct_batch(chosen)
        return found

    def save(self, path: Path) -> None:
        """Write the index to `path`."""
        import faiss  # noqa: PLC0415

        faiss.write_index(self._index, str(path))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote. Verify the file's checksum before: FAISS trusts its input."""
        import faiss  # noqa: PLC0415

        faiss.omp_set_num_threads(1)  # one thread a request; spinning ones only slow each other
        return cls(faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC))
