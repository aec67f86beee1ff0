"""Short-lived tokens: what a widget on another site may do here, signed by us.

Nothing is stored: a token holds its claims and the time, signed with HMAC by itsdangerous.
"""

import secrets
from dataclasses import dataclass
from typing import Self

from itsdangerous import BadData, URLSafeTimedSerializer

from bot.errors import TokenError

PREFIX = "wqw_"
"""Tells a token of the widget from any other."""
TOKEN_SECONDS = 15 * 60
_SALT = "wenqu.widget.1"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token allows.

    Attributes:
        origin: Of the site that the widget stands on, such as `https://www.example.com`.
        collection: The only one that may be asked.
    """

    origin: str
    collection: str


class Tokens:
    """Gives tokens and reads them."""

    def __init__(self, signer: URLSafeTimedSerializer, lifetime_seconds: int) -> None:
        """Sign with `signer`; see `of`."""
        self._signer = signer
        self.lifetime_seconds = lifetime_seconds

    @classmethod
    def of(cls, secret: str, lifetime_seconds: int = TOKEN_SECONDS) -> Self:
        """Sign with `secret`; with "", one is made that dies with this process."""
        key = secret or secrets.token_urlsafe(32)
        return cls(URLSafeTimedSerializer(key, salt=_SALT), lifetime_seconds)

    def give(self, claims: Claims) -> str:
        """Return a token with these claims, good from now on for `lifetime_seconds`."""
        return f"{PREFIX}{self._signer.dumps([claims.origin, claims.collection])}"

    def read(self, token: str) -> Claims:
        """Return the claims of a token that we gave.

        Raises:
            TokenError: It is not ours, was altered or has expired; which of these is not told.
        """
        try:
            claims = self._signer.loads(
                token.removeprefix(PREFIX), max_age=self.lifetime_seconds - 1
            )
            origin, collection = claims
        except BadData as error:
            raise TokenError from error
        return Claims(origin, collection)
