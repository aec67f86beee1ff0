"""The JSON of `/api/admin/…`, for the documentation; `bot.api.admin` writes it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from bot.api.schema import SessionReply


class _Response(BaseModel):
    model_config = ConfigDict(extra="forbid")


class IndexState(_Response):
    """The generation that answers now."""

    generation: str
    made_at: str
    passages: int
    model: str
    dictionary: str
    dimension: int
    dense: Literal["Flat", "HNSW"]
    bytes: int


class IndexReply(_Response):
    """A collection; `problem` says why its index cannot be opened, if it cannot."""

    version: str
    collection: str
    collections: list[str]
    documents: int
    characters: int
    changed_at: str | None
    stores_conversations: bool
    retention_days: int
    index: IndexState | None
    problem: str | None


class Question(_Response):
    """A question that was refused, or whose answer was disliked."""

    question: str
    refused: int
    disliked: int
    asked_at: str
    missing: list[str]
    nearest: list[str]
    comments: list[str]


class QuestionsReply(_Response):
    """Questions, newest first."""

    collection: str
    questions: list[Question]


class About(_Response):
    """Where the numbers come from."""

    set: str
    made: str
    wenqu: str
    model: str
    machine: str
    documents: int
    passages: int


class Score(_Response):
    """A value with the ends of its 95 % interval, on one half of the questions."""

    split: str
    value: float
    low: float
    high: float
    questions: int


class Measure(_Response):
    """Something that is measured; a share is 0 to 1."""

    name: str
    label: str
    unit: Literal["share", "points", "count", "milliseconds"]
    scores: list[Score]


class Group(_Response):
    """Measures that are shown together."""

    group: str
    measures: list[Measure]


class ReportReply(_Response):
    """A measurement."""

    about: About
    groups: list[Group]


class GivenVote(_Response):
    """What somebody thought of an answer, in a chat tool."""

    turn_id: str
    vote: Literal["up", "down"]
    comment: str
    given_at: str


class HeldReply(_Response):
    """All that is kept of one person; `waiting` are questions that are not answered yet."""

    whose: str
    sessions: list[SessionReply]
    votes: list[GivenVote]
    waiting: list[str]


class ErasedReply(_Response):
    """How much was deleted."""

    sessions: int
    turns: int
    votes: int
