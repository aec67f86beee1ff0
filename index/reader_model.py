"""The built-in reader: made once from the embedding model and the weights that ship, then run."""

import hashlib
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from index.embed import Progress
from index.errors import ModelError
from index.hit import Hit
from index.manifest import measure
from index.model import TOKENIZER, Recipe, made
from index.pair import Pair, passage_pair
from index.reader import Floats, Reading

if TYPE_CHECKING:
    from onnx import ModelProto
    from tokenizers import Tokenizer

    from index.e5s1 import E5Model
    from index.trained import TrainedReader

WEIGHTS = "reader.safetensors"
GRAPH = "reader.onnx"
GRAPH_DATA = "reader.onnx.data"
SPANS = "spans"
RELEVANCE = "relevance"

_FORMAT = 1
_SIZE = 40_000_000


def open_reader(
    cache: Path,
    progress: Progress | None = None,
    *,
    threads: int = 2,
    tokenizer: "Tokenizer | None" = None,
) -> "OnnxReader":
    """Open the reader that ships with wenqu.

    Args:
        cache: Where it is kept, and made if it is missing: a few seconds.
        progress: Told of the stage `model`, while it is made.
        threads: Passages that are read at once.
        tokenizer: Of the built-in embedding model, if it is loaded: another one takes 60 MB.

    Raises:
        ModelError: It cannot be made or loaded.
    """
    folder = reader_folder(cache, progress)
    return OnnxReader.open(folder, threads=threads, tokenizer=tokenizer)


def reader_folder(cache: Path, progress: Progress | None = None, *, verify: bool = False) -> Path:
    """Return the folder of the reader, see `index.model.made`."""
    with as_file(files("index").joinpath("weights", WEIGHTS)) as path:
        name = f"wenqu-reader-{_FORMAT}-{measure(path).sha256[:8]}"
    return made(cache, Recipe(name, name, _SIZE, _write_shipped), progress, verify=verify)


def _write_shipped(source: bytes, folder: Path, told: Callable[[float], None]) -> None:
    from index.trained import TrainedReader  # noqa: PLC0415  # onnx, for this one time

    write_reader(source, folder, told, trained=TrainedReader.shipped())


def write_reader(
    source: bytes, folder: Path, told: Callable[[float], None], *, trained: "TrainedReader"
) -> None:
    """Write graph and tokenizer into `folder`, an empty one.

    Args:
        source: The file of the embedding model.
        folder: To be filled.
        told: Called with the share of the work that is done.
        trained: Weights above the embeddings.

    Raises:
        ModelError: `trained` was trained on another embedding model.
    """
    import onnx  # noqa: PLC0415  # for this one time

    from index.e5s1 import E5Model  # noqa: PLC0415
    from index.vocabulary import build_tokenizer, kept  # noqa: PLC0415

    digest = hashlib.sha256(source).hexdigest()
    if digest != trained.card.base:
        message = f"the reader was trained on the model {trained.card.base[:12]}, not {digest[:12]}"
        raise ModelError(message)
    model = E5Model.parse(source)
    told(0.2)
    rows = kept(model.pieces.texts)
    tokenizer = build_tokenizer(model.pieces, rows, model.shape.positions)
    (folder / TOKENIZER).write_text(tokenizer.to_str(), encoding="utf-8")
    told(0.6)
    onnx.save(
        reader_graph(model, rows, trained),
        folder / GRAPH,
        save_as_external_data=True,
        location=GRAPH_DATA,
    )
    told(0.9)


def reader_graph(model: "E5Model", rows: Sequence[int], trained: "TrainedReader") -> "ModelProto":
    """Build the graph from `tokens` to `spans`, shape (1, length, 2), and `relevance`, (1, 1)."""
    from index.graph import (  # noqa: PLC0415
        Graph,
        Layers,
        embed,
        encode_layer,
        finished,
        multiply_rounded,
    )

    graph = Graph()
    x = embed(graph, model, rows)
    layers = Layers(
        model.shape,
        trained.floats,
        lambda x, layer, name: multiply_rounded(graph, x, trained.linear(layer, name)),
    )
    for layer in range(trained.card.layers):
        x = encode_layer(graph, layers, layer, x)
    mean = graph.node("ReduceMean", x, graph.constant("axes", np.array([1])), keepdims=0)
    for name, states in ((SPANS, x), (RELEVANCE, mean)):
        weight = graph.constant(f"{name}.weight", trained.floats(f"{name}.w").T)
        bias = graph.constant(f"{name}.bias", trained.floats(f"{name}.b"))
        graph.node("Add", graph.node("MatMul", states, weight), bias)
        graph.nodes[-1].output[0] = name
    return finished(graph, {SPANS: [1, "length", 2], RELEVANCE: [1, 1]})


class OnnxReader:
    """The reader on onnxruntime, without torch. Safe to use from many threads.

    A passage is read alone and on one core, as the embedding model does it and for the same
    reasons: nothing is padded, and no reading depends on what else is read.
    """

    # onnxruntime has no types
    def __init__(self, session: Any, tokenizer: "Tokenizer", threads: int) -> None:  # noqa: ANN401
        self._session = session
        self._tokenizer = tokenizer
        self._pool = ThreadPoolExecutor(threads, "reader")

    @classmethod
    def open(cls, folder: Path, *, threads: int = 2, tokenizer: "Tokenizer | None" = None) -> Self:
        """Load a folder that `reader_folder` made, without its tokenizer if one is given.

        Raises:
            ModelError: The folder is no such folder, or damaged.
        """
        from index.session import open_session, open_tokenizer  # noqa: PLC0415  # 0.2 s

        tokenizer = tokenizer or open_tokenizer(folder / TOKENIZER)
        return cls(open_session(folder / GRAPH), tokenizer, threads)

    def read(self, question: str, hits: Sequence[Hit]) -> list[Reading]:
        """Read the passage of each hit, several at once."""
        return list(self._pool.map(partial(self._reading, question), hits))

    def _reading(self, question: str, hit: Hit) -> Reading:
        encoded = passage_pair(self._tokenizer, question, hit.title, hit.passage)
        tokens = np.array([encoded.ids], np.int64)
        spans, relevance = self._session.run([SPANS, RELEVANCE], {"tokens": tokens})
        return reading_of(encoded, spans[0], float(relevance[0, 0]))


def reading_of(encoded: Pair, spans: Floats, relevance: float) -> Reading:
    """Turn what the network gives into probabilities.

    Args:
        encoded: What was read.
        spans: Logits of start and end, shape (tokens, 2).
        relevance: A logit.
    """
    seen = [0, *range(encoded.first, encoded.first + len(encoded.spans))]
    likely = _softmax(spans[seen])
    return Reading(
        places=np.array(encoded.spans, np.int64).reshape(-1, 2),
        starts=likely[1:, 0],
        ends=likely[1:, 1],
        absent=float(likely[0].mean()),
        relevance=1 / (1 + math.exp(-relevance)),
    )


def _softmax(logits: Floats) -> Floats:
    """Return probabilities over the first axis."""
    odds = np.exp(logits - logits.max(axis=0))
    likely: Floats = odds / odds.sum(axis=0)
    return likely
