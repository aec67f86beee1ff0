"""The numbers in weights.toml, read once."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Weights:
    """What was learnt from questions whose answers are known.

    Attributes:
        evidence: Feature of a sentence to its weight.
        signals: Signal of an answer to its weight.
        bias: Added to the weighted signals.
        threshold: Confidence below which the bot refuses.
    """

    evidence: Mapping[str, float]
    signals: Mapping[str, float]
    bias: float
    threshold: float


@dataclass(frozen=True, slots=True)
class ReaderWeights:
    """What was learnt about the reader's numbers.

    Attributes:
        rerank: How much its relevance counts beside the score of the search, which counts 1.
        direct: Probability from which its span stands first as a short answer.
    """

    rerank: float
    direct: float


@lru_cache(maxsize=2)
def weights(*, read: bool = False) -> Weights:
    """Return the weights that ship with wenqu: those for passages that were read, or not."""
    data = _data()["reader"] if read else _data()
    refusal = data["refusal"]
    return Weights(data["evidence"], refusal["signals"], refusal["bias"], refusal["threshold"])


def reader_weights() -> ReaderWeights:
    """Return the weights of the reader's own numbers."""
    reader = _data()["reader"]
    return ReaderWeights(reader["rerank"], reader["direct"])


@lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    return tomllib.loads(files("bot").joinpath("weights.toml").read_text(encoding="utf-8"))
