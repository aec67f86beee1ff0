"""The models behind the seam: the built-in one, and any of sentence-transformers."""

import hashlib
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from index.embed import Embedder, Progress, Vectors
from index.errors import ModelError
from index.model import GRAPH, PROMPTS, TOKENIZER, model_folder, read_model_manifest

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

BUILTIN = "builtin"
"""The name of our own model in the settings."""


def open_embedder(
    model: str, cache: Path, progress: Progress | None = None, *, threads: int = 1
) -> Embedder:
    """Open an embedding model.

    Args:
        model: `builtin`, the folder of a sentence-transformers model, or its name on the hub.
        cache: Where the built-in model is kept, and made if it is missing.
        progress: Told of the stage `model`, while the built-in model is made.
        threads: Texts that the built-in model encodes at once.

    Raises:
        ModelError: It cannot be made or loaded.
    """
    if model == BUILTIN:
        return OnnxEmbedder.open(model_folder(cache, progress), threads=threads)
    return SentenceTransformerEmbedder.open(model)


class OnnxEmbedder:
    """The built-in model on onnxruntime, without torch. Safe to use from many threads.

    A text is encoded alone and on one core, so its vector is the same to the bit in any company,
    nothing is padded, and many callers do not wait for one another. Texts are cut off after 512
    tokens, about 700 Chinese characters.
    """

    # onnxruntime has no types
    def __init__(self, name: str, session: Any, tokenizer: "Tokenizer", threads: int) -> None:  # noqa: ANN401
        self._name = name
        self._session = session
        self._tokenizer = tokenizer
        self._threads = threads
        self._input: str = session.get_inputs()[0].name
        self._dimension: int = session.get_outputs()[0].shape[1]

    @classmethod
    def open(cls, folder: Path, *, threads: int = 1) -> Self:
        """Load a folder that `index.model.model_folder` made; takes a quarter of a second.

        Args:
            folder: Of the model.
            threads: Texts to encode at once, when there are several.

        Raises:
            ModelError: The folder is no such folder, or damaged.
        """
        from index.session import open_session, open_tokenizer  # noqa: PLC0415  # 0.2 s

        manifest = read_model_manifest(folder)
        session = open_session(folder / GRAPH)
        tokenizer = open_tokenizer(folder / TOKENIZER)
        return cls(manifest.id, session, tokenizer, threads)

    @property
    def id(self) -> str:
        """Name, format of the folder, and hash of the weights it was made from."""
        return self._name

    @property
    def tokenizer(self) -> "Tokenizer":
        """To be shared: a second one would take 60 MB. Safe to use from many threads."""
        return self._tokenizer

    @property
    def dimension(self) -> int:
        """384."""
        return self._dimension

    def encode_questions(self, texts: Sequence[str]) -> Vectors:
        """Return shape (len(texts), dimension); (0, dimension) for no texts."""
        return self._encode(PROMPTS["query"], texts)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Return shape (len(texts), dimension); (0, dimension) for no texts."""
        return self._encode(PROMPTS["passage"], texts)

    def _encode(self, prompt: str, texts: Sequence[str]) -> Vectors:
        prompted = [prompt + text for text in texts]
        if len(texts) > 1 and self._threads > 1:
            with ThreadPoolExecutor(self._threads) as pool:
                rows = list(pool.map(self._vector, prompted))
        else:
            rows = [self._vector(text) for text in prompted]
        return np.array(rows, np.float32).reshape(len(texts), self._dimension)

    def _vector(self, text: str) -> Vectors:
        tokens = np.array([self._tokenizer.encode(text).ids], np.int64)
        (vectors,) = self._session.run(None, {self._input: tokens})
        vector: Vectors = vectors[0]
        return vector


class SentenceTransformerEmbedder:
    """Any model of sentence-transformers. Safe to use from many threads, one at a time.

    A question gets the model's own prompt `query`, a passage `passage` or `document`, where its
    settings have them.
    """

    def __init__(self, name: str, model: "SentenceTransformer") -> None:
        self._model = model
        self._question = model.prompts.get("query") or None
        self._passage = model.prompts.get("passage") or model.prompts.get("document") or None
        self._id = f"{name}:{_digest(model, self._question, self._passage)}"
        self._lock = threading.Lock()  # its tokenizer cannot be borrowed by two threads

    @classmethod
    def open(cls, model: str) -> Self:
        """Load a folder, or a name on the hub; takes several seconds.

        Raises:
            ModelError: There is no such model, or it cannot be fetched.
        """
        folder = Path(model).expanduser()
        if not folder.is_dir() and (model.startswith((".", "~")) or folder.is_absolute()):
            message = f"there is no folder {model!r} with an embedding model; {_EXPECTED}"
            raise ModelError(message)
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415  # torch: 6 s

        try:
            loaded = SentenceTransformer(str(folder) if folder.is_dir() else model)
        except Exception as error:  # the hub, torch and the model's own code raise anything
            message = f"cannot load the embedding model {model!r}: {error}; {_EXPECTED}"
            raise ModelError(message) from error
        return cls(folder.name if folder.is_dir() else model, loaded)

    @property
    def id(self) -> str:
        """Name, and hash of weights and prompts."""
        return self._id

    @property
    def dimension(self) -> int:
        """As the model says."""
        return self._model.get_embedding_dimension() or 0

    def encode_questions(self, texts: Sequence[str]) -> Vectors:
        """Return shape (len(texts), dimension); (0, dimension) for no texts."""
        return self._encode(self._question, texts)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Return shape (len(texts), dimension); (0, dimension) for no texts."""
        return self._encode(self._passage, texts)

    def _encode(self, prompt: str | None, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        with self._lock:
            vectors = self._model.encode(
                list(texts), prompt=prompt, normalize_embeddings=True, show_progress_bar=False
            )
        return np.ascontiguousarray(vectors, np.float32)


_EXPECTED = (
    f"expected {BUILTIN!r}, the folder of a sentence-transformers model, or the name of one on "
    "the Hugging Face hub, which is fetched the first time: without a network, copy its folder here"
)


def _digest(model: "SentenceTransformer", *prompts: str | None) -> str:
    """Hash weights and prompts, so that another revision of a model has another id."""
    import torch  # noqa: PLC0415  # loaded with the model

    digest = hashlib.sha256(repr(prompts).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]
