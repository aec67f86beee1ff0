"""AES in CBC mode with PKCS #7 padding: to 16 bytes for 飞书, to 32 for 企业微信."""

import base64
import binascii

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from bot.errors import SignatureError

_AES_BLOCK = 16


def from_base64(text: str) -> bytes:
    """Return the bytes of sealed text.

    Raises:
        SignatureError: It is not base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        message = "not base64"
        raise SignatureError(message) from error


def unseal(sealed: bytes, key: bytes, iv: bytes, *, block: int) -> bytes:
    """Decrypt and remove the padding.

    Args:
        sealed: A whole number of AES blocks.
        key: 32 bytes.
        iv: 16 bytes.
        block: To a multiple of which the text was padded, in bytes.

    Raises:
        SignatureError: Nobody who has the key sealed this.
    """
    if not sealed or len(sealed) % _AES_BLOCK:
        message = f"{len(sealed)} bytes are no whole blocks"
        raise SignatureError(message)
    decryptor = Cipher(AES(key), CBC(iv)).decryptor()
    padded = decryptor.update(sealed) + decryptor.finalize()
    unpadder = PKCS7(block * 8).unpadder()
    try:
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError as error:
        message = "wrong padding"
        raise SignatureError(message) from error


def seal(plain: bytes, key: bytes, iv: bytes, *, block: int) -> bytes:
    """Pad and encrypt; `unseal` undoes it."""
    padder = PKCS7(block * 8).padder()
    padded = padder.update(plain) + padder.finalize()
    encryptor = Cipher(AES(key), CBC(iv)).encryptor()
    return encryptor.update(padded) + encryptor.finalize()
