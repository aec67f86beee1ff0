"""Webhook endpoints as they are set up: who may ask, and who is told of what."""

import base64
import binascii
import re
from typing import Annotated, Literal, Self, TypeAlias, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

Event: TypeAlias = Literal[
    "answer.created",
    "answer.refused",
    "feedback.created",
    "document.indexed",
    "document.deleted",
]
"""What an endpoint can be told of."""

EVENTS: tuple[Event, ...] = get_args(Event)

_PREFIX = "whsec_"
_SECRET_BYTES = range(24, 65)
_TLS = "https://"


def _several(value: object) -> object:
    return tuple(re.findall(r"[^,\s]+", value)) if isinstance(value, str) else value


class Endpoint(BaseModel):
    """A program of somebody else: it asks by signed requests, and is told by signed requests.

    Attributes:
        secret: Of Standard Webhooks; the first signs, and each is accepted: so it can be changed.
        url: Where events and replies go; "" for one that only asks.
        events: That it is told of without having asked.
        private: Whether its address may be plain `http` and within the own network.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    secret: Annotated[
        tuple[SecretStr, ...], BeforeValidator(_several), Field(min_length=1, max_length=5)
    ]
    url: str = Field(default="", pattern=r"^(https?://[A-Za-z0-9.\-\[\]:]+(/[!-~]*)?)?$")
    events: Annotated[tuple[Event, ...], BeforeValidator(_several)] = ()
    private: bool = False

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets, in plain; the first is the one to sign with."""
        return tuple(secret.get_secret_value() for secret in self.secret)

    @model_validator(mode="after")
    def _is_of_use(self) -> Self:
        if not all(map(_is_secret, self.secrets)):
            message = f"a secret is {_PREFIX} and 24 to 64 bytes in base64"
            raise ValueError(message)
        if self.url and not self.private and not self.url.startswith(_TLS):
            message = f"the url has to begin with {_TLS}, or private = true be set"
            raise ValueError(message)
        if not _has_port(self.url):
            message = "the port of the url has to be 1 to 65535"
            raise ValueError(message)
        if self.events and not self.url:
            message = "events need a url to go to"
            raise ValueError(message)
        return self


def _has_port(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _is_secret(secret: str) -> bool:
    try:
        raw = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        return False
    return secret.startswith(_PREFIX) and len(raw) in _SECRET_BYTES
