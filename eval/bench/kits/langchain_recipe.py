"""LangChain: its FAISS store and BM25 retriever, joined by its `EnsembleRetriever`.

BM25Retriever keeps nothing on disk: it is made from the documents of the store at each start.
"""

from collections.abc import Sequence
from pathlib import Path

from langchain_classic.retrievers import EnsembleRetriever
from langchain_community.retrievers import BM25Retriever
from langchain_community.vectorstores import FAISS
from langchain_community.vectorstores.utils import DistanceStrategy
from langchain_core.embeddings import Embeddings

from eval.bench.kits.recipe import CANDIDATES, Tools
from index.embed import Vectors


class Known(Embeddings):  # type: ignore[misc]  # LangChain is not there where types are checked
    """Vectors that were made before."""

    def __init__(self, tools: Tools) -> None:
        self._known = tools.known or {}

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Not called: passages come with their vectors."""
        raise NotImplementedError(len(texts))

    def embed_query(self, text: str) -> list[float]:
        """Look it up."""
        found: list[float] = self._known[text].tolist()
        return found


class Hybrid:
    """As the documentation of `EnsembleRetriever` has it."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._embeddings = _model(tools) if tools.known is None else Known(tools)

    def build(self, texts: Sequence[str], vectors: Vectors | None, folder: Path) -> None:
        """Fill the store and save it."""
        given = self._embeddings.embed_documents(list(texts)) if vectors is None else vectors
        store = FAISS.from_embeddings(
            [(text, list(vector)) for text, vector in zip(texts, given, strict=True)],
            self._embeddings,
            metadatas=[{"at": at} for at in range(len(texts))],
            distance_strategy=DistanceStrategy.MAX_INNER_PRODUCT,
        )
        store.save_local(str(folder))

    def load(self, folder: Path) -> None:
        """Load the store and index its documents for BM25."""
        store = FAISS.load_local(
            str(folder),
            self._embeddings,
            allow_dangerous_deserialization=True,
            distance_strategy=DistanceStrategy.MAX_INNER_PRODUCT,
        )
        names = store.index_to_docstore_id
        documents = [store.docstore.search(names[at]) for at in range(len(names))]
        words = BM25Retriever.from_documents(
            documents, preprocess_func=self._tools.cut, k=CANDIDATES
        )
        near = store.as_retriever(search_kwargs={"k": CANDIDATES})
        self._both = EnsembleRetriever(retrievers=[words, near], weights=[0.5, 0.5], id_key="at")

    def search(self, question: str, k: int) -> list[int]:
        """Search."""
        return [document.metadata["at"] for document in self._both.invoke(question)[:k]]


def _model(tools: Tools) -> Embeddings:
    from langchain_huggingface import HuggingFaceEmbeddings  # noqa: PLC0415  # torch

    return HuggingFaceEmbeddings(
        model_name=str(tools.model),
        encode_kwargs={"normalize_embeddings": True, "prompt": "passage: "},
        query_encode_kwargs={"normalize_embeddings": True, "prompt": "query: "},
    )
