# ruff: noqa: T201  # a script, which prints
"""How the built-in model compares with the same weights on sentence-transformers.

    python -m eval.bench.embedding [--data FOLDER] [--passages 200] [--threads 1]

FOLDER has `questions.jsonl` (`question`) and `paragraphs.jsonl` (`text`). Both sides get as many
threads, the same texts, and turns of a few seconds, so that a busy machine slows both alike: read
the ratios. The model is made in the cache folder of the user if it is not there.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import platformdirs

from index.embed import Embedder, Vectors
from index.embedders import open_embedder
from index.model import model_folder

_DATA = Path(__file__).parents[2].parent / "shared" / "data" / "cmrc_trial"
_ROUNDS = 5
_LETTERS = 300  # of a passage

_OPEN = """
import sys, time
from pathlib import Path
from index.embedders import open_embedder
start = time.perf_counter()
embedder = open_embedder(sys.argv[1], Path(sys.argv[2]))
embedder.encode_questions(["问渠那得清如许？"])
seconds = time.perf_counter() - start
status = dict(line.split(":", 1) for line in open("/proc/self/status", encoding="utf-8"))
print(seconds, int(status["VmRSS"].split()[0]) / 1024)
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Print a table of both sides, and their ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=_DATA)
    parser.add_argument("--passages", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=Path(platformdirs.user_cache_dir("wenqu")))
    options = parser.parse_args(argv)
    questions = _texts(options.data / "questions.jsonl", "question", options.passages)
    passages = _texts(options.data / "paragraphs.jsonl", "text", options.passages)

    import torch  # noqa: PLC0415  # after the arguments were found to be in order

    torch.set_num_threads(options.threads)
    reference = str(model_folder(options.cache))
    ours = open_embedder("builtin", options.cache, threads=options.threads)
    theirs = open_embedder(reference, options.cache)
    print(f"{options.threads} thread(s), {len(passages)} passages, {len(questions)} questions")
    _compare("passages a second", ours.encode_passages, theirs.encode_passages, passages)
    _compare_each(ours, theirs, questions)
    for kind, one, other in (
        ("questions", ours.encode_questions(questions), theirs.encode_questions(questions)),
        ("passages", ours.encode_passages(passages), theirs.encode_passages(passages)),
    ):
        cosines = (one * other).sum(axis=1)
        print(f"cosine of {kind}: mean {cosines.mean():.5f}, least {cosines.min():.5f}")
    for name, model in {"built-in": "builtin", "sentence-transformers": reference}.items():
        command = [sys.executable, "-c", _OPEN, model, str(options.cache)]
        found = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # ours
        seconds, megabytes = map(float, found.stdout.split()[-2:])
        print(f"{name}: first vector after {seconds:.2f} s, {megabytes:.0f} MB resident")


def _texts(path: Path, key: str, count: int) -> list[str]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line)[key][:_LETTERS] for line in islice(lines, count)]


def _compare(
    what: str,
    ours: Callable[[Sequence[str]], Vectors],
    theirs: Callable[[Sequence[str]], Vectors],
    texts: Sequence[str],
) -> None:
    rates: list[tuple[float, float]] = []
    for at in range(_ROUNDS):
        turn = texts[at::_ROUNDS]
        rates.append((len(turn) / _seconds(ours, turn), len(turn) / _seconds(theirs, turn)))
    ratio = statistics.median(one / other for one, other in rates)
    one, other = (statistics.median(side) for side in zip(*rates, strict=True))
    print(f"{what}: {one:.1f}, sentence-transformers {other:.1f}: {ratio:.2f} times")


def _compare_each(ours: Embedder, theirs: Embedder, questions: Sequence[str]) -> None:
    pairs = [
        (_seconds(ours.encode_questions, [text]), _seconds(theirs.encode_questions, [text]))
        for text in questions
    ]
    one, other = (1000 * statistics.median(side) for side in zip(*pairs, strict=True))
    print(f"a question: {one:.1f} ms, sentence-transformers {other:.1f} ms: 1/{other / one:.1f}")


def _seconds(encode: Callable[[Sequence[str]], Vectors], texts: Sequence[str]) -> float:
    start = time.perf_counter()
    encode(texts)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
