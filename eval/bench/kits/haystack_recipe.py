"""Haystack: its in-memory store with both retrievers, joined by its `DocumentJoiner`.

The store cuts texts by a pattern only. So it is given words parted by spaces, and keeps the text
as it was beside them; what is embedded is the text.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from haystack import Document, Pipeline
from haystack.components.joiners import DocumentJoiner
from haystack.components.retrievers.in_memory import (
    InMemoryBM25Retriever,
    InMemoryEmbeddingRetriever,
)
from haystack.document_stores.in_memory import InMemoryDocumentStore

from eval.bench.kits.recipe import CANDIDATES, Tools
from index.embed import Vectors

_FILE = "store.json"


class Hybrid:
    """As the tutorial on hybrid retrieval has it."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def build(self, texts: Sequence[str], vectors: Vectors | None, folder: Path) -> None:
        """Fill the store and save it."""
        plain = [Document(id=str(at), content=text) for at, text in enumerate(texts)]
        if vectors is None:
            plain = self._embedded(plain)
        else:
            plain = [
                replace(one, embedding=vector)
                for one, vector in zip(plain, vectors.tolist(), strict=True)
            ]
        store = InMemoryDocumentStore(bm25_tokenization_regex=r"\S+", return_embedding=False)
        store.write_documents(
            [
                replace(one, content=" ".join(self._tools.cut(text)), meta={"text": text})
                for one, text in zip(plain, texts, strict=True)
            ]
        )
        store.save_to_disk(str(folder / _FILE))

    def load(self, folder: Path) -> None:
        """Load the store and connect the pipeline."""
        store = InMemoryDocumentStore.load_from_disk(str(folder / _FILE))
        pipeline = Pipeline()
        pipeline.add_component("near", InMemoryEmbeddingRetriever(store, top_k=CANDIDATES))
        pipeline.add_component("words", InMemoryBM25Retriever(store, top_k=CANDIDATES))
        pipeline.add_component("join", DocumentJoiner(join_mode="reciprocal_rank_fusion"))
        pipeline.connect("near", "join")
        pipeline.connect("words", "join")
        if self._tools.known is None:
            pipeline.add_component("embed", _text_embedder(self._tools))
            pipeline.connect("embed.embedding", "near.query_embedding")
        self._pipeline = pipeline

    def search(self, question: str, k: int) -> list[int]:
        """Search."""
        known = self._tools.known
        asked: dict[str, dict[str, Any]] = {"words": {"query": " ".join(self._tools.cut(question))}}
        if known is None:
            asked["embed"] = {"text": question}
        else:
            asked["near"] = {"query_embedding": known[question].tolist()}
        found = self._pipeline.run(asked)["join"]["documents"]
        return [int(document.id) for document in found[:k]]

    def _embedded(self, documents: list[Document]) -> list[Document]:
        from haystack_integrations.components.embedders.sentence_transformers import (  # noqa: PLC0415  # torch
            SentenceTransformersDocumentEmbedder,
        )

        embedder = SentenceTransformersDocumentEmbedder(
            model=str(self._tools.model),
            prefix="passage: ",
            normalize_embeddings=True,
            progress_bar=False,
        )
        embedder.warm_up()
        found: list[Document] = embedder.run(documents=documents)["documents"]
        return found


def _text_embedder(tools: Tools) -> Any:  # noqa: ANN401  # a class of Haystack, which is not typed
    from haystack_integrations.components.embedders.sentence_transformers import (  # noqa: PLC0415  # torch
        SentenceTransformersTextEmbedder,
    )

    embedder = SentenceTransformersTextEmbedder(
        model=str(tools.model), prefix="query: ", normalize_embeddings=True, progress_bar=False
    )
    embedder.warm_up()
    return embedder
