"""The JSON of requests, checked, and of responses, for the documentation.

Responses are written by `bot.wire`, not by these models; a test holds the two together.
"""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator

Collection: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Identifier: TypeAlias = Annotated[str, Field(max_length=100)]

ASKED: dict[str, Any] = {"minLength": 1, "maxLength": 2000}
"""What the description says of a question; `bot.question` checks it, in words of its own."""


def unbroken(text: str) -> str:
    """Refuse half of a surrogate pair, which UTF-8 cannot spell, and NUL, which no database keeps.

    Raises:
        ValueError: There is one.
    """
    if "\0" in text:
        message = f"NUL at {text.index(chr(0))}"
        raise ValueError(message)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        message = f"broken character at {error.start}"
        raise ValueError(message) from error
    return text


class _Request(BaseModel):
    """A misspelt field is an error: a `session` in place of `session_id` loses a conversation."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @field_validator("*")
    @classmethod
    def _is_text(cls, value: object) -> object:
        return unbroken(value) if isinstance(value, str) else value


class ChatRequest(_Request):
    """A question."""

    question: str = Field(examples=["chroot 是哪一年出现的？"], json_schema_extra=ASKED)
    session_id: Identifier | None = Field(default=None, description="继续这个会话")
    collection: Collection | None = Field(default=None, description="要查的文档集")
    stream: bool = Field(default=False, description="用 SSE 逐句返回")
    top_k: int | None = Field(default=None, ge=1, le=50, description="参考的段落数")


class FeedbackRequest(_Request):
    """What somebody thinks of an answer."""

    turn_id: Identifier
    vote: Literal["up", "down"]
    comment: str = Field(default="", max_length=2000)


class TextRequest(_Request):
    """A document typed in rather than uploaded; its text is Markdown."""

    title: str = Field(min_length=1, max_length=200)
    text: str = Field(min_length=1)
    source: str = Field(default="", max_length=2000, description="原文网址")


class AddressRequest(_Request):
    """A page or file to be fetched."""

    url: str = Field(min_length=1, max_length=2000, examples=["https://example.com/page"])
    collection: Collection | None = Field(default=None, description="文档集")


class TokenRequest(_Request):
    """Our frame asks for a token, for the site that it stands on."""

    embedder: str = Field(max_length=300, examples=["https://www.example.com"])
    collection: Collection | None = None


class _Response(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Citation(_Response):
    """`document.text[start:end] == quote`, in code points."""

    number: int
    quote: str
    passage: str
    document_id: str
    title: str
    headings: list[str]
    source_url: str | None
    start: int
    end: int
    view_url: str | None


class Refusal(_Response):
    """Why there is no answer, and what is near."""

    reason: str
    missing: list[str]
    nearest: list[str]


class ChatReply(_Response):
    """The whole answer object, the same in every channel."""

    answer: str
    citations: list[Citation]
    refused: bool
    refusal: Refusal | None
    confidence: float
    standalone_question: str
    session_id: str | None
    turn_id: str | None
    mode: Literal["extractive", "llm"]
    fallback: str | None
    timings: dict[str, float]


class Turn(ChatReply):
    """An answer object with its question."""

    question: str
    asked_at: str
    vote: Literal["up", "down"] | None


class SessionReply(_Response):
    """A conversation, oldest turn first."""

    session_id: str
    collection: str
    started_at: str
    turns: list[Turn]


class TokenReply(_Response):
    """A token, sent as `authorization: Bearer …`, and the seconds it is good for."""

    token: str
    expires_in: int


class Suggestions(_Response):
    """Questions that the documents answer, to begin with."""

    collection: str
    questions: list[str]


class SearchHit(_Response):
    """A passage found; `ranks` and `scores` only with `explain`."""

    rank: int
    score: float
    passage_id: str
    document_id: str
    title: str
    headings: list[str]
    text: str
    start: int
    end: int
    view_url: str
    ranks: dict[str, int] | None = None
    scores: dict[str, float] | None = None


class SearchReply(_Response):
    """Passages, best first; `terms` and `timings` only with `explain`."""

    query: str
    hits: list[SearchHit]
    terms: list[str] | None = None
    timings: dict[str, float] | None = None


class DocumentItem(_Response):
    """What a list shows of a document."""

    id: str
    title: str
    source: str
    source_url: str | None
    characters: int
    passages: int
    changed_at: str
    version: str
    view_url: str


class DocumentList(_Response):
    """All documents of a collection, ordered by id."""

    collection: str
    documents: list[DocumentItem]


class SectionItem(_Response):
    """A heading and the span it rules."""

    heading: str
    level: int
    start: int
    end: int


class DocumentReply(DocumentItem):
    """A whole document."""

    metadata: dict[str, str]
    text: str
    sections: list[SectionItem]


class Unreadable(_Response):
    """A file that could not become a document; the others did."""

    name: str
    reason: str
    detail: str
    detail_en: str


class IngestReply(_Response):
    """What an upload did."""

    added: list[str]
    replaced: list[str]
    unchanged: list[str]
    unreadable: list[Unreadable]
    passages: int
    embedded: int


class DeleteReply(_Response):
    """What was deleted, and how many passages are left."""

    deleted: list[str]
    passages: int


class ProblemReply(BaseModel):
    """Problem details, RFC 9457, with more fields where a program can use them."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    detail_en: str
    code: str


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what FastAPI's `responses` wants for errors of these statuses."""
    return {
        status: {"model": ProblemReply, "description": "Problem details"} for status in statuses
    }
