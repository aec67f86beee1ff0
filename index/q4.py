"""Matrices of 4-bit weights, in the blocks that GGML calls Q4_0."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

BLOCK = 32
"""Weights of a row that share a scale."""

_MIDDLE = 8  # the nibble that stands for 0
_BYTES = 2 + BLOCK // 2  # of a block: a float16 scale, then two weights a byte


@dataclass(frozen=True, slots=True, eq=False)
class Q4Matrix:
    """A matrix whose weight (i, j) is `(nibbles[i, j] - 8) * scales[i, j // 32]`.

    Attributes:
        nibbles: Shape (rows, columns), uint8 from 0 to 15; columns is a multiple of 32.
        scales: Shape (rows, columns / 32), float32; each is a float16 number.
    """

    nibbles: NDArray[np.uint8]
    scales: NDArray[np.float32]

    @classmethod
    def parse(cls, data: memoryview, columns: int) -> Self:
        """Read blocks of 18 bytes: byte j holds weight j in its low half, weight j + 16 above.

        Raises:
            ValueError: `data` holds no whole number of rows.
        """
        blocks = np.frombuffer(data, np.uint8).reshape(-1, _BYTES)
        pairs = blocks[:, 2:]
        nibbles = np.concatenate([pairs & 15, pairs >> 4], axis=1).reshape(-1, columns)
        scales = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
        return cls(nibbles, scales.reshape(-1, columns // BLOCK))

    @classmethod
    def stack(cls, matrices: Sequence[Self]) -> Self:
        """Put matrices of as many columns below one another."""
        return cls(
            np.concatenate([matrix.nibbles for matrix in matrices]),
            np.concatenate([matrix.scales for matrix in matrices]),
        )

    def take(self, rows: Sequence[int]) -> Self:
        """Return these rows, in this order."""
        return type(self)(self.nibbles[rows], self.scales[rows])

    def values(self) -> NDArray[np.float32]:
        """Return the weights, shape (rows, columns)."""
        rows, columns = self.nibbles.shape
        blocks = self.nibbles.astype(np.float32).reshape(rows, -1, BLOCK) - _MIDDLE
        blocks *= self.scales[:, :, None]
        return blocks.reshape(rows, columns)

    def unsigned_bytes(self) -> NDArray[np.uint8]:
        """Return the nibbles, two a byte, the first in the low half: shape (rows, columns / 2)."""
        return self.nibbles[:, ::2] | self.nibbles[:, 1::2] << np.uint8(4)

    def signed_bytes(self) -> NDArray[np.uint8]:
        """Return `nibbles - 8` in the same order, in two's complement of 4 bits."""
        return self.unsigned_bytes() ^ np.uint8(0x88)  # flipping the top bit is subtracting 8
