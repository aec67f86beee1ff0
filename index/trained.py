"""The file of weights that training wrote: layers in 8 bits, and the heads."""

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load

from index.errors import ModelError
from index.graph import Rounded
from index.reader_model import WEIGHTS

_Number = TypeVar("_Number", bound=np.generic)


class Card(BaseModel):
    """What the file says of itself, under `card` in its metadata.

    Attributes:
        format: Of the file.
        base: SHA-256 of the file of the embedding model that it was trained on.
        layers: Of the encoder, counted from the lowest.
        data: Sets it has learnt from, with their licences.
        licence: Of the weights.
        command: That trained it.
        seed: Of everything drawn.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    format: Literal[1]
    base: str
    layers: PositiveInt
    data: tuple[str, ...]
    licence: str
    command: str
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class TrainedReader:
    """The weights of a reader.

    Attributes:
        card: What they are.
        tensors: By name, see `linear` and `floats`.
    """

    card: Card
    tensors: dict[str, NDArray[np.generic]]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a file.

        Raises:
            ModelError: `data` is no such file, or damaged.
        """
        try:
            size = int.from_bytes(data[:8], "little")
            metadata = json.loads(data[8 : 8 + size])["__metadata__"]
            card = Card.model_validate_json(metadata["card"])
            tensors = load(data)
        except (SafetensorError, ValidationError, ValueError, KeyError, TypeError) as error:
            message = f"the reader's weights of {len(data)} bytes are damaged: {error}"
            raise ModelError(message) from error
        return cls(card, tensors)

    @classmethod
    def shipped(cls) -> Self:
        """Read the file that comes with wenqu."""
        return cls.parse(files("index").joinpath("weights", WEIGHTS).read_bytes())

    def linear(self, layer: int, name: str) -> Rounded:
        """Return a layer in 8 bits: `qkv`, `ao`, `fi` or `fo`."""
        path = f"l{layer}.{name}"
        return Rounded(
            path,
            self._tensor(f"{path}.w", np.dtype(np.int8)),
            self.floats(f"{path}.scales"),
            self.floats(f"{path}.b"),
            self.floats(f"{path}.divisor"),
        )

    def floats(self, name: str) -> NDArray[np.float32]:
        """Return a tensor of float32."""
        return self._tensor(name, np.dtype(np.float32))

    def _tensor(self, name: str, kind: np.dtype[_Number]) -> NDArray[_Number]:
        found = self.tensors.get(name)
        if found is None or found.dtype != kind:
            message = f"the reader's weights have no tensor {name!r} of {kind}"
            raise ModelError(message)
        return cast("NDArray[_Number]", found)
