"""What can go wrong in a call to a language model, and whether another try is worth it."""

import email.utils
import time
from http import HTTPStatus

from bot.errors import Fallback

_PASSING = {408, 409, 429}


class Failure(Exception):  # noqa: N818  # never leaves bot.llm: GenerationError is made of it
    """One try that failed.

    Attributes:
        reason: Of the failure.
        detail: For the log, without question, document or key.
        passing: Whether the same call may work a moment later.
        wait_seconds: How long the server wants to be left alone, if it said so.
    """

    def __init__(
        self,
        *,
        reason: Fallback,
        detail: str = "",
        passing: bool,
        wait_seconds: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
        self.passing = passing
        self.wait_seconds = wait_seconds


def failure_of(error: Exception, *, started: bool) -> Failure:
    """Return what an exception of the client library means.

    What the library lets through, such as `json.JSONDecodeError` or `UnicodeDecodeError`, comes
    from a server that does not speak the protocol.

    Args:
        error: As caught.
        started: Whether a first word had come.
    """
    import httpx2  # noqa: PLC0415  # loaded already, by whoever made the call
    import openai  # noqa: PLC0415  # loaded already, by whoever made the call

    name = type(error).__name__
    if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException | TimeoutError):
        return Failure(reason="timeout", detail=name, passing=True)
    if isinstance(error, openai.APIConnectionError | httpx2.HTTPError):
        return Failure(reason="cut" if started else "unreachable", detail=name, passing=True)
    if isinstance(error, openai.APIStatusError):
        return _of_status(error.status_code, error.response.headers.get("retry-after"))
    if isinstance(error, openai.APIError):  # `event: error` or `data: {"error": …}` in the stream
        return Failure(
            reason="cut" if started else "overloaded", detail="error event", passing=True
        )
    return Failure(reason="garbled", detail=name, passing=False)


def retry_after(value: str | None) -> float | None:
    """Return the seconds that a `Retry-After` asks for, None if it says nothing usable."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        date = email.utils.parsedate_tz(value)
        if date is None:
            return None
        seconds = email.utils.mktime_tz(date) - time.time()
    return seconds if 0 <= seconds < float("inf") else None


def _of_status(status: int, wait: str | None) -> Failure:
    detail = f"HTTP {status}"
    if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Failure(
            reason="overloaded", detail=detail, passing=True, wait_seconds=retry_after(wait)
        )
    return Failure(reason="refused", detail=detail, passing=False)
