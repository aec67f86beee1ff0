"""Evening out the inputs of a layer before they are rounded to 8 bits.

Xiao et al., "SmoothQuant: accurate and efficient post-training quantization for large language
models", ICML 2023, arXiv:2211.10438. A few columns of a layer's input are 10 to 50 times as large
as the others and would leave these a handful of the 256 steps. Dividing each column of the input
and multiplying that column of the weights changes no product.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import helper
from tokenizers import Tokenizer

from index.e5s1 import E5Model
from index.graph import INPUT, Graph, Linear, encoder, exactly
from index.session import onnx_runtime

_STRENGTH = 0.65
"""Alpha of the paper: 0 leaves the inputs as they are, 1 makes all columns equally large. Measured
error of the vectors of 120 other texts, 1 - cosine: .0011 at .55, .0007 at .65, .0010 at .8."""

_SMOOTHED = ("qkv", "fi", "fo")  # inputs of ao are even

_QUESTIONS = (
    "秦始皇是哪一年统一六国的？",
    "怎样才能让集群在升级时不中断服务",
    "臺北捷運最早通車的是哪一條路線？",
    "What is the difference between a process and a thread?",
)
_PASSAGES = (
    "高铁的发展\n2008年8月1日，京津城际铁路开通运营，最高时速350公里，全程约30分钟。",
    "安装：1. 下载（约 120 MB）；2. 校验 SHA-256；3. 运行 ./install.sh --prefix=/opt。",
    "若端口被占用，请把 config.yaml 中的 server.port 改为 8081，再打开 http://[::1]:8081/。",
    "她推开窗，看见海棠开了。“怎么才三月就这样热闹？”祖母笑着摇头，把一杯热茶递到她手里。",
    "第三条 承租人应当按期支付租金；逾期超过三十日的，出租人可以解除合同并要求赔偿损失。",
    "颱風過後，農民忙著搶收稻穀。農業部估計，全臺農損達新臺幣三億二千萬元，以水稻受害最重。",
    "| 年份 | 收入（亿元） | 同比 |\n| 2021 | 86.4 | +12.3% |\n| 2022 | 79.1 | -8.4% |",
    "Photosynthesis turns light into chemical energy, mostly in the leaves of plants.",
    "小分子如 O₂ 可自由扩散，而 Na⁺ 须借助“钠钾泵”逆浓度梯度运输，每次泵出3个。",
)
"""Texts of many kinds, to see which columns of a layer's input are large."""


def divisors(
    model: E5Model, rows: Sequence[int], tokenizer: Tokenizer
) -> dict[str, NDArray[np.float32]]:
    """Return name of a layer -> what to divide each column of its input by, geometric mean 1.

    Args:
        model: The weights.
        rows: Of the embedding table to keep.
        tokenizer: With an id for each of `rows`.
    """
    inputs: dict[str, str] = {}
    layers: dict[str, Linear] = {}

    def watch(graph: Graph, x: str, linear: Linear) -> str:
        if linear.name.endswith(_SMOOTHED):
            inputs[linear.name] = x
            layers[linear.name] = linear
        return exactly(graph, x, linear)

    exact = encoder(model, rows, watch)
    for name in dict.fromkeys(inputs.values()):
        exact.graph.output.append(helper.make_empty_tensor_value_info(name))
    session = onnx_runtime().InferenceSession(
        exact.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    largest = {name: np.zeros(0, np.float32) for name in inputs}
    examples = [f"query: {text}" for text in _QUESTIONS]
    examples += [f"passage: {text}" for text in (*_PASSAGES, "".join(_PASSAGES))]
    for text in examples:
        tokens = np.array([tokenizer.encode(text).ids])
        seen = session.run(list(inputs.values()), {INPUT: tokens})
        for name, values in zip(inputs, seen, strict=True):
            peak = np.abs(values[0]).max(axis=0)
            largest[name] = np.maximum(largest[name], peak) if largest[name].size else peak
    return {name: divisor(largest[name], layers[name].weight.values()) for name in inputs}


def divisor(largest: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what to divide the inputs of a layer by: equation 4 of the paper, then scaled.

    Args:
        largest: Of each input, in absolute value.
        weight: Shape (outputs, inputs).
    """
    logarithms = _STRENGTH * np.log(largest) - (1 - _STRENGTH) * np.log(np.abs(weight).max(axis=0))
    return np.exp(logarithms - logarithms.mean()).astype(np.float32)  # type: ignore[no-any-return]  # numpy
