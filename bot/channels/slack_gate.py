"""What a request of Slack has to pass before slack_bolt sees it.

slack_bolt reads a body before it checks the signature, and hostile headers or shapes make it fail
in ways of its own; here everything that is not as Slack would send it has one answer.
"""

import hashlib
import hmac
import re
from http import HTTPStatus
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from bot.channels import gate

_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")


def check_signature(headers: Headers, body: bytes, secret: str, now: float) -> None:
    """Hold a request to its signature, HMAC-SHA256 over `v0:timestamp:body`.

    https://docs.slack.dev/authentication/verifying-requests-from-slack

    Args:
        headers: Of the request.
        body: As it came.
        secret: The Signing Secret of the application.
        now: Unix time.

    Raises:
        SignatureError: It does not hold, or it was made at another time than about `now`.
    """
    timestamp = gate.sole(
        headers.getlist("x-slack-request-timestamp"), gate.SECONDS, "the timestamp"
    )
    given = gate.sole(headers.getlist("x-slack-signature"), _SIGNATURE, "the signature")
    gate.check_age(int(timestamp), now)
    signed = b":".join((b"v0", timestamp.encode(), body))
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    gate.check_equal(given, f"v0={expected}", "the signature")


def check_shape(headers: Headers, body: bytes) -> None:
    """Hold a signed body to one that slack_bolt can read: a JSON object, plain or in a form.

    Raises:
        HTTPException: 400, it is something else.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST) from error
    if text.startswith("{") or "json" in headers.get("content-type", ""):
        gate.json_object(text)
        return
    form = dict(parse_qsl(text, keep_blank_values=True))
    if not form:
        raise HTTPException(HTTPStatus.BAD_REQUEST)
    if "payload" in form:
        gate.json_object(form["payload"])
