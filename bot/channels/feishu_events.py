"""Events of 飞书 and Lark: verified, opened and read; nothing here talks to anybody.

Protocol: the signature is the SHA-256 of timestamp, nonce, Encrypt Key and body; the body is sealed
by AES-256-CBC under the SHA-256 of the Encrypt Key, with the first block as IV.
"""

import hashlib
import re
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from bot.channels import gate
from bot.channels.cbc import from_base64, unseal
from bot.conversations import Vote
from bot.errors import SignatureError
from bot.wire import Json

CHALLENGE = "url_verification"
MESSAGE = "im.message.receive_v1"
CLICK = "card.action.trigger"

_BLOCK = 16
_TIMESTAMP = "x-lark-request-timestamp"
_NONCE = "x-lark-request-nonce"
_SIGNATURE = "x-lark-signature"
_SEALED = re.compile(
    rb'\s{0,9}\{\s{0,9}"encrypt"\s{0,9}:\s{0,9}"([A-Za-z0-9+/=]{44,2048})"\s{0,9}\}'
)


@dataclass(frozen=True, slots=True)
class Keys:
    """The secrets that an application and 飞书 share."""

    encrypt_key: str
    verification_token: str


class Person(BaseModel):
    """Somebody, or a bot, as this application knows them."""

    open_id: gate.Storable = ""


class Mention(BaseModel):
    """A mention; `key` stands for it in the text, such as `@_user_1`."""

    key: str
    id: Person = Person()


class Content(BaseModel):
    """A message."""

    message_id: gate.Id
    chat_id: gate.Id
    chat_type: str
    message_type: str
    content: str
    root_id: gate.MaybeId = None
    thread_id: gate.MaybeId = None
    mentions: tuple[Mention, ...] | None = None


class Sender(BaseModel):
    """Who sent a message: `user`, or an application."""

    sender_type: str
    sender_id: Person = Person()


class Received(BaseModel):
    """The event `im.message.receive_v1`."""

    sender: Sender
    message: Content


class Thumb(BaseModel):
    """What a button of ours carries."""

    turn_id: gate.Id
    vote: Vote


class Action(BaseModel):
    """A click on a button."""

    value: Thumb


class Clicked(BaseModel):
    """The event `card.action.trigger`."""

    operator: Person
    action: Action


class Header(BaseModel):
    """What every event of version 2 begins with."""

    event_id: gate.Id
    event_type: str
    tenant_key: gate.Id = "-"


class Event(BaseModel):
    """An event of version 2."""

    header: Header
    event: Received | Clicked


def opened(headers: Headers, raw: bytes, keys: Keys, now: float) -> Json:
    """Verify a request and return what is sealed in it.

    飞书 checks the address of a bot by a request that may come without a signature; what is sealed
    in it proves by itself that the sender has the key and the token.

    Args:
        headers: Of the request.
        raw: Its body.
        keys: Of the application.
        now: Unix time.

    Raises:
        SignatureError: 飞书 did not send this, or not now.
        HTTPException: 400, what is sealed is no JSON object.
    """
    if any(headers.getlist(name) for name in (_TIMESTAMP, _NONCE, _SIGNATURE)):
        _check_signature(headers, raw, keys, now)
        found = gate.json_object(_unsealed(gate.json_object(raw).get("encrypt"), keys))
    else:
        found = _unsigned(raw, keys)
    header = found.get("header")
    token = header.get("token") if isinstance(header, dict) else found.get("token")
    gate.check_equal(str(token), keys.verification_token, "the verification token")
    return found


def _check_signature(headers: Headers, raw: bytes, keys: Keys, now: float) -> None:
    timestamp = gate.sole(headers.getlist(_TIMESTAMP), gate.SECONDS, _TIMESTAMP)
    nonce = gate.sole(headers.getlist(_NONCE), gate.NONCE, _NONCE)
    signature = gate.sole(headers.getlist(_SIGNATURE), gate.SHA256, _SIGNATURE)
    gate.check_age(int(timestamp), now)
    expected = hashlib.sha256(f"{timestamp}{nonce}{keys.encrypt_key}".encode() + raw).hexdigest()
    gate.check_equal(signature, expected, _SIGNATURE)


def _unsigned(raw: bytes, keys: Keys) -> Json:
    sealed = _SEALED.fullmatch(raw.strip())  # no parser meets what nobody signed
    if not sealed:
        message = "no signature"
        raise SignatureError(message)
    try:
        found = gate.json_object(_unsealed(sealed[1].decode(), keys))
    except HTTPException as error:
        message = "no signature, and sealed by another key"
        raise SignatureError(message) from error
    if found.get("type") != CHALLENGE:
        message = "an event without a signature"
        raise SignatureError(message)
    return found


def _unsealed(sealed: object, keys: Keys) -> bytes:
    if not isinstance(sealed, str):
        message = "not encrypted"
        raise SignatureError(message)
    data = from_base64(sealed)
    key = hashlib.sha256(keys.encrypt_key.encode()).digest()
    return unseal(data[_BLOCK:], key, data[:_BLOCK], block=_BLOCK)


def event_of(found: Json) -> Event | None:
    """Return a message or a click; None for an event of another kind.

    Raises:
        HTTPException: 400, it lacks what 飞书 says it has.
    """
    header = found.get("header")
    if not isinstance(header, dict) or header.get("event_type") not in (MESSAGE, CLICK):
        return None
    try:
        return Event.model_validate(found)
    except ValidationError as error:
        raise HTTPException(400) from error


def question_of(message: Content) -> str | None:
    """Return what was asked, without mentions; None if the message is no text.

    Raises:
        HTTPException: 400, the content is not what its type says.
    """
    content = gate.json_object(message.content)
    if message.message_type == "text":
        text = content.get("text")
    elif message.message_type == "post":
        text = _of_post(content)
    else:
        return None
    if not isinstance(text, str):
        raise HTTPException(400)
    keys = [*(mention.key for mention in message.mentions or ()), "@_all"]
    for key in sorted(keys, key=len, reverse=True):  # @_user_1 begins @_user_10
        text = text.replace(key, " ")
    return text.strip()


def _of_post(content: Json) -> str:
    """Return the words of a formatted text: lines of elements, of which some are words."""
    rows = content.get("content")
    lines = [
        "".join(
            element["text"]
            for element in row
            if isinstance(element, dict) and isinstance(element.get("text"), str)
        )
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, list)
    ]
    title = content.get("title")
    return "\n".join([title if isinstance(title, str) else "", *lines]).strip()
