import struct

import numpy as np

from index.q4 import Q4Matrix


def test_a_block_is_a_scale_and_32_weights_the_low_halves_first() -> None:
    data = struct.pack("<e", 0.5) + bytes([0xF1] + [0x88] * 15)
    matrix = Q4Matrix.parse(memoryview(data), columns=32)
    assert matrix.values().tolist() == [[-3.5] + [0.0] * 15 + [3.5] + [0.0] * 15]


def test_packing_puts_neighbours_into_a_byte() -> None:
    nibbles = np.zeros((1, 32), np.uint8)
    nibbles[0, :3] = [3, 15, 8]
    matrix = Q4Matrix(nibbles, np.ones((1, 1), np.float32))
    assert matrix.unsigned_bytes()[0, :2].tolist() == [0xF3, 0x08]
    assert matrix.signed_bytes()[0, :2].tolist() == [0x7B, 0x80]  # -5 is 0xB, 7; 0, -8 is 0x8


def test_rows_are_taken_and_stacked_with_their_scales() -> None:
    nibbles = np.arange(64, dtype=np.uint8).reshape(2, 32) % 16
    matrix = Q4Matrix(nibbles, np.array([[1.0], [2.0]], np.float32))
    stacked = Q4Matrix.stack([matrix.take([1]), matrix])
    assert stacked.values().tolist() == matrix.values()[[1, 0, 1]].tolist()
