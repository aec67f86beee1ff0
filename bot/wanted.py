"""Questions that the documents leave open: what should be written next."""

from collections.abc import Iterable
from dataclasses import dataclass

from bot.conversations import Complaint
from corpus.fold import fold


@dataclass(frozen=True, slots=True)
class Wanted:
    """One question, however often and in whatever script, width or punctuation it was asked.

    Attributes:
        question: As it was asked last, standing alone.
        refused: How often there was no answer.
        disliked: How many disliked an answer.
        asked_at: When it was refused, or the disliked answer given, last; UTC, ISO 8601.
        missing: Words of it that no document has.
        nearest: Headings that come near.
        comments: What was said of answers, newest first.
    """

    question: str
    refused: int
    disliked: int
    asked_at: str
    missing: tuple[str, ...]
    nearest: tuple[str, ...]
    comments: tuple[str, ...]


def wanted(complaints: Iterable[Complaint]) -> list[Wanted]:
    """Group complaints, newest first, by question; the question of the newest comes first."""
    groups: dict[str, list[Complaint]] = {}
    for complaint in complaints:
        groups.setdefault(_key(_question(complaint)), []).append(complaint)
    return [_wanted(group) for group in groups.values()]


def _wanted(group: list[Complaint]) -> Wanted:
    refusals = [said for each in group if (said := each.kept.turn.answer.refusal)]
    return Wanted(
        question=_question(group[0]),
        refused=len(refusals),
        disliked=sum(each.dislikes for each in group),
        asked_at=group[0].kept.asked_at,
        missing=refusals[0].missing if refusals else (),
        nearest=refusals[0].nearest if refusals else (),
        comments=tuple(comment for each in group for comment in each.comments),
    )


def _question(complaint: Complaint) -> str:
    turn = complaint.kept.turn
    return turn.answer.standalone_question or turn.question


def _key(question: str) -> str:
    return "".join(filter(str.isalnum, fold(question))) or question
