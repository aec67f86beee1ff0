"""What the stacks search: real passages with real questions, and as many made-up ones as wished.

A set in the form that `wenqu eval --data` reads is taken by its path where it is there; the
bundled texts are always there. Passages are cut by wenqu once, and every stack gets the same.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from corpus.chunk import HIGH
from corpus.document import Document
from corpus.sentences import sentences
from eval.questions import QuestionSet
from eval.session import Wish, question_set
from index.embed import Vectors
from index.rows import rows_of, search_text

COLUMNS = 384
_CENTRES = 800
_NOISE = 0.03
_SENTENCES = 6
_LONGEST = HIGH // _SENTENCES
"""Characters of a sentence that is used: six of them are one passage for wenqu too."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the documents that answer it."""

    text: str
    documents: frozenset[str]


@dataclass(frozen=True, slots=True)
class Passages:
    """Passages of documents, and questions about them.

    Attributes:
        name: Of the set.
        texts: What is indexed, one a passage: title, headings and text.
        owners: The id of the document of each.
        asked: Those questions that a document answers.
    """

    name: str
    texts: tuple[str, ...]
    owners: tuple[str, ...]
    asked: tuple[Asked, ...]

    @property
    def key(self) -> str:
        """Name and hash of texts and questions: vectors are kept by it."""
        whole = "\0".join([*self.texts, *(one.text for one in self.asked)])
        digest = hashlib.sha256(whole.encode()).hexdigest()
        return f"{self.name}-{digest[:12]}"


def passages_of(folder: Path | None, *, documents: int, questions: int) -> Passages:
    """Return the first documents of a set cut into passages; of the bundled one without a folder.

    Args:
        folder: With `paragraphs.jsonl` and `questions.jsonl`.
        documents: At most so many.
        questions: About them, at most so many, spread over all there are.

    Raises:
        QuestionSetError: The folder has no such set.
    """
    found = question_set(Wish(folder))
    rows = [row for document in found.documents[:documents] for row in rows_of(document)]
    texts = [search_text(row.title, row.passage.headings, row.passage.text) for row in rows]
    owners = [row.passage.document_id for row in rows]
    asked = _asked(found, set(owners))
    step = -(-len(asked) // questions)
    return Passages(found.name, tuple(texts), tuple(owners), asked[::step])


def _asked(found: QuestionSet, known: set[str]) -> tuple[Asked, ...]:
    first = [conversation.questions[0] for conversation in found.conversations]
    pairs = [(one.text, known & {*one.documents, *one.alternatives}) for one in first]
    once = {text: frozenset(right) for text, right in pairs if right}
    return tuple(Asked(text, right) for text, right in once.items())


def sentences_of(documents: Sequence[Document]) -> list[str]:
    """Return the sentences of documents that are not too long to be put together, in order."""
    return [
        document.text[span.start : span.end]
        for document in documents
        for span in sentences(document.text)
        if span.end - span.start <= _LONGEST
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """Passages as many as wished: sentences shuffled, vectors random around a few centres.

    Words and lengths are real, so times are; what is found means nothing.
    """

    texts: tuple[str, ...]
    vectors: Vectors
    known: Mapping[str, Vectors]
    """Question to its vector."""


def made(said: Sequence[str], asked: Sequence[str], size: int, *, seed: int = 0) -> Made:
    """Make `size` passages of the sentences `said`, and a vector for each of them and question."""
    dice = np.random.default_rng(seed)
    centres = _unit(dice.normal(size=(_CENTRES, COLUMNS)).astype(np.float32))
    near = _near(centres, len(asked), dice)
    picks = dice.integers(len(said), size=(size, _SENTENCES)).tolist()
    texts = tuple("".join(said[pick] for pick in of_one) for of_one in picks)
    return Made(texts, _near(centres, size, dice), dict(zip(asked, near, strict=True)))


def _near(centres: Vectors, count: int, dice: np.random.Generator) -> Vectors:
    noise = dice.standard_normal((count, COLUMNS), dtype=np.float32) * np.float32(_NOISE)
    return _unit(centres[dice.integers(len(centres), size=count)] + noise)


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit
