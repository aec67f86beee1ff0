"""What a parser in a process of its own and the process that started it say to each other.

A message is four bytes of its length, most significant first, and so many bytes. A source goes
one way as its `Origin`, its bytes and an empty message; its documents come back as JSON.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import IO, Any

from typing_extensions import Buffer

from corpus.document import Document, Section
from corpus.errors import UnreadableSourceError
from corpus.origin import Origin

PIECE_BYTES = 1_000_000
"""At most, of a message to the parser."""

_HEAD = 4


def put(stream: IO[bytes], message: bytes) -> None:
    """Write a message."""
    stream.write(len(message).to_bytes(_HEAD, "big"))
    stream.write(message)
    stream.flush()


def take(stream: IO[bytes], most: int = PIECE_BYTES) -> bytes:
    """Read a message.

    Args:
        stream: That blocks until there is one.
        most: Bytes that it may have.

    Raises:
        EOFError: The other side is gone.
        OverflowError: It is longer.
    """
    size = int.from_bytes(_exactly(stream, _HEAD), "big")
    if size > most:
        message = f"a message of {size} bytes, at most {most} are taken"
        raise OverflowError(message)
    return _exactly(stream, size)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


class Incoming(io.RawIOBase):
    """The bytes of one source: the messages up to the first empty one."""

    def __init__(self, stream: IO[bytes]) -> None:
        """Read from `stream`, and nothing beyond the end of the source."""
        self._stream = stream
        self._rest = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        """Say that it is."""
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        """Fill `buffer` as far as the present message goes; 0 at the end."""
        if not self._rest and not self._ended:
            self._rest = memoryview(take(self._stream))
            self._ended = not self._rest
        room = memoryview(buffer)
        size = min(len(room), len(self._rest))
        room[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def origin_json(origin: Origin) -> bytes:
    """Return an origin as a message."""
    return json.dumps(asdict(origin)).encode()


def origin_of(message: bytes) -> Origin:
    """Return what `origin_json` was made from."""
    return Origin(**json.loads(message))


def found_json(found: Document | UnreadableSourceError) -> bytes:
    """Return a document, or what stands in its place, as a message."""
    said: dict[str, Any]
    if isinstance(found, UnreadableSourceError):
        said = {"source": found.source, "reason": found.reason, "trouble": found.trouble}
    else:
        sections = [(s.heading, s.level, s.start, s.end) for s in found.sections]
        said = {
            "id": found.id,
            "title": found.title,
            "text": found.text,
            "source": found.source,
            "metadata": dict(found.metadata),
            "sections": sections,
        }
    return json.dumps(said).encode("ascii")


def found_of(said: Mapping[str, Any]) -> Document | UnreadableSourceError:
    """Return what `found_json` was made from."""
    if "trouble" in said:
        return UnreadableSourceError(said["source"], said["reason"], trouble=said["trouble"])
    sections = tuple(Section(*each) for each in said["sections"])
    return Document(**{**said, "sections": sections})
