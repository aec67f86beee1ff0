"""Loading what a model folder holds."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.errors import ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer


# onnxruntime has no types
def onnx_runtime() -> Any:  # noqa: ANN401
    """Import onnxruntime with its telemetry off.

    Otherwise it keeps a device id in the user's cache folder and calls out to its makers.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415  # 0.2 s; has no types

    return onnxruntime


def open_session(path: Path) -> Any:  # noqa: ANN401
    """Load a graph that runs on the thread of whoever calls it.

    Raises:
        ModelError: It is missing or damaged.
    """
    onnxruntime = onnx_runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the caller's own: no pool is made whose threads spin
    options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # it raises classes of its own, or no class
        raise _damaged(path, error) from error


def open_tokenizer(path: Path) -> "Tokenizer":
    """Load a tokenizer.

    Raises:
        ModelError: It is missing or damaged.
    """
    from tokenizers import Tokenizer  # noqa: PLC0415  # for the built-in models only

    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> ModelError:
    return ModelError(
        f"the model in {path.parent} cannot be loaded, delete it to make it anew: {error}"
    )
