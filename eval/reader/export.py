"""From a trained network to the file that ships."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import Tensor, nn

from eval.reader.network import Batch, ReaderNetwork
from index.graph import round_to_int8
from index.pair import Pair
from index.smooth import divisor
from index.trained import Card

_LINEAR = {
    "qkv": "attention.self.query attention.self.key attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
_NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
_EVEN = "ao"  # inputs that need no smoothing, see index/smooth.py


def export(network: ReaderNetwork, pairs: Sequence[Pair], card: Card, path: Path) -> None:
    """Round the layers to 8 bits and write them with the heads.

    Args:
        network: Trained.
        pairs: Some hundred, to see which inputs of a layer are large.
        card: Written into the file.
        path: Of the file.
    """
    network.eval()
    tensors: dict[str, NDArray[np.generic]] = {}
    for layer, parts in enumerate(_linears(network)):
        peaks = _peaks(network, list(parts.values()), pairs)
        for (name, modules), peak in zip(parts.items(), peaks, strict=True):
            weight = np.concatenate([_values(module.weight) for module in modules])
            bias = np.concatenate([_values(module.bias) for module in modules])
            smooth = None if name == _EVEN else divisor(peak, weight)
            rounded = round_to_int8(name, weight, bias, smooth)
            tensors[f"l{layer}.{name}.w"] = rounded.weight
            tensors[f"l{layer}.{name}.scales"] = rounded.scales
            tensors[f"l{layer}.{name}.b"] = rounded.bias
            tensors[f"l{layer}.{name}.divisor"] = rounded.divisor
        for name, place in _NORMS.items():
            norm = network.encoder.encoder.layer[layer].get_submodule(place)
            assert isinstance(norm, nn.LayerNorm)  # noqa: S101  # for the type checker
            tensors[f"l{layer}.{name}.w"] = _values(norm.weight)
            tensors[f"l{layer}.{name}.b"] = _values(norm.bias)
    for name, head in (("spans", network.span), ("relevance", network.relevance)):
        tensors[f"{name}.w"], tensors[f"{name}.b"] = _values(head.weight), _values(head.bias)
    about = {"card": json.dumps(card.model_dump(), ensure_ascii=False)}
    save_file({name: np.ascontiguousarray(t) for name, t in tensors.items()}, path, metadata=about)


def _linears(network: ReaderNetwork) -> list[dict[str, list[nn.Linear]]]:
    """Return the linear layers of each layer by the names of `index.graph.linear`."""
    return [
        {name: [_linear(layer, path) for path in paths.split()] for name, paths in _LINEAR.items()}
        for layer in network.encoder.encoder.layer
    ]


def _linear(layer: nn.Module, path: str) -> nn.Linear:
    found = layer.get_submodule(path)
    assert isinstance(found, nn.Linear)  # noqa: S101  # for the type checker
    return found


def _peaks(
    network: ReaderNetwork, parts: Sequence[list[nn.Linear]], pairs: Sequence[Pair]
) -> list[NDArray[np.float32]]:
    """Return the largest absolute value of each input of some layers."""
    peaks = [torch.zeros(modules[0].in_features) for modules in parts]

    def watch(at: int) -> object:
        def seen(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            highest = inputs[0].detach().abs().flatten(0, -2).amax(0).cpu()
            peaks[at] = torch.maximum(peaks[at], highest)

        return parts[at][0].register_forward_pre_hook(seen)

    hooks = [watch(at) for at in range(len(parts))]
    device = str(next(network.parameters()).device)
    with torch.no_grad():
        for pair in pairs:  # one by one: what is padded is nobody's input
            network(Batch.of([pair], device))
    for hook in hooks:
        hook.remove()  # type: ignore[attr-defined]  # a handle, which torch does not name
    return [peak.numpy() for peak in peaks]


def _values(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.detach().cpu().float().numpy()
