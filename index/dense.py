"""Nearest vectors by FAISS. The only module that imports it."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from index.embed import Vectors

DenseKind: TypeAlias = Literal["Flat", "HNSW"]
EXACT_UP_TO = 50_000
"""Passages up to which every vector is compared: about 5 ms a question. Beyond, HNSW."""
_NEIGHBOURS = 32
_BUILD_BREADTH = 80
_SEARCH_BREADTH = 96
_AT_ONCE = 1 << 20
_READING = threading.Lock()  # the limits that FAISS reads within are those of the process


class Dense:
    """Inner-product search over unit vectors: exact while that is quick, then HNSW.

    HNSW is Malkov and Yashunin, TPAMI 2020, doi:10.1109/TPAMI.2018.2889473.
    """

    # several classes of FAISS
    def __init__(self, faiss_index: Any, memory: bytes = b"") -> None:  # noqa: ANN401
        """Wrap an index made by `build` or `load`, and the memory that it points into."""
        self._index = faiss_index
        self._memory = memory

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
    def kind(self) -> DenseKind:
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
        """Write the index to `path`.

        Raises:
            OSError: The disk is full or cannot be written.
        """
        import faiss  # noqa: PLC0415

        with path.open("wb") as file:  # FAISS's own writing would not say what went wrong
            writer = faiss.PyCallbackIOWriter(  # type: ignore[attr-defined]  # not in its stubs
                file.write, _AT_ONCE
            )
            faiss.write_index(self._index, writer)

    @classmethod
    def load(cls, data: bytes, *, kind: Literal["Flat", "HNSW"], rows: int, dimension: int) -> Self:
        """Return the index in the bytes that `save` wrote, which it goes on to use.

        FAISS trusts its input. So verify a checksum before, and say what is expected: it bounds
        what a damaged file can cost.

        Raises:
            ValueError: It is not what is expected.
            RuntimeError: FAISS cannot read it.
            MemoryError: It asks for more than there is.
        """
        import faiss  # noqa: PLC0415

        faiss.omp_set_num_threads(1)  # one thread a request; spinning ones only slow each other
        memory = np.frombuffer(data, np.uint8)
        with _READING:
            before = (
                faiss.get_deserialization_vector_byte_limit(),
                faiss.get_deserialization_loop_limit(),
            )
            faiss.set_deserialization_vector_byte_limit(2 * len(data))
            faiss.set_deserialization_loop_limit(10 * rows + 1000)
            try:
                reader = faiss.ZeroCopyIOReader(  # type: ignore[attr-defined]  # likewise
                    faiss.swig_ptr(memory), len(data)
                )
                index = faiss.read_index(reader)
            finally:  # whoever else reads with FAISS in this process has limits of its own
                faiss.set_deserialization_vector_byte_limit(before[0])
                faiss.set_deserialization_loop_limit(before[1])
        _check(index, kind, rows, dimension)
        return cls(index, data)


# several classes of FAISS, here and below
def _check(index: Any, kind: DenseKind, rows: int, dimension: int) -> None:  # noqa: ANN401
    """Raise ValueError unless an index is what is expected; FAISS itself looks at the graph."""
    import faiss  # noqa: PLC0415

    expected = faiss.IndexHNSWFlat if kind == "HNSW" else faiss.IndexFlatIP
    flat = index
    if type(index) is expected is faiss.IndexHNSWFlat:
        flat = faiss.downcast_index(index.storage)
        _check_head(index, rows, dimension)
    if type(index) is not expected or type(flat) is not faiss.IndexFlatIP:
        message = f"a FAISS index of type {type(index).__name__}, {kind} is expected"
        raise ValueError(message)
    _check_head(flat, rows, dimension)
    if flat.codes.size() != rows * dimension * np.dtype(np.float32).itemsize:
        message = f"{flat.codes.size()} bytes of vectors for {rows} times {dimension} numbers"
        raise ValueError(message)


def _check_head(index: Any, rows: int, dimension: int) -> None:  # noqa: ANN401
    import faiss  # noqa: PLC0415

    found = (index.ntotal, index.d, index.metric_type, index.is_trained)
    expected = (rows, dimension, faiss.METRIC_INNER_PRODUCT, True)
    if found != expected:
        message = f"(rows, dimension, metric, trained) is {found}, not {expected}"
        raise ValueError(message)
