"""The process that parses: sources come in on standard input, documents go out.

`corpus.readers.sandbox` starts it and says under which limits.
"""

import io
import json
import os
import sys
from collections.abc import Callable
from typing import BinaryIO

from corpus.documents import documents_of
from corpus.errors import UnreadableSourceError
from corpus.origin import Origin
from corpus.readers.confine import allow, confine, worn
from corpus.readers.frames import PIECE_BYTES, Incoming, found_json, origin_of, put, take


def main(argv: list[str]) -> None:
    """Serve until standard input ends.

    Args:
        argv: Megabytes, seconds of processor time for each document, the process to end with.
    """
    megabytes, seconds, parent = map(int, argv)
    confine(megabytes=megabytes, parent=parent)
    outgoing = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    put(outgoing, b"{}")  # ready
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for said in (sys.stdout, sys.stderr):  # what a library prints is no document
        os.dup2(nowhere, said.fileno())
    serve(sys.stdin.buffer, outgoing, megabytes, lambda: allow(seconds))


def serve(
    incoming: BinaryIO, outgoing: BinaryIO, megabytes: int, renew: Callable[[], None]
) -> None:
    """Read source after source.

    Args:
        incoming: Origins and bytes.
        outgoing: Documents, and after each source whether this process is worn.
        megabytes: That this process may have.
        renew: Called before each document.
    """
    while True:
        try:
            origin = origin_of(take(incoming))
        except EOFError:
            return
        stream = io.BufferedReader(Incoming(incoming))
        full = _read(stream, outgoing, origin, megabytes, renew)
        while stream.read(PIECE_BYTES):
            pass  # what was not looked at any more
        put(outgoing, json.dumps({"worn": full or worn(megabytes)}).encode())


def _read(
    stream: BinaryIO,
    outgoing: BinaryIO,
    origin: Origin,
    megabytes: int,
    renew: Callable[[], None],
) -> bool:
    """Read one source, and return whether there was not enough memory."""
    renew()
    try:
        for found in documents_of(stream, origin):
            put(outgoing, found_json(found))
            renew()
    except MemoryError:
        reason = f"needs more than {megabytes} MB of memory"
        error = UnreadableSourceError(origin.source, reason, trouble="too_large")
        put(outgoing, found_json(error))
        return True
    except Exception as error:  # noqa: BLE001 - one bad file must not stop the others
        reason = f"{type(error).__name__}: {error}"
        put(outgoing, found_json(UnreadableSourceError(origin.source, reason)))
    return False
