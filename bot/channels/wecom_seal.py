"""What 企业微信 sends and gets is sealed: signed by SHA-1, encrypted by AES-256-CBC.

Protocol: the signature is the SHA-1 of token, timestamp, nonce and sealed text, sorted and joined.
What is sealed is 16 random bytes, the length of the message in 4, the message, and the name of the
receiver; padded to a multiple of 32, with the first half of the key as IV.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from starlette.datastructures import QueryParams

from bot.channels import gate
from bot.channels.cbc import from_base64, seal, unseal
from bot.errors import SignatureError

SEALED = re.compile(r"[A-Za-z0-9+/]{42,1000000}={0,2}")
_RANDOM = 16
_LENGTH = 4
_BLOCK = 32


@dataclass(frozen=True, slots=True)
class Seal:
    """What seals and opens messages of one application.

    Attributes:
        token: For the signature.
        key: 32 bytes.
        receiver: Who messages are for: the id of the company, or "" for a 智能机器人.
    """

    token: str = field(repr=False)
    key: bytes = field(repr=False)
    receiver: str

    @classmethod
    def of(cls, token: str, aes_key: str, receiver: str) -> Self:
        """Use the token and the EncodingAESKey, 43 characters, that 企业微信 shows."""
        return cls(token, base64.b64decode(aes_key + "="), receiver)

    def opened(self, query: QueryParams, sealed: str, now: float) -> bytes:
        """Verify sealed text by the parameters of the request, and open it.

        Raises:
            SignatureError: 企业微信 did not send this to us, or not now.
        """
        timestamp = gate.sole(query.getlist("timestamp"), gate.SECONDS, "timestamp")
        nonce = gate.sole(query.getlist("nonce"), gate.NONCE, "nonce")
        given = gate.sole(query.getlist("msg_signature"), gate.SHA1, "msg_signature")
        gate.check_age(int(timestamp), now)
        gate.check_equal(given, self.signature(timestamp, nonce, sealed), "msg_signature")
        return self._content(unseal(from_base64(sealed), self.key, self.key[:16], block=_BLOCK))

    def closed(self, message: bytes, timestamp: str, nonce: str) -> Mapping[str, str | int]:
        """Seal an answer, in the form that a 智能机器人 gives it."""
        length = len(message).to_bytes(_LENGTH, "big")
        plain = secrets.token_bytes(_RANDOM) + length + message + self.receiver.encode()
        sealed = base64.b64encode(seal(plain, self.key, self.key[:16], block=_BLOCK)).decode()
        return {
            "encrypt": sealed,
            "msgsignature": self.signature(timestamp, nonce, sealed),
            "timestamp": int(timestamp),
            "nonce": nonce,
        }

    def signature(self, timestamp: str, nonce: str, sealed: str) -> str:
        """Return the signature of sealed text."""
        together = "".join(sorted([self.token, timestamp, nonce, sealed]))
        return hashlib.sha1(together.encode()).hexdigest()  # noqa: S324  # the protocol's choice

    def _content(self, plain: bytes) -> bytes:
        start = _RANDOM + _LENGTH
        end = start + int.from_bytes(plain[_RANDOM:start], "big")
        if end > len(plain) or plain[end:] != self.receiver.encode():
            message = "cut wrong, or sealed for somebody else"
            raise SignatureError(message)
        return plain[start:end]
