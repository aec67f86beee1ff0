"""Vectors that were made before: the same text is never embedded twice in a row."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np

from index.embed import Embedder, Vectors

SIZE = 4096
"""Vectors kept, about 6 MB at 384 columns."""


class CachedEmbedder:
    """An `Embedder` that remembers the vectors used last. Safe to use from many threads."""

    def __init__(self, embedder: Embedder, size: int = SIZE) -> None:
        """Remember up to `size` vectors of `embedder`."""
        self._embedder = embedder
        self._size = size
        self._vectors: OrderedDict[tuple[str, str], Vectors] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def id(self) -> str:
        """That of the embedder behind it."""
        return self._embedder.id

    @property
    def dimension(self) -> int:
        """That of the embedder behind it."""
        return self._embedder.dimension

    def encode_questions(self, texts: Sequence[str]) -> Vectors:
        """Return shape (len(texts), dimension); (0, dimension) for no texts."""
        return self._encode("question", texts, self._embedder.encode_questions)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Return shape (len(texts), dimension); (0, dimension) for no texts."""
        return self._encode("passage", texts, self._embedder.encode_passages)

    def _encode(
        self, kind: str, texts: Sequence[str], encode: Callable[[Sequence[str]], Vectors]
    ) -> Vectors:
        with self._lock:
            found = {text: self._vectors.get((kind, text)) for text in texts}
        missing = [text for text, vector in found.items() if vector is None]
        if missing:
            found.update(zip(missing, encode(missing), strict=True))
        with self._lock:
            for text, vector in found.items():
                if vector is not None:
                    self._vectors[kind, text] = vector
                    self._vectors.move_to_end((kind, text))
            while len(self._vectors) > self._size:
                self._vectors.popitem(last=False)
        rows = [found[text] for text in texts]
        return np.array(rows, np.float32).reshape(len(texts), self.dimension)
