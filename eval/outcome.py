"""What happened when a question was asked: everything that a measure may look at, as it was."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from bot.verify import MARKER, supported, without_markers
from corpus.sentences import sentences
from eval.metrics import contains, plain
from eval.questions import GoldQuestion

ReplyKind: TypeAlias = Literal["grounded", "refusal", "chat", "error"]

_STOP_THEN_MARKERS = re.compile(r"""([。！？!?….]+[”’」』）)】》"']*)((?:\[[0-9]+\])+)""")


@dataclass(frozen=True, slots=True)
class Quote:
    """A citation of an answer.

    Attributes:
        number: The n of its marker `[n]`.
        document_id: Of the document.
        start: Offset into its text.
        end: Offset after the last character.
        text: The quoted words.
        faithful: Whether the document says exactly `text` between `start` and `end`.
    """

    number: int
    document_id: str
    start: int
    end: int
    text: str
    faithful: bool


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A passage that was found.

    Attributes:
        document_id: Of the document.
        start: Offset into its text.
        end: Offset after the last character.
        heading: The innermost heading above it.
        excerpt: Its first characters.
        score: Comparable within one question only.
        holds_answer: Whether a right answer stands in it; see `GoldQuestion.answers`.
    """

    document_id: str
    start: int
    end: int
    heading: str
    excerpt: str
    score: float
    holds_answer: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """The sentence that was thought best, whether or not it was said; empty if there was none."""

    document_id: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back.

    Attributes:
        text: As the user reads it, with markers.
        kind: As in `bot.answer.Kind`; `error` if nothing came.
        quotes: Its citations.
        confidence: 0 to 1.
        reason: Why it was refused, or what the error was.
        missing: Words of the question that the refusal names.
        standalone_question: What was searched.
        ranked: Ids of documents, best first, each once, at most 10.
        ranked_as_typed: The same for the question as it was typed, if it was rewritten.
        retrieved: The first passages, best first, at most 10.
        best: The best sentence; None if that is not known, as from a server.
        timings: Stage to milliseconds.
    """

    text: str
    kind: ReplyKind
    quotes: tuple[Quote, ...] = ()
    confidence: float = 0.0
    reason: str = ""
    missing: tuple[str, ...] = ()
    standalone_question: str = ""
    ranked: tuple[str, ...] = ()
    ranked_as_typed: tuple[str, ...] | None = None
    retrieved: tuple[Retrieved, ...] = ()
    best: Candidate | None = None
    timings: Mapping[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A question, and what came back."""

    question: GoldQuestion
    reply: Reply


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of an answer.

    Attributes:
        text: Without markers.
        quotes: Words of the citations that its markers name.
    """

    text: str
    quotes: tuple[str, ...]

    @property
    def supported(self) -> bool:
        """Whether the quotes say what it says; see `bot.verify.supported`."""
        return bool(self.quotes) and supported(self.text, self.quotes)


def claims(reply: Reply) -> list[Claim]:
    """Return the sentences of a grounded reply that say anything, with what they stand on."""
    if reply.kind != "grounded":
        return []
    quoted = {quote.number: quote.text for quote in reply.quotes}
    # «……。[1]» and «……。”[1]» are one sentence as «……[1]。» is
    text = _STOP_THEN_MARKERS.sub(r"\2\1", reply.text)
    found = []
    for span in sentences(text):
        sentence = text[span.start : span.end]
        said = without_markers(sentence)
        if plain(said):
            numbers = dict.fromkeys(int(number) for number in MARKER.findall(sentence))
            quotes = tuple(quoted[number] for number in numbers if number in quoted)
            found.append(Claim(said, quotes))
    return found


def holds_answer(text: str, question: GoldQuestion) -> bool:
    """Whether `text` says one of the answers, or all of them where all are wanted."""
    if question.answers_all:
        return contains(text, question.answers_all, every=True)
    return contains(text, question.answers)


def right(outcome: Outcome) -> bool | None:
    """Whether what the bot would have said first answers the question, None if unknown.

    Of an answer, the answer; of a refusal, the best sentence, which a lower threshold would have
    let through. To a question that the documents do not answer, nothing is right.
    """
    question, reply = outcome.question, outcome.reply
    if question.expected == "refusal":
        return False
    if reply.kind == "refusal":
        return None if reply.best is None else holds_answer(reply.best.text, question)
    return reply.kind == "grounded" and holds_answer(without_markers(reply.text), question)


def by_document(ranked: Sequence[str], question: GoldQuestion) -> list[str]:
    """Return the documents found, best first, each once.

    An alternative counts as the document that it is as good as. `question` has a document.
    """
    same = dict.fromkeys(question.alternatives, question.documents[0])
    return list(dict.fromkeys(same.get(name, name) for name in ranked))
