"""Questions whose right answers are known."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from bot.answer import Answer, Turn
from corpus.document import Document
from corpus.sentences import Span

Expected: TypeAlias = Literal["answer", "refusal", "chat"]
"""What should come: an answer with sources, a refusal, or a few friendly words."""

NEAR_MISSES = frozenset({"near_miss", "attribute_absent"})
"""Kinds of questions to refuse whose subject the documents do speak of."""


@dataclass(frozen=True, slots=True)
class GoldSpan:
    """Where an answer stands.

    Attributes:
        document_id: Of the document.
        start: Offset into its text.
        end: Offset after the last character.
    """

    document_id: str
    start: int
    end: int

    def overlaps(self, document_id: str, span: Span) -> bool:
        """Whether a span of a document has a character in common with this one."""
        return self.document_id == document_id and self.start < span.end and span.start < self.end


@dataclass(frozen=True, slots=True)
class GoldQuestion:
    """A question with what is known of its answer. Empty fields are not known.

    Attributes:
        id: Not given twice within a set.
        text: As it is typed.
        cluster: Shared by questions whose results depend on each other; see `eval.intervals`.
        expected: What should come.
        kind: Which refusal or which small talk: `topic_absent`, `near_miss`, `greeting` and so on.
        type: Which answer is wanted: `when`, `who`, `list` and so on.
        style: How it is worded: `plain`, `colloquial`, `typo` and so on.
        follow: `first` or how it leans on what was said before; empty outside dialogues.
        script: `traditional` or `simplified` if the same question is there in the other script.
        split: `train`, `tune` or `test`; see `eval.folder.split_of`.
        documents: Ids of documents that should be found, all of them.
        alternatives: Ids of documents as good as the first of `documents`.
        answers: One of these has to be said.
        answers_all: Each of these has to be said.
        spans: Where the answers stand.
        entity: What a follow-up question means and does not name.
        missing: What the documents lack, if it is to be refused.
    """

    id: str
    text: str
    cluster: str
    expected: Expected = "answer"
    kind: str = ""
    type: str = ""
    style: str = ""
    follow: str = ""
    script: str = ""
    split: str = ""
    documents: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    answers_all: tuple[str, ...] = ()
    spans: tuple[GoldSpan, ...] = ()
    entity: str = ""
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GoldConversation:
    """Questions asked one after the other.

    Attributes:
        history: What was said before the first of them, oldest first.
        questions: At least one. Each leans on the history, the questions before it, and what the
            bot itself has answered.
    """

    history: tuple[Turn, ...]
    questions: tuple[GoldQuestion, ...]


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Documents, and what is asked about them.

    Attributes:
        name: Short, shown above the results and used for the index.
        documents: All that the bot knows when it is asked.
        conversations: In the order of the files.
    """

    name: str
    documents: tuple[Document, ...]
    conversations: tuple[GoldConversation, ...]


def of_split(questions: QuestionSet, split: str) -> QuestionSet:
    """Return the same set with the conversations of one split only."""
    chosen = [one for one in questions.conversations if one.questions[0].split == split]
    return replace(questions, conversations=tuple(chosen))


def sampled(questions: QuestionSet, limit: int, *, seed: int = 0) -> QuestionSet:
    """Return the same set with at most `limit` conversations, the same ones every time.

    They are those whose first question has the smallest SHA-1 of its id, behind the seed if that
    is not 0.
    """
    salt = f"{seed} " if seed else ""

    def place(conversation: GoldConversation) -> str:
        name = f"{salt}{conversation.questions[0].id}"
        return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()

    return replace(
        questions, conversations=tuple(sorted(questions.conversations, key=place)[:limit])
    )


def said_before(lines: Sequence[str]) -> tuple[Turn, ...]:
    """Return alternating lines of a dialogue as turns; the line after them is a question.

    Counted back from that question, every second line is a reply. If the number of lines is odd,
    the first one got no reply. Nothing is claimed, so no reply has a source.
    """
    opening = [lines[0], ""] if len(lines) % 2 else []
    paired = [*opening, *lines[len(lines) % 2 :]]
    return tuple(
        Turn(question, Answer(_without_markers(reply), "chat"))
        for question, reply in zip(paired[::2], paired[1::2], strict=True)
    )


def _without_markers(reply: str) -> str:
    # A reply that was typed by somebody may have a [1] that is no marker of ours.
    return reply.translate(str.maketrans("[]", "［］"))
