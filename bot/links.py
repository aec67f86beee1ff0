"""Links to sources that open without a key, where asking needs one.

Whoever reads an answer in a chat or on a site has no key, and still has to see what it stands on.
Such a link opens one document of one collection, for as long as conversations are kept.
"""

import secrets
from typing import Self

from itsdangerous import BadData, TimestampSigner

_SALT = "wenqu.link.1"
_DAY = 86_400


class Links:
    """Seals links, and tells which were sealed by us."""

    def __init__(self, signer: TimestampSigner, lifetime_seconds: int) -> None:
        """Sign with `signer`; see `of`."""
        self._signer = signer
        self._lifetime_seconds = lifetime_seconds

    @classmethod
    def of(cls, secret: str, days: int) -> Self:
        """Sign with `secret`; with "", one is made that dies with this process."""
        return cls(TimestampSigner(secret or secrets.token_urlsafe(32), salt=_SALT), days * _DAY)

    def seal(self, collection: str, document_id: str) -> str:
        """Return what opens a document: the time and a signature."""
        said = _said(collection, document_id)
        return self._signer.sign(said).decode().removeprefix(f"{said}.")

    def opens(self, seal: str, collection: str, document_id: str) -> bool:
        """Whether a seal is ours, for this document, and not too old."""
        try:
            self._signer.unsign(
                f"{_said(collection, document_id)}.{seal}", max_age=self._lifetime_seconds
            )
        except (BadData, ValueError):  # ValueError: half a character, which nobody can encode
            return False
        return True


def _said(collection: str, document_id: str) -> str:
    return f"{collection}/{document_id}"
