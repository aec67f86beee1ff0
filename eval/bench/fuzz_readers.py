# ruff: noqa: T201  # a script, which prints
"""Readers and the cutting of text against spoiled files and made-up text.

    python -m eval.bench.fuzz_readers [--seconds 60] [--seed 1] [--keep FOLDER]

Files of every kind (`eval.bench.fuzz_seeds`) are flipped, cut, spliced and stuffed with tokens, and
read in a child process that is killed when it takes too long; texts are strung together from the
same tokens. A finding is a crash, a time-out, an exception that is no `UnreadableSourceError`, or a
document whose offsets do not hold. Each input is kept under its hash.
"""

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from corpus.chunk import chunk
from corpus.clean import clean
from corpus.document import Document
from corpus.documents import documents_of
from corpus.errors import UnreadableSourceError
from corpus.fold import fold, fold_with_offsets
from corpus.mojibake import repair
from corpus.origin import Origin
from corpus.readers.confine import allow
from corpus.sentences import sentences
from corpus.sniff import Kind
from corpus.words import Segmenter, names
from eval.bench.figures import Figure
from eval.bench.fuzz_seeds import TOKENS, seeds

CPU_SECONDS = 20
"""For one input: many times what the largest of them takes."""
_SHORT_SECONDS = 10.0
_FULL_SECONDS = 480.0


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that must not do what it did.

    Attributes:
        what: It did.
        kind: What the input was said to be; `made-up text` for the cutting of text.
        data: The input.
    """

    what: str
    kind: str
    data: bytes


def spoiled(draw: random.Random, data: bytes, other: bytes) -> bytes:
    """Return `data` after some changes of the kinds that break parsers."""
    found = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4, 16))):
        at = draw.randrange(len(found) + 1)
        size = draw.choice((1, 1, 4, 16, 256))
        match draw.randrange(7):
            case 0:
                found[at : at + 1] = bytes((draw.randrange(256),))
            case 1 if at < len(found):
                found[at] ^= 1 << draw.randrange(8)
            case 2:
                del found[at : at + size]
            case 3:
                found[at:at] = found[at : at + size] * draw.choice((1, 2, 50))
            case 4:
                start = draw.randrange(len(other))
                found[at:at] = other[start : start + size]
            case 5:
                found[at:at] = draw.choice(TOKENS) * draw.choice((1, 1, 3, 300))
            case _:
                if not draw.randrange(8):
                    del found[at:]
    return bytes(found)


def made_up(draw: random.Random) -> str:
    """Return a text of tokens and of characters from everywhere."""
    parts = []
    for _ in range(draw.randrange(1, 60)):
        if draw.randrange(3):
            parts.append(draw.choice(TOKENS).decode("utf-8", "replace"))
        else:
            top = draw.choice((0x80, 0x250, 0x3100, 0x9FFF, 0xFFFF, 0x10FFFF))
            parts += [chr(draw.randrange(top + 1)) for _ in range(draw.randrange(1, 6))]
        if not draw.randrange(4):
            parts.append(draw.choice("\n 。，.!\"'（）“”"))
    text = "".join(parts) * draw.choice((1, 1, 1, 20))
    return text.encode("utf-8", "replace").decode()  # no half of a pair: a document has none


def check_source(data: bytes, kind: Kind | None) -> None:
    """Read one source and check all that comes of it.

    Raises:
        AssertionError: Something does not hold.
        Exception: Whatever a reader lets out.
    """
    origin = Origin("a.txt", kind, len(data))
    for found in documents_of(BytesIO(data), origin):
        if isinstance(found, UnreadableSourceError):
            _hold(found.reason, "an error says what is wrong")
        else:
            check_document(found)


def check_document(document: Document) -> None:
    """Check that the offsets of a document hold."""
    text = document.text
    previous = -1
    for section in document.sections:
        _hold(previous <= section.start <= section.end <= len(text), "sections lie in the text")
        _hold(text.startswith(section.heading, section.start), "a section begins with its heading")
        previous = section.start
    at = 0
    for passage in chunk(document):
        passage.check(document)
        _hold(not text[at : passage.start].strip() or _headings(document, at, passage.start),
              "no word is lost between passages")  # fmt: skip
        at = passage.end
    _hold(not text[at:].strip() or _headings(document, at, len(text)), "nor after the last")
    check_text(text)


def _headings(document: Document, start: int, end: int) -> bool:
    """Whether nothing but headings lies between."""
    rest = document.text[start:end]
    inside = [s.heading for s in document.sections if start <= s.start < end]
    for heading in inside:
        rest = rest.replace(heading, "", 1)
    return not rest.strip()


def check_text(text: str) -> None:
    """Check what every cut of a text has to be."""
    at = 0
    for sentence in sentences(text):
        _hold(at <= sentence.start < sentence.end <= len(text), "sentences are in order")
        _hold(not text[at : sentence.start].strip(), "no word is lost between sentences")
        at = sentence.end
    _hold(not text[at:].strip(), "nor after the last")
    folded = fold_with_offsets(text)
    _hold(folded.text == fold(text), "folding is one thing")
    _hold(len(folded.offsets) == len(folded.text) + 1, "each folded character has its place")
    _hold(list(folded.offsets) == sorted(folded.offsets), "places are in order")
    _hold("\r" not in clean(text), "line ends are clean")
    _hold(fold(clean(repair(text))) is not None, "text stays text")
    for name in names(text):
        _hold(fold(text[name.start : name.end]) == name.text, "a name is where it says")


def check_words(segmenter: Segmenter, text: str) -> None:
    """Check that words are where they say they are."""
    at = 0
    folded = fold(text)
    for word in segmenter.words(text):
        _hold(0 <= word.start < word.end <= len(text), "words lie in the text")
        _hold(at <= word.end, "words are in order")
        _hold(word.text in folded, "words are words of the text")
        at = word.start
    for term in segmenter.terms(text):
        _hold(term.strip() != "", "a term has letters")


def _hold(right: object, what: str) -> None:
    if not right:
        raise AssertionError(what)


def child(seed: int, folder: Path) -> None:
    """Try inputs until this process is ended, or its parent has; the present one lies in `now`."""
    parent = os.getppid()
    draw = random.Random(seed)  # noqa: S311  # reproducible, not secret
    segmenter = Segmenter(folder / "jieba")
    sources = seeds()
    tried: Counter[str] = Counter()
    now, count = folder / "now", folder / "count"
    while os.getppid() == parent:
        kind, data = draw.choice(sources)
        text = None if draw.randrange(4) else made_up(draw)
        other = draw.choice(sources)[1]
        data = spoiled(draw, data, other) if text is None else text.encode()
        name = "made-up text" if text is not None else str(kind)
        now.write_bytes(name.encode() + b"\n" + data)
        allow(CPU_SECONDS)
        try:
            if text is None:
                check_source(data, kind)
            else:
                check_text(text)
                check_words(segmenter, text)
        except Exception as error:  # noqa: BLE001  # that is what is looked for
            line = json.dumps({"what": f"{type(error).__name__}: {error}", "kind": name})
            digest = hashlib.sha256(data).hexdigest()[:12]
            (folder / f"found-{digest}").write_bytes(line.encode() + b"\n" + data)
        tried[name] += 1
        half = folder / "count.half"  # we may be killed at any moment
        half.write_text(json.dumps(tried), encoding="utf-8")
        half.replace(count)


def fuzz(seconds: float, seed: int) -> tuple[Counter[str], list[Finding]]:
    """Try inputs for so many seconds of processor time.

    Returns:
        How many of each kind, and what was found.
    """
    tried: Counter[str] = Counter()
    found: list[Finding] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw = random.Random(seed)  # noqa: S311  # as above
        spent = 0.0
        while spent < seconds:
            spent += _run(seconds - spent, draw.randrange(1 << 32), folder, tried, found)
        for path in sorted(folder.glob("found-*")):
            head, _, data = path.read_bytes().partition(b"\n")
            found.append(Finding(data=data, **json.loads(head)))
    return tried, found


def _run(
    seconds: float, seed: int, folder: Path, tried: Counter[str], found: list[Finding]
) -> float:
    """Have one child try inputs, and return the processor time that it had."""
    command = [sys.executable, "-m", "eval.bench.fuzz_readers", "--child", str(seed), str(folder)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603  # this module
    spent = 0.0
    while process.poll() is None and spent < seconds:
        time.sleep(0.2)
        spent = _processor_seconds(process.pid, spent)
    crashed = process.poll() is not None
    process.kill()
    code = process.wait()
    if (folder / "count").exists():
        tried.update(json.loads((folder / "count").read_text(encoding="utf-8")))
        (folder / "count").unlink()
    if crashed:
        kind, _, data = (folder / "now").read_bytes().partition(b"\n")
        found.append(Finding(f"the process ended with {code}", kind.decode(), data))
    return max(spent, 0.2)


def _processor_seconds(process: int, before: float) -> float:
    """Return the processor time of a process, on Linux; elsewhere the clock's, as it is polled."""
    try:
        fields = (
            Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        )
    except OSError:
        return before + 0.2
    return (int(fields[11]) + int(fields[12])) / 100  # utime and stime, in hundredths


def figures(*, full: bool, seed: int) -> Iterator[Figure]:
    """Fuzz for ten seconds, or for eight minutes."""
    started = time.monotonic()
    tried, found = fuzz(_FULL_SECONDS if full else _SHORT_SECONDS, seed)
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(tried.items()))
    value = "; ".join(sorted({f"{each.kind}: {each.what}" for each in found})) or "nothing found"
    yield Figure(
        "R22",
        f"{sum(tried.values())} spoiled files and texts ({kinds}), seed {seed}",
        value,
        not found and bool(tried),
        time.monotonic() - started,
    )


def main() -> int:
    """Fuzz as the command line says; 1 if something was found."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for what is found")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(int(options.child[0]), Path(options.child[1]))
        return 0
    tried, found = fuzz(options.seconds, options.seed)
    total = sum(tried.values())
    print(f"seed {options.seed}: {total} inputs in {options.seconds:.0f} s: {dict(tried)}")
    for each in found:
        print(f"{each.kind}: {each.what}: {each.data[:80]!r}… ({len(each.data)} bytes)")
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            name = hashlib.sha256(each.data).hexdigest()[:12]
            (options.keep / name).write_bytes(each.data)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
