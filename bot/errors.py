"""Errors of answering; the whole tree is drawn in corpus.errors."""

from corpus.errors import WenquError


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


class NotReadyError(BotError):
    """The server has started and its model is still loading."""


class OverloadedError(BotError):
    """More questions are waiting than may wait.

    Attributes:
        retry_seconds: After which another try is worth it.
    """

    def __init__(self, retry_seconds: int) -> None:
        super().__init__(f"too many questions are waiting: try again in {retry_seconds} s")
        self.retry_seconds = retry_seconds
