"""LlamaIndex: its FAISS store and BM25 retriever, joined by its `QueryFusionRetriever`.

BM25Retriever cuts texts by a pattern only. So words are indexed by bm25s, on which it is built
and which it takes ready made, and a question is cut before it is handed on.
"""

from collections.abc import Sequence
from pathlib import Path

import bm25s
import faiss
from llama_index.core import StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.llms import MockLLM
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.core.vector_stores.utils import node_to_metadata_dict
from llama_index.retrievers.bm25 import BM25Retriever
from llama_index.vector_stores.faiss import FaissVectorStore

from eval.bench.kits.recipe import CANDIDATES, Tools
from index.embed import Vectors


class Known(BaseEmbedding):  # type: ignore[misc]  # not there where types are checked
    """Vectors that were made before."""

    known: dict[str, list[float]]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self.known[query]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self.known[query]

    def _get_text_embedding(self, text: str) -> list[float]:
        """Not called: passages come with their vectors."""
        raise NotImplementedError(text)


class Words(BM25Retriever):  # type: ignore[misc]  # likewise
    """Cuts the question into words."""

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        cut = QueryBundle(" ".join(self.cut(query_bundle.query_str)))
        found: list[NodeWithScore] = super()._retrieve(cut)
        return found


class Hybrid:
    """As the documentation of `QueryFusionRetriever` has it, without a language model."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._model = _model(tools)

    def build(self, texts: Sequence[str], vectors: Vectors | None, folder: Path) -> None:
        """Fill both indexes and persist them."""
        given = (
            self._model.get_text_embedding_batch(list(texts))
            if vectors is None
            else vectors.tolist()
        )
        nodes = [
            TextNode(id_=str(at), text=text, embedding=vector, metadata={"at": at})
            for at, (text, vector) in enumerate(zip(texts, given, strict=True))
        ]
        store = FaissVectorStore(faiss_index=self._faiss(len(given[0])))
        storage = StorageContext.from_defaults(vector_store=store)
        VectorStoreIndex(nodes, storage_context=storage, embed_model=self._model)
        storage.persist(str(folder))
        bodies = [node_to_metadata_dict(node) | {"node_id": node.node_id} for node in nodes]
        words = bm25s.BM25(corpus=bodies)
        words.index([self._tools.cut(text) for text in texts], show_progress=False)
        Words(existing_bm25=words, similarity_top_k=CANDIDATES).persist(str(folder / "bm25"))

    def load(self, folder: Path) -> None:
        """Load both indexes."""
        store = FaissVectorStore.from_persist_dir(str(folder))
        storage = StorageContext.from_defaults(vector_store=store, persist_dir=str(folder))
        index = load_index_from_storage(storage, embed_model=self._model)
        words = Words.from_persist_dir(str(folder / "bm25"))
        words.token_pattern, words.skip_stemming = r"\S+", True
        words.cut = self._tools.cut
        self._both = QueryFusionRetriever(
            [index.as_retriever(similarity_top_k=CANDIDATES), words],
            llm=MockLLM(),
            mode="reciprocal_rerank",
            num_queries=1,
            similarity_top_k=CANDIDATES,
            use_async=False,
        )

    def search(self, question: str, k: int) -> list[int]:
        """Search."""
        return [found.node.metadata["at"] for found in self._both.retrieve(question)[:k]]

    def _faiss(self, width: int) -> faiss.Index:
        return faiss.IndexFlatIP(width)


class Hnsw(Hybrid):
    """With a graph in place of the flat index that the documentation shows."""

    def _faiss(self, width: int) -> faiss.Index:
        index = faiss.IndexHNSWFlat(width, 32, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efSearch = 96
        return index


def _model(tools: Tools) -> BaseEmbedding:
    if tools.known is not None:
        return Known(known={text: vector.tolist() for text, vector in tools.known.items()})
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding  # noqa: PLC0415  # torch

    return HuggingFaceEmbedding(
        model_name=str(tools.model),
        query_instruction="query: ",
        text_instruction="passage: ",
        normalize=True,
    )
