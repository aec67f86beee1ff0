"""What a request to a channel has to pass before anything in it is believed.

A library that meets hostile headers for the first time fails in ways of its own; here each value
has one form, and everything else is a `SignatureError`, which says no more than that.
"""

import hmac
import json
import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, StringConstraints
from starlette.exceptions import HTTPException

from bot.errors import SignatureError
from bot.wire import Json

TOLERANCE_SECONDS = 300

SECONDS = re.compile(r"[0-9]{10}")
MILLISECONDS = re.compile(r"[0-9]{13}")
NONCE = re.compile(r"[!-~]{1,128}")
SHA1 = re.compile(r"[0-9a-f]{40}")
SHA256 = re.compile(r"[0-9a-f]{64}")

Id = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,256}$")]
"""An identifier given by a platform: printable ASCII, so it can be stored and logged."""
MaybeId = Annotated[str, StringConstraints(pattern=r"^[!-~]{0,256}$")] | None
"""One that may be left out."""


def storable(text: str) -> str:
    """Return `text` without what no database takes: halves of characters, and NUL."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\0", "\ufffd")


Storable = Annotated[str, AfterValidator(storable)]
"""Text of a platform that is kept and not shown; of what no database takes, no more than a sign."""


def sole(values: Sequence[str], form: re.Pattern[str], name: str) -> str:
    """Return the only value of a header or parameter.

    Raises:
        SignatureError: There is none, there are several, or it has not the form.
    """
    if len(values) != 1 or not form.fullmatch(values[0]):
        message = f"{len(values)} values of {name}, or not of its form"
        raise SignatureError(message)
    return values[0]


def check_age(seconds: float, now: float) -> None:
    """Refuse a request signed at another time than about now; both are Unix time.

    Raises:
        SignatureError: It is more than `TOLERANCE_SECONDS` old or ahead.
    """
    if abs(now - seconds) > TOLERANCE_SECONDS:
        message = f"signed {now - seconds:.0f} s ago"
        raise SignatureError(message)


def check_equal(given: str, expected: str, name: str) -> None:
    """Compare secrets in a time that tells nothing of them.

    Raises:
        SignatureError: They differ.
    """
    if not hmac.compare_digest(given.encode(errors="replace"), expected.encode()):
        message = f"{name} differs"
        raise SignatureError(message)


def json_object(raw: bytes | str) -> Json:
    """Read a JSON object that was verified before.

    Raises:
        HTTPException: 400, it is something else.
    """
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:  # a signed body may still be nested too deep
        raise HTTPException(400) from error
    if not isinstance(found, dict):
        raise HTTPException(400)
    return found
