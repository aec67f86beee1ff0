# ruff: noqa: T201  # a script, which prints
"""How often the encoding of a snippet is told rightly, without a hint.

    python -m eval.bench.encodings [--seed 63]

The bundled texts, as they are and in traditional characters, and the paragraphs of the public sets
where they are: cut into snippets of some lengths, written in each encoding, and read again.
"""

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from corpus.encoding import decode
from corpus.errors import UnreadableSourceError
from eval.bench.figures import Figure

ENCODINGS = ("utf-8", "gb18030", "big5hkscs")
SIZES = (8, 15, 60, 1000)
LEAST = {8: 0.97, 15: 0.99, 60: 1.0, 1000: 1.0}
SNIPPETS = 400
_DATA = Path(__file__).parents[2].parent / "shared" / "data"
_WRONG = "refused"


@dataclass(slots=True)
class Confusion:
    """What snippets of one length in one encoding were read as.

    Attributes:
        texts: Which.
        size: Characters of each.
        written: In what.
        read: As what, how often; the reading has to be the text, else it is `wrong`.
    """

    texts: str
    size: int
    written: str
    read: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        """How many of them were read rightly."""
        return self.read[self.written] / max(1, self.read.total())


def samples() -> dict[str, list[str]]:
    """Return paragraphs of the texts that are here, by name."""
    from opencc import OpenCC  # noqa: PLC0415  # a dictionary of its own

    convert = OpenCC("s2t").convert
    folder = files("corpus") / "texts"
    texts = [each.read_text("utf-8") for each in folder.iterdir() if each.name.endswith(".md")]
    simplified = [line for text in texts for line in text.split("\n") if len(line) > max(SIZES[:2])]
    found = {
        "bundled": simplified,
        "bundled, traditional": [convert(line) for line in simplified],
    }
    for name in ("cmrc_trial", "drcd_dev"):
        path = _DATA / name / "paragraphs.jsonl"
        if path.exists():
            lines = path.read_text(encoding="utf-8").splitlines()
            found[name] = [json.loads(line)["text"].replace("\n", "") for line in lines]
    return found


def confusions(
    samples: Mapping[str, Sequence[str]], *, snippets: int, seed: int
) -> Iterator[Confusion]:
    """Write and read so many snippets of each length; what an encoding has not is left out."""
    draw = random.Random(seed)  # noqa: S311  # reproducible, not secret
    for name, texts in samples.items():
        for size in SIZES:
            cut = [_snippet(draw, texts, size) for _ in range(snippets)]
            for encoding in ENCODINGS:
                found = Confusion(name, size, encoding)
                for text in cut:
                    _read(found, text)
                yield found


def _snippet(draw: random.Random, texts: Sequence[str], size: int) -> str:
    text = ""
    while len(text) < size:
        text += draw.choice(texts)
    start = draw.randrange(len(text) - size + 1)
    return text[start : start + size]


def _read(confusion: Confusion, text: str) -> None:
    try:
        data = text.encode(confusion.written)
    except UnicodeEncodeError:  # a simplified character, in Big5
        return
    if data.isascii():
        return
    try:
        decoded = decode(data)
    except UnreadableSourceError:
        confusion.read[_WRONG] += 1
        return
    right = decoded.text == text
    confusion.read[confusion.written if right else f"wrong: {decoded.encoding}"] += 1


def figures(*, full: bool, seed: int) -> Iterator[Figure]:
    """Compare with the shares that are promised."""
    del full  # a tenth of the snippets would tell no share of 99 %
    started = time.monotonic()
    found = list(confusions(samples(), snippets=SNIPPETS, seed=seed))
    enough = [each for each in found if each.read.total() >= 20]  # noqa: PLR2004  # else no share
    low = [each for each in enough if each.share < LEAST[each.size]]
    worst = min(enough, key=lambda each: each.share)
    yield Figure(
        "R63",
        f"{sum(each.read.total() for each in found)} snippets of {SIZES} characters, seed {seed}",
        f"worst {worst.share:.1%} of {worst.texts} ({worst.size}, {worst.written}); {len(low)} low",
        not low,
        time.monotonic() - started,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--seed", type=int, default=63)
    options = parser.parse_args()
    for each in confusions(samples(), snippets=SNIPPETS, seed=options.seed):
        if each.read:
            what = f"{each.texts:22}{each.size:6}{each.written:>12}"
            print(f"{what}{each.share:8.1%}  {dict(each.read)}")


if __name__ == "__main__":
    main()
