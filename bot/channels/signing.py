"""Signatures of Standard Webhooks 1.0.0: HMAC-SHA256 over id, time and body."""

import hmac
import re
from collections.abc import Iterable
from datetime import UTC, datetime

from starlette.datastructures import Headers

from bot.channels import gate
from bot.errors import SignatureError

ID = "webhook-id"
TIMESTAMP = "webhook-timestamp"
SIGNATURE = "webhook-signature"

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_SIGNATURES = re.compile(
    r"(?=.{1,512}\Z)v[0-9]+[a-z]?,[A-Za-z0-9+/=]+( v[0-9]+[a-z]?,[A-Za-z0-9+/=]+)*"
)


def signed(secret: str, message_id: str, body: str, now: float) -> dict[str, str]:
    """Return the headers that go with a body.

    Args:
        secret: Begins with `whsec_`.
        message_id: Letters, digits, `-` and `_`; the same at every try.
        body: As it will be sent, in UTF-8.
        now: Unix time of this try.
    """
    seconds = int(now)
    return {
        ID: message_id,
        TIMESTAMP: str(seconds),
        SIGNATURE: _signature(secret, message_id, body, seconds),
    }


def check(headers: Headers, raw: bytes, secrets: Iterable[str], now: float) -> str:
    """Verify a request and return its id.

    The signature is made anew and compared as text: base64 has several spellings of the same
    bytes, and only one of them is the signature.

    Args:
        headers: Of the request.
        raw: Its body, not yet believed.
        secrets: One of them has to have signed it.
        now: Unix time.

    Raises:
        SignatureError: None has, or not now.
    """
    message_id = gate.sole(headers.getlist(ID), _ID, ID)
    seconds = int(gate.sole(headers.getlist(TIMESTAMP), gate.SECONDS, TIMESTAMP))
    given = gate.sole(headers.getlist(SIGNATURE), _SIGNATURES, SIGNATURE).split(" ")
    gate.check_age(seconds, now)
    try:
        body = raw.decode()
    except UnicodeDecodeError as error:
        message = "the body is not UTF-8"
        raise SignatureError(message) from error
    expected = [_signature(secret, message_id, body, seconds) for secret in secrets]
    right = [hmac.compare_digest(one, other) for one in given for other in expected]
    if not any(right):  # after all were compared, so that the time tells nothing
        message = f"none of {len(given)} signatures is right"
        raise SignatureError(message)
    return message_id


def _signature(secret: str, message_id: str, body: str, seconds: int) -> str:
    from standardwebhooks import Webhook  # noqa: PLC0415  # only where webhooks are used

    return Webhook(secret).sign(message_id, datetime.fromtimestamp(seconds, UTC), body)
