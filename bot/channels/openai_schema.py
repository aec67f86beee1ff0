"""The JSON of OpenAI's chat completions: what is read of a request, and what is answered.

Protocol: https://platform.openai.com/docs/api-reference/chat. Fields not named here are accepted
and have no effect, as clients expect that send more than a server knows; but nobody is given
another kind of answer than they asked for, see `check`.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from bot.api.schema import unbroken
from bot.errors import UnsupportedError

_ASKED = frozenset({"user", "assistant"})


class _Read(BaseModel):
    model_config = ConfigDict(strict=True)


class Part(_Read):
    """A piece of a message; of the kinds there are, only text is read."""

    type: str
    text: Annotated[str, AfterValidator(unbroken)] = ""


def _parts(content: object) -> object:
    """Take the short form of a content, a string, for what it stands for."""
    if content is None:
        return []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


class Message(_Read):
    """What somebody said."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Annotated[list[Part], BeforeValidator(_parts, str | list[Part] | None)] = Field(
        default_factory=list
    )

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(part.text for part in self.content)


class StreamOptions(_Read):
    """More about a stream."""

    include_usage: bool = False


class ResponseFormat(_Read):
    """The form of an answer."""

    type: str


class CompletionRequest(_Read):
    """A conversation to go on with."""

    model: Annotated[str, AfterValidator(unbroken)] = Field(
        examples=["wenqu"], description="`wenqu`，或 `wenqu/文档集`"
    )
    messages: list[Message] = Field(
        min_length=1, examples=[[{"role": "user", "content": "chroot 是哪一年出现的？"}]]
    )
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    n: int | None = Field(default=None, ge=1)
    tool_choice: Any = None
    response_format: ResponseFormat | None = None

    @property
    def limit(self) -> int | None:
        """Tokens that the answer may have."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def has_usage(self) -> bool:
        """Whether a stream ends by telling the tokens."""
        return self.stream_options is not None and self.stream_options.include_usage


def check(request: CompletionRequest) -> None:
    """Refuse what would have to be answered in another way than it is here.

    Raises:
        UnsupportedError: Several answers, a call of a tool or JSON is wanted, or a picture shown.
    """
    if request.n not in {None, 1}:
        reason = f"{request.n} answers are wanted, there is always 1"
        raise UnsupportedError(parameter="n", reason=reason)
    if request.tool_choice not in [None, "none", "auto"]:  # it may be an object
        reason = "a tool has to be called, and none ever is"
        raise UnsupportedError(parameter="tool_choice", reason=reason)
    if request.response_format and request.response_format.type != "text":
        reason = f"{request.response_format.type[:40]!r} is wanted, an answer is text"
        raise UnsupportedError(parameter="response_format", reason=reason)
    for message in request.messages:
        for part in message.content if message.role in _ASKED else ():
            if part.type != "text":
                reason = f"{part.type[:40]!r} is given, text is read"
                raise UnsupportedError(parameter="messages", reason=reason)


class ModelReply(BaseModel):
    """A model: a collection to be asked."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(BaseModel):
    """All of them."""

    object: Literal["list"]
    data: list[ModelReply]


class ErrorBody(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorReply(BaseModel):
    """Every error below `/v1`."""

    error: ErrorBody


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what FastAPI's `responses` wants for errors of these statuses."""
    return {status: {"model": ErrorReply, "description": "Error"} for status in statuses}
