"""Arrays of numbers as files, in the format of NumPy.

NumPy's own functions hide what the system said when a disk is full, and allocate whatever the head
of a file demands.
"""

import math
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

SUFFIX = ".npy"


def write_array(path: Path, array: NDArray[np.generic]) -> None:
    """Write one array; `numpy.load` reads it.

    Raises:
        OSError: The disk is full or cannot be written.
    """
    whole = np.ascontiguousarray(array)
    with path.open("wb") as file:
        npy.write_array_header_1_0(file, npy.header_data_from_array_1_0(whole))
        file.write(whole.data.cast("B") if whole.size else b"")


def read_array(data: bytes) -> NDArray[np.generic]:
    """Return the array in the bytes of a file, without copying it; it cannot be written to.

    Raises:
        ValueError: It is no array of numbers, or not as long as its head says.
    """
    head = BytesIO(data)
    if npy.read_magic(head) != (1, 0):
        message = "an array of another version"
        raise ValueError(message)
    shape, by_column, kind = npy.read_array_header_1_0(head)
    if kind.hasobject or by_column or min(shape, default=0) < 0:
        message = f"an array of {kind} {shape}, numbers row by row are expected"
        raise ValueError(message)
    count = math.prod(shape)
    if count * kind.itemsize != len(data) - head.tell():
        message = f"{len(data) - head.tell()} bytes, {count} times {kind.itemsize} are expected"
        raise ValueError(message)
    return np.frombuffer(data, kind, count, head.tell()).reshape(shape)
