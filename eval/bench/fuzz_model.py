"""A language model that writes anything: `python -m eval.bench.fuzz_model` runs it in full.

What is held: every citation is exact, and every sentence that is not marked as unverified has its
numbers and names in what it cites. What is written follows from the seed.
"""

import asyncio
import re
import sys
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from bot.answer import Answer
from bot.counters import Outcome, Verdict
from bot.errors import GenerationError
from bot.llm.client import Patience
from bot.llm.prompt import Prompt
from bot.llm.write import Writer
from bot.pieces import Piece
from bot.testing import CAT_QUESTION
from corpus.chunk import chunk
from corpus.document import Document, Passage
from corpus.read import read
from corpus.sentences import Span, item_marker
from corpus.words import Segmenter
from eval.bench.field import Tally, rounds
from eval.bench.figures import Figure
from eval.bench.wire import Reply
from index.hit import Hit

_PATIENCE = Patience(5, 5, 30)
_SENTENCE = re.compile(r"[^。！？\n]+[。！？]")
_TOKEN = re.compile(r"[0-9]+(?:\.[0-9]+)*|[A-Za-z][A-Za-z0-9-]{2,}")
_MARKER = re.compile(r"\[([0-9]+)\]")
_UNVERIFIED = re.compile(r"未经原文核实|未經原文核實|not verified")
_HANDLES = (
    "[S1]",
    "[S2]",
    "[S9]",
    "[S0]",
    "[S99]",
    "[1]",
    "【S1】",
    "［\uff33\uff12］",
    "[S1-3]",
    "[S1",
    "S2]",
    "[",
    "",
)
_NOISE = (
    "\n",
    " ",
    "**",
    "<b>",
    "![x](http://evil.example/?q=",
    "http://evil.example",
    "\u202e",
    "\0",
    "不",
    "[^1]",
)


@dataclass(slots=True)
class Says:
    """A model that says what it is given."""

    parts: Sequence[str]
    is_resting: bool = False

    async def write(
        self, prompt: Prompt, *, patience: Patience, max_tokens: int
    ) -> AsyncGenerator[str]:
        """Say it, part by part."""
        del prompt, patience, max_tokens
        for part in self.parts:
            yield part

    async def close(self) -> None:
        """There is nothing to close."""


class Uncounted:
    """Counts nothing."""

    def count_answer(self, answer: Answer) -> None:
        """Count nothing."""

    def count_llm_call(self, outcome: Outcome) -> None:
        """Likewise."""

    def count_sentence(self, verdict: Verdict) -> None:
        """Likewise."""


def scribble(passages: Sequence[Passage], segmenter: Segmenter, *, full: bool, seed: int) -> Tally:
    """Have models write anything over passages, and look at what is shown of it."""
    tally = Tally()
    random = Random(seed)  # noqa: S311  # it has to be repeatable
    for _ in rounds(full=full, short=150):
        shown = random.sample(list(passages), 4)
        hits = [Hit(passage, 1.0, title=passage.document_id) for passage in shown]
        said = _scribbled(shown, random)
        mark = random.random() < 0.3  # noqa: PLR2004  # some
        pieces = asyncio.run(_written(said, hits, segmenter, mark=mark))
        faults = [*faults_of(pieces, shown, mark=mark)]
        tally.note(Reply(200 if pieces else 204, "", b""), "; ".join(faults), said)
    return tally


async def _written(
    said: Sequence[str], hits: Sequence[Hit], segmenter: Segmenter, *, mark: bool
) -> list[Piece]:
    writer = Writer(Says(said or ("。",)), _PATIENCE, mark=mark)
    found: list[Piece] = []
    try:
        async for piece in writer.write(CAT_QUESTION, hits, lambda _: True, segmenter, Uncounted()):
            found.append(piece)  # noqa: PERF401  # what came before an error counts
    except GenerationError:
        pass  # the extractive answer is given then
    return found


def _scribbled(passages: Sequence[Passage], random: Random) -> list[str]:
    """Return true sentences, broken ones and noise, cut anywhere."""
    text = ""
    for _ in range(random.randint(1, 12)):
        sentences = _SENTENCE.findall(random.choice(passages).text) or ["。"]
        sentence = random.choice(sentences)
        how = random.randrange(8)
        if how == 0:
            sentence = re.sub(r"[0-9]", lambda _: str(random.randrange(10)), sentence)
        elif how == 1:
            sentence = re.sub(r"[A-Z][a-z]+", random.choice(("Google", "Docker", "Foo")), sentence)
        elif how == 2:  # noqa: PLR2004  # one of the ways
            at = random.randrange(len(sentence))
            sentence = sentence[:at] + random.choice(_NOISE) + sentence[at:]
        elif how == 3:  # noqa: PLR2004  # likewise
            sentence = random.randbytes(12).decode("utf-8", "replace")
        handle = random.choice(_HANDLES)
        text += random.choice((sentence[:-1] + handle + sentence[-1:], sentence + handle))
    cuts = sorted(random.sample(range(len(text)), min(len(text), random.randrange(9))))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def faults_of(pieces: Sequence[Piece], passages: Sequence[Passage], *, mark: bool) -> Iterator[str]:
    """Yield what is wrong with what is shown; `mark` lets it say that something is unverified."""
    known = {passage.id: passage for passage in passages}
    citations = [citation for piece in pieces for citation in piece.citations]
    quotes = {citation.number: citation for citation in citations}
    for citation in citations:
        passage = known.get(citation.passage.id)
        at = slice(citation.start - citation.passage.start, citation.end - citation.passage.start)
        if passage is None or passage.text[at] != citation.quote:
            yield f"{citation.quote!r} is in no passage"
    for piece in pieces:
        if _UNVERIFIED.search(piece.text) and mark:
            continue
        numbers = [int(number) for number in _MARKER.findall(piece.text)]
        if not numbers or any(number not in quotes for number in numbers):
            yield f"{piece.text!r} has no source"
            continue
        cited = " ".join(
            " ".join((each.quote, *each.passage.headings, each.passage.document_id))
            for each in map(quotes.__getitem__, numbers)
        ).lower()
        said = _MARKER.sub("", piece.text).strip()
        # where a sentence stands in a list is its form and claims nothing
        claim = said[item_marker(said, Span(0, len(said))) :]
        for token in _TOKEN.findall(claim):
            if token.lower() not in cited:
                yield f"{token!r} of {piece.text!r} is not in {cited!r}"
        if "evil.example" in piece.text or "<b>" in piece.text:
            yield f"{piece.text!r} has a link or markup"


def bundled_passages() -> list[Passage]:
    """Return the passages of the bundled texts."""
    found = read(str(files("corpus") / "texts"))
    documents = [each for each in found if isinstance(each, Document)]
    return [passage for document in documents for passage in chunk(document)]


def figures(*, full: bool, seed: int) -> Iterator[Figure]:
    """Run it."""
    began = time.monotonic()
    with TemporaryDirectory() as folder:
        segmenter = Segmenter(Path(folder))
        tally = scribble(bundled_passages(), segmenter, full=full, seed=seed)
    yield tally.figure("R28", "answers of models that write anything", began)


def main() -> int:
    """Run in full and print; a seed may be given."""
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else int(time.time())
    sys.stdout.write(f"seed {seed}\n")
    held = True
    for figure in figures(full=True, seed=seed):
        said = f"{figure.case}: {figure.what}: {figure.value} in {figure.seconds:.0f} s\n"
        sys.stdout.write(said)
        held &= figure.held
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
