"""Who asks over HTTP, and what that opens: needs, collections and conversations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

from bot.errors import TokenError
from bot.keys import Key, Scope
from bot.tokens import Claims
from index.errors import CollectionNotFoundError

Need: TypeAlias = Literal["converse", "ask", "ingest", "admin", "whole"]
"""What a request needs to be allowed.

converse: ask, and go on with one's own conversations: all that a widget does. ask: read passages
and documents as well. ingest: change documents. admin: see how it goes. whole: the same of what
belongs to no collection.
"""

ASKING: frozenset[Need] = frozenset({"converse", "ask"})
CHANGING: frozenset[Need] = frozenset({"ingest"})
_OF_SCOPE: Mapping[Scope, frozenset[Need]] = {
    "ask": ASKING,
    "ingest": CHANGING,
    "admin": ASKING | CHANGING | frozenset[Need]({"admin"}),
}
_WHOLE: frozenset[Need] = frozenset({"whole"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        owner: Whose conversations are seen and begun, no secret; None sees those of everybody.
        grants: What is allowed.
        collections: The only ones that there are for this caller; all if none are named.
        default: The collection that is meant without a name; "" for the one of the settings.
        is_widget: Whether a foreign collection means that a token was taken elsewhere.
    """

    owner: str | None
    grants: frozenset[Need]
    collections: tuple[str, ...] = ()
    default: str = ""
    is_widget: bool = False

    @classmethod
    def of_key(cls, key: Key, default: str) -> Self:
        """Return who has a key; without a name the first of its collections is meant.

        Args:
            key: That is good.
            default: The collection of the settings.
        """
        grants = frozenset[Need]().union(*(_OF_SCOPE[scope] for scope in key.scopes))
        limits = key.collections
        if "admin" in key.scopes and not limits:
            grants |= _WHOLE
        first = limits[0] if limits and default not in limits else ""
        return cls(f"key:{key.id}", grants, limits, first)

    @classmethod
    def of_widget(cls, claims: Claims) -> Self:
        """Return the widget on a site."""
        owner = f"widget:{claims.origin}"
        return cls(owner, frozenset({"converse"}), (claims.collection,), is_widget=True)

    @classmethod
    def of_channel(cls, channel: str) -> Self:
        """Return whoever speaks through a channel, which has a door of its own."""
        return cls(f"channel:{channel}", ASKING)

    def reaches(self, collection: str) -> bool:
        """Whether there is such a collection, as far as this caller is concerned."""
        return not self.collections or collection in self.collections

    def check(self, collection: str) -> None:
        """Let a collection pass that is not foreign.

        Raises:
            CollectionNotFoundError: It is, which is told as if it were not there.
            TokenError: It is, and a token of the widget is for one collection only.
        """
        if not self.reaches(collection):
            raise TokenError if self.is_widget else CollectionNotFoundError(collection)


EVERYTHING: frozenset[Need] = _OF_SCOPE["admin"] | _WHOLE
SERVICE = Caller(None, EVERYTHING)
"""The service itself, and who has a door of their own."""
ADMIN = Caller("admin", EVERYTHING)
"""Who has the key of the setting `admin_key`."""


def keyless(grants: frozenset[Need], *collections: str) -> Caller:
    """Return whoever comes without a key, where these needs are open to everybody."""
    return Caller("", grants, collections)
