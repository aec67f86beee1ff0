"""The questions that come with wenqu, about the texts that come with it."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from corpus.document import Document
from eval.errors import QuestionSetError
from eval.lines import read_lines
from eval.questions import GoldConversation, GoldQuestion, QuestionSet

NAME = "bundled"
GOLD = Path(__file__).parent / "gold"


class _Line(BaseModel):
    """What all lines have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    question: str
    split: Literal["tune", "test"] | None = None


class _Answerable(_Line):
    document: str
    also: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    answers_all: tuple[str, ...] = ()


class _Single(_Answerable):
    id: str
    type: str
    style: str
    polarity: Literal["yes", "no"] | None = None
    simplified_id: str | None = None


class _Turn(_Answerable):
    kind: str


class _Dialogue(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    id: str
    split: Literal["tune", "test"]
    turns: tuple[_Turn, ...]


class _Unanswerable(_Line):
    id: str
    kind: str
    missing: tuple[str, ...]


class _Chat(_Line):
    id: str
    kind: str


def bundled(documents: Iterable[Document], gold: Path = GOLD) -> QuestionSet:
    """Return the bundled questions, about `documents`, which are those of `corpus/texts`.

    Raises:
        QuestionSetError: A file is not in its form or names a text that is not there.
    """
    known = tuple(documents)
    ids = {Path(document.source).stem: document.id for document in known}
    singles = read_lines(gold / "singles.jsonl", _Single)
    twins = {line.simplified_id for line in singles}
    conversations = [
        *(GoldConversation((), (_single(line, ids, twins),)) for line in singles),
        *(_dialogue(line, ids) for line in read_lines(gold / "dialogues.jsonl", _Dialogue)),
        *(_refusal(line) for line in read_lines(gold / "unanswerable.jsonl", _Unanswerable)),
        *(_chat(line) for line in read_lines(gold / "chat.jsonl", _Chat)),
    ]
    return QuestionSet(NAME, known, tuple(conversations))


def _single(line: _Single, ids: Mapping[str, str], twins: set[str | None]) -> GoldQuestion:
    script = "traditional" if line.simplified_id else "simplified" if line.id in twins else ""
    return GoldQuestion(
        id=line.id,
        text=line.question,
        cluster=line.simplified_id or line.id,
        type=line.type,
        style=line.style,
        script=script,
        split=line.split or "",
        documents=_ids([line.document], ids),
        alternatives=_ids(line.also, ids),
        answers=line.answers,
        answers_all=line.answers_all,
    )


def _dialogue(line: _Dialogue, ids: Mapping[str, str]) -> GoldConversation:
    return GoldConversation(
        (),
        tuple(
            GoldQuestion(
                id=f"{line.id}-{number}",
                text=turn.question,
                cluster=line.id,
                follow=turn.kind,
                split=line.split,
                documents=_ids([turn.document], ids),
                alternatives=_ids(turn.also, ids),
                answers=turn.answers,
                answers_all=turn.answers_all,
            )
            for number, turn in enumerate(line.turns, start=1)
        ),
    )


def _refusal(line: _Unanswerable) -> GoldConversation:
    question = GoldQuestion(
        id=line.id,
        text=line.question,
        cluster=line.id,
        expected="refusal",
        kind=line.kind,
        split=line.split or "",
        missing=line.missing,
    )
    return GoldConversation((), (question,))


def _chat(line: _Chat) -> GoldConversation:
    question = GoldQuestion(
        id=line.id,
        text=line.question,
        cluster=line.id,
        expected="chat",
        kind=line.kind,
        split=line.split or "",
    )
    return GoldConversation((), (question,))


def _ids(stems: Sequence[str], ids: Mapping[str, str]) -> tuple[str, ...]:
    for stem in stems:
        if stem not in ids:
            raise QuestionSetError(GOLD, f"{stem!r} is none of the texts {sorted(ids)}")
    return tuple(ids[stem] for stem in stems)
