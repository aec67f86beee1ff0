"""wenqu itself, by the path that `wenqu ingest` and `wenqu serve` take, without the reader."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bot.runtime import Runtime, open_model, open_segmenter
from bot.settings import Settings
from corpus.document import Document
from corpus.words import Segmenter
from eval.bench.kits.recipe import Tools, by_sentence
from index.database import Database
from index.embed import Embedder, Vectors
from index.model import read_model_manifest
from index.rows import search_text

_THREADS = 2  # for an ingest, as in the settings


class Given:
    """The built-in model, whose vectors are known before."""

    dimension = 384

    def __init__(self, name: str, known: Mapping[str, Vectors]) -> None:
        self.id = name
        self._known = known

    def encode_questions(self, texts: Sequence[str]) -> Vectors:
        """Look them up."""
        return np.stack([self._known[text] for text in texts])

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Look them up."""
        return np.stack([self._known[text] for text in texts])


class Quick(Segmenter):
    """Cuts alike, and each sentence once."""

    def __init__(self, cache: Path) -> None:
        super().__init__(cache)
        self._quick = by_sentence(super().terms)

    def terms(self, text: str) -> list[str]:
        """Return the same terms."""
        return self._quick(text)


class Hybrid:
    """A library in a data folder of its own."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def build(self, texts: Sequence[str], vectors: Vectors | None, folder: Path) -> None:
        """Ingest each text as a document."""
        settings = Settings(data=folder, reader=())
        documents = [_document(at, text) for at, text in enumerate(texts)]
        if vectors is None:
            embedder = open_model(settings, threads=_THREADS)
        else:
            seen = [search_text(one.title, (), one.text) for one in documents]
            embedder = self._given(dict(zip(seen, vectors, strict=True)))
        runtime = self._runtime(settings, embedder)
        runtime.library().ingest(documents)
        runtime.close()

    def load(self, folder: Path) -> None:
        """Open the library."""
        settings = Settings(data=folder, reader=())
        known = self._tools.known
        runtime = (
            Runtime.open(settings) if known is None else self._runtime(settings, self._given(known))
        )
        generation = runtime.bot().library.generation()
        if generation is None:
            message = f"{folder} has no index"
            raise ValueError(message)
        self._index = generation.index

    def search(self, question: str, k: int) -> list[int]:
        """Search."""
        return [int(hit.passage.document_id) for hit in self._index.search(question, k)]

    def _given(self, known: Mapping[str, Vectors]) -> Embedder:
        return Given(read_model_manifest(self._tools.model).id, known)

    def _runtime(self, settings: Settings, embedder: Embedder) -> Runtime:
        remember = self._tools.remember
        segmenter = Quick(settings.cache / "jieba") if remember else open_segmenter(settings)
        return Runtime(settings, Database(settings.database), embedder, segmenter)


def _document(at: int, text: str) -> Document:
    """Make the document whose only passage is embedded as `text`."""
    path, parted, body = text.partition("\n")
    return Document(id=f"{at:07}", title=path if parted else "", text=body or path, source="")
