"""Errors of answering; the whole tree is drawn in corpus.errors."""

from typing import Literal, TypeAlias

from corpus.errors import WenquError

Fallback: TypeAlias = Literal[
    "busy", "cut", "endless", "filtered", "garbled", "length", "overloaded", "paused", "refused",
    "timeout", "unanswered", "unreachable", "unsupported",
]  # fmt: skip
"""Why a model's answer was not given, or not all of it.

busy: enough calls at once. paused: it failed too often just now. unreachable: no connection.
timeout: no word, or none further, in time. overloaded: HTTP 408, 409, 429 or 5xx. refused: another
error of HTTP. garbled: not the protocol. cut: its end is missing. length: it reached its limit of
tokens. endless: it went on for too long or repeated itself. filtered: held back at the other end.
unsupported: nothing that it said is in what it cited. unanswered: what it said is, but has not the
date, number or whatever is asked for.
"""


class BotError(WenquError):
    """An answer cannot be given, or cannot be given with sources."""


class QuoteNotFoundError(BotError):
    """Words offered as a quote do not occur in the passage they are said to come from."""


class QuestionError(BotError):
    """What was asked is no question that can be searched.

    Attributes:
        code: `empty`, `too_long` or `broken`.
        reason: What was got and what was expected.
    """

    def __init__(self, *, code: str, reason: str) -> None:
        super().__init__(f"cannot answer this question: {reason}")
        self.code = code
        self.reason = reason


class SettingsError(BotError):
    """A setting is unknown or has a value it cannot have.

    Attributes:
        name: Of the setting.
        origin: Where it was set.
        reason: What is wrong with it, without the value, which may be secret.
    """

    def __init__(self, name: str, origin: str, reason: str) -> None:
        super().__init__(f"setting {name!r} ({origin}): {reason}")
        self.name = name
        self.origin = origin
        self.reason = reason


class SessionNotFoundError(BotError):
    """There is no conversation of that id, or it belongs to another collection.

    Attributes:
        session_id: What was asked for.
    """

    def __init__(self, session_id: str) -> None:
        super().__init__(f"there is no session {session_id!r}")
        self.session_id = session_id


class TurnNotFoundError(BotError):
    """There is no turn of that id.

    Attributes:
        turn_id: What was asked for.
    """

    def __init__(self, turn_id: str) -> None:
        super().__init__(f"there is no turn {turn_id!r}")
        self.turn_id = turn_id


class TurnKeptError(BotError):
    """A turn of that id is kept already: somebody else was quicker with the same question.

    Attributes:
        turn_id: Of the turn.
    """

    def __init__(self, turn_id: str) -> None:
        super().__init__(f"turn {turn_id!r} is answered already: ask again to get that answer")
        self.turn_id = turn_id


class AdminKeyError(BotError):
    """A request to change or to administer comes without a key, or with one that is not good."""

    def __init__(self) -> None:
        super().__init__(
            "this needs a key that may do it: send it as `Authorization: Bearer <key>`"
        )


class NoAdminKeyError(BotError):
    """There is no key for this, and it is not open to everybody."""

    def __init__(self) -> None:
        super().__init__(
            "closed until there is a key: set WENQU_ADMIN_KEY (16 characters or more) and restart,"
            " or run `wenqu keys add`"
        )


class KeyNeededError(BotError):
    """Asking needs a key here, and a request comes without one."""

    def __init__(self) -> None:
        super().__init__("this needs an API key: send it as `Authorization: Bearer wq_...`")


class BadKeyError(BotError):
    """A key is unknown or was revoked: which of the two is nobody's business."""

    def __init__(self) -> None:
        super().__init__("this API key is not good: check it, or ask for a new one")


class KeyExpiredError(BotError):
    """A key has come to the end of its time.

    Attributes:
        at: When, UTC.
    """

    def __init__(self, at: str) -> None:
        super().__init__(f"this API key expired at {at}: ask for a new one")
        self.at = at


class KeyScopeError(BotError):
    """A key is good, but not for this.

    Attributes:
        needed: The scope that is.
        is_limited: Whether a key for all collections would do.
    """

    def __init__(self, needed: str, *, is_limited: bool = False) -> None:
        what = "a key that is limited to no collection" if is_limited else "a key with that scope"
        super().__init__(f"this needs the scope {needed!r}: use {what}")
        self.needed = needed
        self.is_limited = is_limited


class KeyInUrlError(BotError):
    """A key stands in an address, where it ends in logs and histories."""

    def __init__(self) -> None:
        super().__init__(
            "a key in the address is never read, and may have been logged: revoke it,"
            " and send the new one as `Authorization: Bearer wq_...`"
        )


class KeyNotFoundError(BotError):
    """There is no key of that id.

    Attributes:
        key_id: What was asked for.
    """

    def __init__(self, key_id: str) -> None:
        super().__init__(f"there is no key {key_id!r}")
        self.key_id = key_id


class RateLimitError(BotError):
    """Somebody asks more often than they may.

    Attributes:
        retry_seconds: After which another try is worth it.
    """

    def __init__(self, retry_seconds: int) -> None:
        super().__init__(f"too many requests: try again in {retry_seconds} s")
        self.retry_seconds = retry_seconds


class ReportError(BotError):
    """There is no measurement to show, or it cannot be read.

    Attributes:
        name: Of the file, "" if none is named.
        reason: What is wrong.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}" if name else reason)
        self.name = name
        self.reason = reason


class EmbedderError(BotError):
    """A site that is not on the list asks for a token of the widget.

    Attributes:
        origin: What it says it is; it may say anything.
    """

    def __init__(self, origin: str) -> None:
        super().__init__(f"{origin[:200]!r} is not among the widget_origins")
        self.origin = origin


class TokenError(BotError):
    """A token of the widget is not ours, altered, expired, or for something else."""


class SignatureError(BotError):
    """A request to a channel is not signed the way the sender it claims would sign it.

    Attributes:
        reason: Which check failed, for the log; the sender is not told.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the signature of a request does not hold: {reason}")
        self.reason = reason


class PlatformError(BotError):
    """A platform that answers are sent to does not take one, or does not answer.

    Attributes:
        code: Its own code of the error, or "".
        arrived: Whether the message may have arrived all the same.
        retry_seconds: After which another try is worth it; None if it never is.
    """

    def __init__(
        self, reason: str, *, code: str = "", arrived: bool, retry_seconds: float | None = None
    ) -> None:
        super().__init__(reason)
        self.code = code
        self.arrived = arrived
        self.retry_seconds = retry_seconds


class OutwardError(BotError):
    """A request to an address that somebody named may not go there, or there is no answer.

    Attributes:
        code: `closed`: not where requests may go. `slow`: no answer in time. `unreachable`: none.
    """

    def __init__(self, reason: str, *, code: Literal["closed", "slow", "unreachable"]) -> None:
        super().__init__(reason)
        self.code = code


class ReusedIdError(BotError):
    """A webhook has the id of an earlier one and says something else.

    Attributes:
        message_id: Of both.
    """

    def __init__(self, message_id: str) -> None:
        super().__init__(f"another request had the id {message_id!r}: send this one under its own")
        self.message_id = message_id


class ReplyUrlError(BotError):
    """An answer is wanted at an address that nobody set up: it might be anybody's."""


class DeliveryNotFoundError(BotError):
    """There is no delivery of that number.

    Attributes:
        position: What was asked for.
    """

    def __init__(self, position: int) -> None:
        super().__init__(f"there is no delivery {position}")
        self.position = position


class ExtraNotInstalledError(BotError):
    """Something is switched on that needs a library of an extra.

    Attributes:
        library: Its name.
        extra: Name of the extra.
    """

    def __init__(self, *, library: str, extra: str) -> None:
        super().__init__(f"{library} is not installed: pip install 'wenqu[{extra}]'")
        self.library = library
        self.extra = extra


class UnknownModelError(BotError):
    """There is no model of that name: ours are `wenqu` and `wenqu/` with a collection.

    Attributes:
        model: What was asked for.
    """

    def __init__(self, model: str) -> None:
        super().__init__(f"there is no model {model[:200]!r}: use 'wenqu' or 'wenqu/<collection>'")
        self.model = model


class UnsupportedError(BotError):
    """A request wants what other services do and this one does not.

    Attributes:
        parameter: Of the request, such as `n`.
    """

    def __init__(self, *, parameter: str, reason: str) -> None:
        super().__init__(f"{parameter} is not supported like this: {reason}")
        self.parameter = parameter


class GenerationError(BotError):
    """A language model did not answer, or not to the end. Never reaches a user: see `Fallback`.

    Attributes:
        reason: What becomes `Answer.fallback`.
        detail: For the log, without question, document or key.
    """

    def __init__(self, *, reason: Fallback, detail: str = "") -> None:
        super().__init__(f"the language model gave no whole answer: {reason} {detail}".rstrip())
        self.reason = reason
        self.detail = detail


class NotReadyError(BotError):
    """The server has started and its model is still loading."""


class ShuttingDownError(BotError):
    """The service stops: nothing new is begun, and what does not end in time is given up."""

    def __init__(self) -> None:
        super().__init__("the service is stopping: try again in a moment")


class OverloadedError(BotError):
    """More questions are waiting than may wait.

    Attributes:
        retry_seconds: After which another try is worth it.
    """

    def __init__(self, retry_seconds: int) -> None:
        super().__init__(f"too many questions are waiting: try again in {retry_seconds} s")
        self.retry_seconds = retry_seconds
