"""The encoder as an ONNX graph, written node by node from the weights: no torch, no tracing.

A graph takes the tokens of one text and no mask: nothing is padded, and a text has the same
vector whatever it is encoded together with, although the scale of an int8 input depends on the
whole input. Batches would not be faster: one text is work enough for one core.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from index.e5s1 import E5Model, Shape
from index.q4 import BLOCK, Q4Matrix

INPUT = "tokens"
OUTPUT = "vectors"
_CONTRIBUTED = "com.microsoft"  # operators of onnxruntime that the ONNX standard has not
_LARGEST = 105
"""Of an int8 weight. Processors without VNNI add two products of a uint8 and an int8 in 16 bits,
which overflow is clipped: at 127 it costs more than the finer steps give, at 63 it cannot happen.
Measured error of the vectors, 1 - cosine: .0012 at 63, .0007 at 105, .0008 at 127."""


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """A layer `x @ weight.T + bias`, shapes (outputs, inputs) and (outputs,)."""

    name: str
    weight: Q4Matrix
    bias: NDArray[np.float32]


class Graph:
    """Nodes and constants, collected; every node gets names of its own for what it returns."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add a tensor and return its name."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def nibbles(self, name: str, matrix: Q4Matrix) -> str:
        """Add the nibbles of a matrix, less 8, as a tensor of type INT4; return its name."""
        data = matrix.signed_bytes().tobytes()
        shape = matrix.nibbles.shape
        self.constants.append(helper.make_tensor(name, TensorProto.INT4, shape, data, raw=True))
        return name

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401  # as ONNX
        """Add an operator of the standard and return the name of its result."""
        return self.split(operator, *inputs, results=1, **attributes)[0]

    def contributed(self, operator: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401
        """Add an operator of onnxruntime and return the name of its result."""
        return self.node(operator, *inputs, domain=_CONTRIBUTED, **attributes)

    def split(self, operator: str, *inputs: str, results: int, **attributes: Any) -> list[str]:  # noqa: ANN401
        """Add an operator with several results and return their names."""
        name = f"{operator}_{len(self.nodes)}"
        names = [f"{name}_{at}" for at in range(results)]
        self.nodes.append(helper.make_node(operator, inputs, names, name, **attributes))
        return names


Multiply: TypeAlias = Callable[[Graph, str, Linear], str]
"""Adds a linear layer on the named input and returns the name of the result."""


def exactly(graph: Graph, x: str, linear: Linear) -> str:
    """Multiply with the 4-bit weights as they are, and float32 inputs."""
    outputs, inputs = linear.weight.nibbles.shape
    packed = linear.weight.unsigned_bytes().reshape(outputs, inputs // BLOCK, BLOCK // 2)
    return graph.contributed(
        "MatMulNBits",
        x,
        graph.constant(f"{linear.name}.weight", packed),
        graph.constant(f"{linear.name}.scales", linear.weight.scales.reshape(-1)),
        "",  # no zero points: 8 is the default
        "",  # no order of groups
        graph.constant(f"{linear.name}.bias", linear.bias),
        K=inputs,
        N=outputs,
        bits=4,
        block_size=BLOCK,
    )


def in_int8(divisors: Mapping[str, NDArray[np.float32]]) -> Multiply:
    """Return a way to multiply in 8-bit integers, one weight scale an output.

    Args:
        divisors: Name of a layer to what each of its inputs is divided by before it is rounded,
            and its weights multiplied by, see `index.smooth`; layers that are not here have none.
    """

    def multiply(graph: Graph, x: str, linear: Linear) -> str:
        rounded = round_to_int8(
            linear.name, linear.weight.values(), linear.bias, divisors.get(linear.name)
        )
        return multiply_rounded(graph, x, rounded)

    return multiply


@dataclass(frozen=True, slots=True, eq=False)
class Rounded:
    """A linear layer in 8 bits: weight (i, j) is `weight[i, j] * scales[i]`.

    Attributes:
        name: Of the layer.
        weight: Shape (outputs, inputs), int8.
        scales: Shape (outputs,).
        bias: Shape (outputs,).
        divisor: What each input is divided by first, shape (inputs,); empty for none.
    """

    name: str
    weight: NDArray[np.int8]
    scales: NDArray[np.float32]
    bias: NDArray[np.float32]
    divisor: NDArray[np.float32]


def round_to_int8(
    name: str,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    divisor: NDArray[np.float32] | None,
) -> Rounded:
    """Round a weight of shape (outputs, inputs), multiplied by what its inputs are divided by."""
    if divisor is not None:
        weight = weight * divisor
    scales = np.abs(weight).max(axis=1) / _LARGEST
    rounded = np.round(weight / scales[:, None]).astype(np.int8)
    return Rounded(
        name, rounded, scales, bias, np.zeros(0, np.float32) if divisor is None else divisor
    )


def multiply_rounded(graph: Graph, x: str, linear: Rounded) -> str:
    """Add a layer that is rounded already, and return the name of the result."""
    if linear.divisor.size:
        x = graph.node("Mul", x, graph.constant(f"{linear.name}.smooth", 1 / linear.divisor))
    return graph.contributed(
        "DynamicQuantizeMatMul",
        x,
        graph.constant(f"{linear.name}.weight", linear.weight.T),
        graph.constant(f"{linear.name}.scales", linear.scales),
        "",  # no zero points: 0 is the default
        graph.constant(f"{linear.name}.bias", linear.bias),
    )


def encoder(model: E5Model, rows: Sequence[int], multiply: Multiply) -> ModelProto:
    """Build the graph from `tokens`, int64 of shape (1, length), to `vectors`.

    Args:
        model: The weights.
        rows: Of the embedding table to keep; token i means `rows[i]`.
        multiply: How the linear layers are computed.

    Returns:
        A model whose output is the mean of the last layer's tokens, scaled to length 1: float32
        of shape (1, hidden).
    """
    graph = Graph()
    x = embed(graph, model, rows)
    stack = Layers(
        model.shape,
        model.floats,
        lambda x, layer, name: multiply(graph, x, linear(model, layer, name)),
    )
    for layer in range(model.shape.layers):
        x = encode_layer(graph, stack, layer, x)
    mean = graph.node("ReduceMean", x, graph.constant("axes", np.array([1])), keepdims=0)
    graph.node("LpNormalization", mean, axis=-1, p=2)
    graph.nodes[-1].output[0] = OUTPUT
    return finished(graph, {OUTPUT: [1, model.shape.hidden]})


def finished(graph: Graph, outputs: Mapping[str, Sequence[int | str]]) -> ModelProto:
    """Return the model from `tokens` to the results of these names and shapes, float32."""
    inputs = [helper.make_tensor_value_info(INPUT, TensorProto.INT64, [1, "length"])]
    results = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in outputs.items()
    ]
    return helper.make_model(
        helper.make_graph(graph.nodes, "encoder", inputs, results, graph.constants),
        opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid(_CONTRIBUTED, 1)],
        ir_version=10,  # of opset 21
    )


def linear(model: E5Model, layer: int, name: str) -> Linear:
    """Return a linear layer: `qkv` (the three of them), `ao`, `fi` or `fo`, as the file says."""
    columns = model.shape.between if name == "fo" else model.shape.hidden
    parts = [f"l{layer}.{part}" for part in ("qkv" if name == "qkv" else (name,))]
    return Linear(
        f"l{layer}.{name}",
        Q4Matrix.stack([model.matrix(f"{part}.w", columns) for part in parts]),
        np.concatenate([model.floats(f"{part}.b") for part in parts]),
    )


def embed(graph: Graph, model: E5Model, rows: Sequence[int]) -> str:
    """Add the vectors of the tokens, from 4-bit weights, and return the name of the result."""
    shape = model.shape
    words = model.matrix("emb.word", shape.hidden).take(rows)
    word = graph.contributed(
        "GatherBlockQuantized",
        graph.nibbles("words", words),
        INPUT,
        graph.constant("words.scales", words.scales),
        gather_axis=0,
        quantize_axis=1,
        block_size=BLOCK,
    )
    places = model.floats("emb.pos").reshape(shape.positions, shape.hidden)
    places = places + model.floats("emb.type")[: shape.hidden]  # one text: all of the first kind
    start = graph.constant("start", np.array([0]))
    length = graph.node("Shape", INPUT, start=1)
    place = graph.node("Slice", graph.constant("places", places), start, length, start)
    return _normalize(graph, model, "emb.ln", graph.node("Add", word, place))


@dataclass(frozen=True, slots=True)
class Layers:
    """The layers of an encoder, wherever their weights come from.

    Attributes:
        shape: Sizes.
        floats: Name of a vector of weights to its values, such as `l0.aln.w`.
        multiply: Adds a linear layer on the named input, by layer and name as in `linear`.
    """

    shape: Shape
    floats: Callable[[str], NDArray[np.float32]]
    multiply: Callable[[str, int, str], str]


def encode_layer(graph: Graph, layers: Layers, layer: int, x: str) -> str:
    """Add a layer on the named input and return the name of the result."""
    sizes = graph.constant(f"l{layer}.sizes", np.array([layers.shape.hidden] * 3))
    qkv = layers.multiply(x, layer, "qkv")
    q, k, v = graph.split("Split", qkv, sizes, results=3, axis=-1)
    seen = graph.contributed("MultiHeadAttention", q, k, v, num_heads=layers.shape.heads)
    out = layers.multiply(seen, layer, "ao")
    x = _normalize(graph, layers, f"l{layer}.aln", graph.node("Add", x, out))
    between = graph.node("Gelu", layers.multiply(x, layer, "fi"))
    out = layers.multiply(between, layer, "fo")
    return _normalize(graph, layers, f"l{layer}.oln", graph.node("Add", x, out))


def _normalize(graph: Graph, layers: Layers | E5Model, name: str, x: str) -> str:
    weight = graph.constant(f"{name}.w", layers.floats(f"{name}.w"))
    bias = graph.constant(f"{name}.b", layers.floats(f"{name}.b"))
    # Add and this are five times as fast as onnxruntime's SkipLayerNormalization (1.32, AVX2)
    return graph.node("LayerNormalization", x, weight, bias, epsilon=layers.shape.epsilon)
