"""Sets of questions in a folder: `paragraphs.jsonl` and `questions.jsonl`.

A paragraph is a document. A set named `unanswerable_X` has no paragraphs of its own: it asks
about those of X in the folder beside it, less those that its `removed_ids.json` names.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from corpus.document import Document
from corpus.errors import UnreadableSourceError
from eval.errors import QuestionSetError
from eval.lines import read_lines
from eval.questions import (
    GoldConversation,
    GoldQuestion,
    GoldSpan,
    QuestionSet,
    said_before,
)

_REFUSALS = "unanswerable_"


class _Paragraph(BaseModel):
    model_config = ConfigDict(frozen=True)
    id: str
    title: str
    text: str


class _Question(BaseModel):
    model_config = ConfigDict(frozen=True)
    id: str
    question: str
    paragraph_id: str | None
    paragraph_ids: tuple[str, ...] = ()
    answers: tuple[str, ...]
    answer_starts: tuple[int, ...]
    answerable: bool = True
    kind: str = ""
    history: tuple[str, ...] = ()
    entity: str = ""
    removed_paragraph_id: str = ""
    about: str = ""


def folder_set(folder: Path) -> QuestionSet:
    """Return the set in `folder`.

    Raises:
        QuestionSetError: A file is missing or not in the form described above.
    """
    folder = folder.resolve()
    documents = {document.id: document for document in _documents(folder)}
    lines = read_lines(folder / "questions.jsonl", _Question)
    conversations = tuple(_conversation(line, documents, folder) for line in lines)
    return QuestionSet(folder.name, tuple(documents.values()), conversations)


def _documents(folder: Path) -> list[Document]:
    own = folder / "paragraphs.jsonl"
    if own.exists() or not folder.name.startswith(_REFUSALS):
        paragraphs, removed = read_lines(own, _Paragraph), frozenset[str]()
    else:
        paragraphs = read_lines(_base(folder) / "paragraphs.jsonl", _Paragraph)
        removed = _removed(folder / "removed_ids.json")
    try:
        return [
            Document(id=line.id, title=line.title, text=line.text, source=line.id)
            for line in paragraphs
            if line.id not in removed
        ]
    except UnreadableSourceError as error:
        raise QuestionSetError(folder, str(error)) from error


def _base(folder: Path) -> Path:
    """Return the folder of the set that a set of refusals is about: `X`, or its only `X_…`."""
    name = folder.name.removeprefix(_REFUSALS)
    beside = [path for path in folder.parent.glob(f"{name}*") if path.is_dir()]
    for path in beside:
        if path.name == name or len(beside) == 1:
            return path
    found = ", ".join(sorted(path.name for path in beside)) or "none"
    raise QuestionSetError(folder, f"expected a folder {name} beside it, found {found}")


def _removed(path: Path) -> frozenset[str]:
    try:
        return frozenset(TypeAdapter(list[str]).validate_json(path.read_bytes()))
    except (OSError, ValidationError, json.JSONDecodeError) as error:
        raise QuestionSetError(path, "expected a list of ids") from error


def _conversation(
    line: _Question, documents: Mapping[str, Document], folder: Path
) -> GoldConversation:
    if len(line.answers) != len(line.answer_starts):
        message = f"{line.id}: {len(line.answers)} answers, {len(line.answer_starts)} starts"
        raise QuestionSetError(folder / "questions.jsonl", message)
    relevant = line.paragraph_ids or ((line.paragraph_id,) if line.paragraph_id else ())
    relevant = relevant if line.answerable else ()
    unknown = [name for name in relevant if name not in documents]
    if unknown:
        message = f"{line.id}: there is no paragraph {unknown[0]!r}"
        raise QuestionSetError(folder / "questions.jsonl", message)
    question = GoldQuestion(
        id=line.id,
        text=line.question,
        cluster=line.id,
        expected="answer" if line.answerable else "refusal",
        kind=line.kind if not line.answerable else "",
        follow="follow_up" if line.history else "",
        split=split_of(line.paragraph_id or line.removed_paragraph_id or line.about or line.id),
        documents=relevant,
        answers=line.answers,
        spans=_spans(line, documents, folder) if line.answerable else (),
        entity=line.entity,
    )
    return GoldConversation(said_before(line.history), (question,))


def split_of(paragraph_id: str) -> str:
    """Return the split of all questions about an article.

    The reader learns from one half, `train`; the weights of the bot are learnt from a quarter,
    `tune`, which the reader has not seen; what is reported is the last quarter, `test`. Paragraphs
    of one article have ids that differ behind the first `-`, and share their split.
    """
    article = paragraph_id.partition("-")[0]
    return ("train", "tune", "train", "test")[hashlib.sha256(article.encode()).digest()[0] % 4]


def _spans(
    line: _Question, documents: Mapping[str, Document], folder: Path
) -> tuple[GoldSpan, ...]:
    spans = []
    for answer, start in zip(line.answers, line.answer_starts, strict=True):
        if start >= 0 and line.paragraph_id:
            span = GoldSpan(line.paragraph_id, start, start + len(answer))
            if documents[line.paragraph_id].text[span.start : span.end] != answer:
                message = f"{line.id}: {answer[:20]!r} is not at {start} of {line.paragraph_id!r}"
                raise QuestionSetError(folder / "questions.jsonl", message)
            spans.append(span)
    return tuple(spans)
