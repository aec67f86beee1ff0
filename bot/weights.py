"""The numbers in weights.toml, read once."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files


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


@lru_cache(maxsize=1)
def weights() -> Weights:
    """Return the weights that ship with wenqu."""
    data = tomllib.loads(files("bot").joinpath("weights.toml").read_text(encoding="utf-8"))
    refusal = data["refusal"]
    return Weights(data["evidence"], refusal["signals"], refusal["bias"], refusal["threshold"])
