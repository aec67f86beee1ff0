from pathlib import Path

import numpy as np
import pytest
import torch

from corpus.document import Passage
from eval.reader.network import NetworkReader, open_network
from index.hit import Hit
from index.model import TOKENIZER, model_folder
from index.reader_model import open_reader
from index.session import open_tokenizer
from index.trained import TrainedReader

pytestmark = pytest.mark.slow  # torch and the real model

TEXT = "1979年，Unix v7 支持 chroot。2013年，Docker 项目发布，容器从此普及。"
HISTORY = Hit(Passage("d", 0, len(TEXT), TEXT), 1.0, title="容器简史")
CATS = Hit(Passage("c", 0, 22, "阿花在屋顶上睡觉。它喜欢吃鱼，也喜欢晒太阳。"), 0.5, title="猫")
_PARTS = {
    "qkv": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "ao": ("attention.output.dense",),
    "fi": ("intermediate.dense",),
    "fo": ("output.dense",),
}
_NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


def network_of(trained: TrainedReader, cache: Path) -> NetworkReader:
    """Undo the rounding to 8 bits, and what the inputs were divided by."""
    folder = model_folder(cache)
    network = open_network(folder, trained.card.layers)
    state: dict[str, torch.Tensor] = {}
    for layer in range(trained.card.layers):
        place = f"encoder.encoder.layer.{layer}"
        for name, parts in _PARTS.items():
            rounded = trained.linear(layer, name)
            weight = rounded.weight.astype("f4") * rounded.scales[:, None]
            if rounded.divisor.size:
                weight /= rounded.divisor
            size = len(weight) // len(parts)
            for at, part in enumerate(parts):
                rows = slice(at * size, (at + 1) * size)
                state[f"{place}.{part}.weight"] = torch.tensor(weight[rows])
                state[f"{place}.{part}.bias"] = torch.tensor(rounded.bias[rows])
        for name, part in _NORMS.items():
            state[f"{place}.{part}.weight"] = torch.tensor(trained.floats(f"l{layer}.{name}.w"))
            state[f"{place}.{part}.bias"] = torch.tensor(trained.floats(f"l{layer}.{name}.b"))
    for name, head in (("spans", "span"), ("relevance", "relevance")):
        state[f"{head}.weight"] = torch.tensor(trained.floats(f"{name}.w"))
        state[f"{head}.bias"] = torch.tensor(trained.floats(f"{name}.b"))
    found = network.load_state_dict(state, strict=False)
    assert not found.unexpected_keys
    assert all(key.startswith("encoder.embeddings.") for key in found.missing_keys)
    return NetworkReader(network, open_tokenizer(folder / TOKENIZER))


def test_the_graph_computes_what_torch_computes_from_the_same_weights(
    model_cache: Path,
) -> None:
    question = "chroot 是哪一年出现的？"
    exact = network_of(TrainedReader.shipped(), model_cache).read(question, [HISTORY, CATS])
    found = open_reader(model_cache).read(question, [HISTORY, CATS])
    for ours, theirs in zip(found, exact, strict=True):
        assert np.abs(ours.starts - theirs.starts).max() < 0.1
        assert np.abs(ours.ends - theirs.ends).max() < 0.1
        assert ours.relevance == pytest.approx(theirs.relevance, abs=0.05)
