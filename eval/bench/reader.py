"""How well and how fast the reader reads: `python -m eval.bench.reader --data DIR …`.

Each question is read with the passage that it was asked about: what retrieval misses is measured
by `wenqu eval`. Traditional script is made from simplified by OpenCC, and the other way round; the
reader sees simplified script either way, so a difference could only come from the conversion.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bot.settings import Settings
from corpus.document import Passage
from eval.reader.examples import Item
from eval.reader.score import Score, score
from eval.train_reader import collected
from index.hit import Hit
from index.reader import Reader
from index.reader_model import open_reader

_LIMIT = 800
_PASSAGES, _CHARACTERS, _TIMES = 8, 350, 20


def main(argv: Sequence[str] | None = None) -> int:
    """Print a row for each set and half, then the time of a reading."""
    parser = argparse.ArgumentParser(prog="python -m eval.bench.reader", description=__doc__)
    parser.add_argument("--data", type=Path, nargs="*", default=[])
    parser.add_argument("--work", type=Path, required=True, help="as given to eval.train_reader")
    parser.add_argument("--limit", type=int, default=_LIMIT, help="questions a set")
    options = parser.parse_args(argv)
    found = collected(options.data, options.work / "items.json")
    reader = open_reader(Settings().cache)
    columns = "F1    exact sentence relevance yes   no"
    sys.stdout.write(f"{'set':<22}{'half':<6}{'n':>5}  {columns}\n")
    for half in ("train", "tune", "test"):
        for name in dict.fromkeys(item.set for item in found[half]):
            items = [i for i in found[half] if i.set == name and i.answering][: options.limit]
            if items:
                _print(name, half, score(reader, items))
    items = [i for i in found["test"] if i.set == "cmrc_trial" and i.answering][: options.limit]
    if items:
        _print("cmrc_trial, 繁體", "test", score(reader, [_traditional(item) for item in items]))
    _speed(reader)
    return 0


def _print(name: str, half: str, found: Score) -> None:
    sys.stdout.write(
        f"{name:<22}{half:<6}{found.questions:>5}  {found.f1:.3f} {found.exact:.3f} "
        f"{found.sentence:.3f}    {found.relevance:.3f}     "
        f"{found.answers:.3f} {found.refuses:.3f}\n"
    )


def _traditional(item: Item) -> Item:
    """Convert character by character, so that offsets hold."""
    from opencc import OpenCC  # noqa: PLC0415

    convert = OpenCC("s2t").convert

    def each(text: str) -> str:
        turned = [convert(letter) for letter in text]
        return "".join(t if len(t) == 1 else letter for t, letter in zip(turned, text, strict=True))

    return replace(
        item,
        question=each(item.question),
        answering=tuple(replace(t, text=each(t.text), path=each(t.path)) for t in item.answering),
        others=tuple(replace(t, text=each(t.text), path=each(t.path)) for t in item.others),
    )


def _speed(reader: Reader) -> None:
    text = ("容器技术的历史可以追溯到一九七九年，那一年的系统里第一次有了隔离文件的办法。" * 10)[
        :_CHARACTERS
    ]
    hits = [
        Hit(Passage(f"d{at}", 0, len(text), text), 1.0, title="容器") for at in range(_PASSAGES)
    ]
    seconds = []
    for _ in range(_TIMES):
        started = time.perf_counter()
        reader.read("容器技术的历史可以追溯到哪一年？", hits)
        seconds.append(time.perf_counter() - started)
    sys.stdout.write(
        f"{_PASSAGES} passages of {_CHARACTERS} characters: "
        f"median {np.median(seconds) * 1000:.0f} ms, least {min(seconds) * 1000:.0f} ms\n"
    )


if __name__ == "__main__":
    sys.exit(main())
