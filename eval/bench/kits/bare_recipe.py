"""The bare reference: what faiss, bm25s, jieba and onnxruntime do with nothing around them."""

import json
from collections.abc import Sequence
from pathlib import Path

import bm25s
import faiss
import numpy as np

from eval.bench.kits.recipe import CANDIDATES, Tools
from index.embed import Vectors

_GRAPH_FROM = 50_000  # passages; as the FAISS wiki advises, no flat scan of many


class Hybrid:
    """Both scores of all candidates, min-maxed and added."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        if tools.known is None:
            import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415  # has no types
            from tokenizers import Tokenizer  # noqa: PLC0415  # only to embed

            self._tokenizer = Tokenizer.from_file(str(tools.model / "tokenizer.json"))
            self._session = onnxruntime.InferenceSession(tools.model / "wenqu.onnx")

    def build(self, texts: Sequence[str], vectors: Vectors | None, folder: Path) -> None:
        """Index and write."""
        if vectors is None:
            vectors = np.stack([self._vector(f"passage: {text}") for text in texts])
        width = vectors.shape[1]
        flat = len(texts) <= _GRAPH_FROM
        kind = faiss.METRIC_INNER_PRODUCT
        dense = faiss.IndexFlatIP(width) if flat else faiss.IndexHNSWFlat(width, 32, kind)
        dense.add(vectors)
        faiss.write_index(dense, str(folder / "dense.faiss"))
        lexical = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
        lexical.index([self._tools.cut(text) for text in texts], show_progress=False)
        lexical.save(folder / "bm25")
        (folder / "texts.json").write_text(json.dumps(texts, ensure_ascii=False), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Read what was written."""
        self._dense = faiss.read_index(str(folder / "dense.faiss"))
        if hasattr(self._dense, "hnsw"):
            self._dense.hnsw.efSearch = 96
        self._lexical = bm25s.BM25.load(folder / "bm25", mmap=True)
        self._texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))

    def search(self, question: str, k: int) -> list[int]:
        """Search."""
        known = self._tools.known
        vector = self._vector(f"query: {question}") if known is None else known[question]
        depth = min(CANDIDATES, len(self._texts))
        near = self._dense.search(vector[None], depth)[1][0]
        words = self._lexical.get_scores(sorted({*self._tools.cut(question)}))
        wordy = np.argpartition(-words, depth - 1)[:depth]
        rows = np.union1d(near, wordy[words[wordy] > 0])
        cosines = self._dense.reconstruct_batch(rows) @ vector
        fused = _min_max(cosines) + _min_max(words[rows])
        return [int(row) for row in rows[np.lexsort((rows, -fused))][:k]]

    def _vector(self, text: str) -> Vectors:
        tokens = np.array([self._tokenizer.encode(text).ids], np.int64)
        name = self._session.get_inputs()[0].name
        vector: Vectors = self._session.run(None, {name: tokens})[0][0]
        return vector


def _min_max(scores: Vectors) -> Vectors:
    spread = scores.max() - scores.min()
    return (scores - scores.min()) / spread if spread > 0 else np.ones_like(scores)
