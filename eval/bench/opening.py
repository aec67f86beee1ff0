"""Opens damaged indexes, each in a child of its own: `python -m eval.bench.opening`.

What a file does to the process that reads it can only be seen from outside. One process loads
the libraries and forks for every case, which takes milliseconds.
"""

import hashlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, Self, cast

import numpy as np

from index.dense import Dense
from index.errors import CorruptIndexError
from index.lexical import Bags
from index.rows import Row
from index.store import open_generation, write_generation

if TYPE_CHECKING:
    from corpus.words import Segmenter
    from index.embed import Embedder

How = Literal["wenqu", "faiss"]
ROWS = 400
DIMENSION = 16
_ID = "bench"
_CPU_SECONDS = 5
_MEMORY_BYTES = 6 << 30
_QUESTIONS = 20


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one case.

    Attributes:
        status: With which the child ended; negative: the signal that killed it.
        seconds: Of processor time.
        megabytes: The most that it held.
        said: Why it was refused; `opened` and the hash of what it then found.
        outside: Files that it opened outside of the index.
    """

    status: int
    seconds: float
    megabytes: float
    said: str
    outside: tuple[str, ...] = ()

    @property
    def opened(self) -> bool:
        """Whether it was not refused."""
        return self.said.startswith("opened")


class Opener:
    """Opens indexes in children, for the time of a `with` block."""

    def __enter__(self) -> Self:
        """Start what forks."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "eval.bench.opening"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.communicate(timeout=60)

    def open(self, folder: Path, how: How = "wenqu") -> Fate:
        """Open the generation in `folder`, or only its FAISS file as FAISS would by itself."""
        pipes = self._process
        assert pipes.stdin  # noqa: S101  # it is a pipe
        assert pipes.stdout  # noqa: S101  # likewise
        print(json.dumps([how, str(folder)]), file=pipes.stdin, flush=True)
        told = json.loads(pipes.stdout.readline())
        return Fate(**{**told, "outside": tuple(told["outside"])})


def make(root: Path, *, graph: bool, seed: int) -> Path:
    """Write an index of ROWS random vectors and return its folder."""
    vectors = _unit(ROWS, seed)
    rows = [Row(_passage(number), "title", f"key{number}") for number in range(ROWS)]
    bags = Bags.count([f"word{number}", f"word{number % 7}"] for number in range(ROWS))
    most = 0 if graph else ROWS
    name = write_generation(
        root, rows, vectors, bags, embedder=_ID, segmenter=_ID, exact_up_to=most
    )
    return root / name


def _unit(rows: int, seed: int) -> "np.ndarray[Any, np.dtype[np.float32]]":
    vectors = np.random.default_rng(seed).normal(size=(rows, DIMENSION)).astype(np.float32)
    scaled: np.ndarray[Any, np.dtype[np.float32]] = vectors / np.linalg.norm(
        vectors, axis=1, keepdims=True
    )
    return scaled


def _passage(number: int) -> Any:  # noqa: ANN401  # imported late
    from corpus.document import Passage  # noqa: PLC0415  # not for the child

    return Passage("document", number, number + 1, "字", ("heading",))


def _case(how: How, folder: Path, opened: list[str]) -> str:
    if how == "faiss":
        import faiss  # noqa: PLC0415  # as it is, without our limits

        dense = Dense(faiss.read_index(str(folder / "dense.faiss")))
        if (len(dense), dense.dimension) != (ROWS, DIMENSION):
            return "opened, but not what it was"
    else:
        named = SimpleNamespace(id=_ID, dimension=DIMENSION)
        try:
            dense = open_generation(
                folder.parent,
                folder.name,
                embedder=cast("Embedder", named),
                segmenter=cast("Segmenter", named),
            ).index.dense
        except CorruptIndexError as error:
            return error.reason
    digest = hashlib.sha256()
    for question in _unit(_QUESTIONS, 0):
        rows, scores = dense.search(question, 10)
        digest.update(rows.tobytes() + np.round(scores, 5).tobytes())
    del opened[:]
    return f"opened {digest.hexdigest()[:16]}"


def _forked(how: How, folder: Path) -> dict[str, object]:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _in_child(how, folder, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    _, status, used = os.wait4(child, 0)
    told = json.loads(said) if said else {"said": "", "outside": []}
    return {
        "status": os.waitstatus_to_exitcode(status),
        "seconds": used.ru_utime + used.ru_stime,
        "megabytes": used.ru_maxrss / 1000,
        **told,
    }


def _in_child(how: How, folder: Path, writing: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    opened: list[str] = []

    def hook(event: str, values: Sequence[object]) -> None:
        if event == "open" and isinstance(values[0], str):
            opened.append(values[0])

    sys.addaudithook(hook)
    status = 0
    try:
        said = _case(how, folder, opened)
    except BaseException as error:  # noqa: BLE001  # whatever it is, it is told
        said, status = f"{type(error).__name__}: {error}"[:300], 1
    outside = [path for path in opened if Path(path).parent != folder and path != os.devnull]
    os.write(writing, json.dumps({"said": said, "outside": outside}).encode())
    os._exit(status)


def _cases() -> Iterator[tuple[How, Path]]:
    for line in sys.stdin:
        how, folder = json.loads(line)
        yield how, Path(folder)


def main() -> int:
    """Open what stdin names, a line each, and tell on stdout."""
    import faiss  # noqa: PLC0415  # once, before all children

    faiss.omp_set_num_threads(1)
    Dense.build(_unit(10, 1), exact_up_to=0).search(_unit(1, 1)[0], 1)
    for how, folder in _cases():
        sys.stdout.write(json.dumps(_forked(how, folder)) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
