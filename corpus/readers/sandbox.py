"""Parse in a process of its own, under limits: what a file does to a parser ends there."""

import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO, Self

from corpus.document import Document
from corpus.errors import ParserError, UnreadableSourceError
from corpus.origin import Origin
from corpus.readers.frames import PIECE_BYTES, found_of, origin_json, put, take

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    "from corpus.readers.worker import main; main(sys.argv[2:])"
)
# Where the system finds libraries and temporary files; no keys, no proxies, no settings of ours.
_ENVIRONMENT = frozenset(
    {
        "PATH",
        "LANG",
        "LC_ALL",
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "SYSTEMROOT",
        "TMPDIR",
        "TEMP",
    }
)
_LOOK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Limits:
    """What a parser may use.

    Attributes:
        megabytes: Address space, of which the libraries alone map some hundred.
        seconds: Processor time for a document.
        wall_seconds: Time on the clock for a document.
        answer_bytes: A document as JSON.
    """

    megabytes: int = 1500
    seconds: int = 120
    wall_seconds: float = 240
    answer_bytes: int = 400_000_000


class Sandbox:
    """A child process that parses source after source, for the time of a `with` block.

    It starts with the first source; another one takes its place when it crashed, broke a limit or
    used much memory. For one thread at a time.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        """Parse under `limits`, or the usual ones."""
        self._limits = limits or Limits()
        self._idle: _Child | None = None

    def __enter__(self) -> Self:
        """Be ready to start."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the child."""
        if self._idle is not None:
            self._idle.end()
            self._idle = None

    def documents_of(
        self, stream: BinaryIO, origin: Origin
    ) -> Iterator[Document | UnreadableSourceError]:
        """Read one source as `corpus.documents.documents_of` does, in the child.

        Args:
            stream: Read to its end first, unless it is JSON Lines.
            origin: What is known of it.

        Raises:
            OSError: The stream cannot be read.
            ParserError: No child can be started.
        """
        if origin.kind != "jsonl":
            data = stream.read(origin.max_bytes + 1)
            if len(data) > origin.max_bytes:
                yield origin.too_large()
                return
            stream = BytesIO(data)
        child = self._idle or _Child(self._limits)
        self._idle = None
        try:
            yield from child.documents_of(stream, origin)
        except _EndedError as error:
            yield UnreadableSourceError(origin.source, str(error), trouble="too_large")
        finally:
            if child.usable:
                self._idle = child
            else:
                child.end()


class _EndedError(Exception):
    """The child broke a limit or crashed; says which."""


class _Child:
    """One process.

    Attributes:
        usable: Whether it can take another source.
    """

    def __init__(self, limits: Limits) -> None:
        self.usable = True
        self._limits = limits
        self._deadline = math.inf
        self._late = False
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._watch, daemon=True)]
        self._failure: OSError | None = None
        # "" is the current folder, which a child might not have
        path = json.dumps([os.path.abspath(place) for place in sys.path])  # noqa: PTH100 - as text
        numbers = (limits.megabytes, limits.seconds, os.getpid())
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-I", "-B", "-c", _START, path, *map(str, numbers)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={key: value for key, value in os.environ.items() if key in _ENVIRONMENT},
            )
        except OSError as error:
            message = f"no process to parse in can be started: {error.strerror}"
            raise ParserError(message) from error
        assert self._process.stdin and self._process.stdout  # noqa: S101, PT018 - they are pipes
        self._to, self._from = self._process.stdin, self._process.stdout
        self._threads[0].start()

    def documents_of(
        self, stream: BinaryIO, origin: Origin
    ) -> Iterator[Document | UnreadableSourceError]:
        """Have one source read.

        Raises:
            _EndedError: The child ended instead.
            OSError: The stream cannot be read.
        """
        self.usable = False
        sending = threading.Thread(target=self._send, args=(stream, origin), daemon=True)
        self._threads.append(sending)
        sending.start()
        while "worn" not in (said := self._said()):
            if said:
                yield found_of(said)
        sending.join()
        self._threads.remove(sending)
        self.usable = not said["worn"]

    def end(self) -> None:
        """Kill it, and wait until nothing of it is left."""
        self._ended.set()
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join()
        for pipe in (self._to, self._from):
            with suppress(BrokenPipeError):
                pipe.close()

    def _send(self, stream: BinaryIO, origin: Origin) -> None:
        with suppress(BrokenPipeError):  # who waits for the answer will notice
            put(self._to, origin_json(origin))
            while piece := self._piece(stream):
                put(self._to, piece)
            put(self._to, b"")

    def _piece(self, stream: BinaryIO) -> bytes:
        try:
            return stream.read(PIECE_BYTES)
        except OSError as error:
            self._failure = error
            self._process.kill()  # it would wait for the rest
            return b""

    def _said(self) -> dict[str, Any]:
        """Return what the child says next; its first word, {}, is that it has started."""
        self._deadline = time.monotonic() + self._limits.wall_seconds
        try:
            said: dict[str, Any] = json.loads(take(self._from, self._limits.answer_bytes))
        except OverflowError as error:
            most = self._limits.answer_bytes
            message = f"it comes to more than {most} bytes of text"
            raise _EndedError(message) from error
        except EOFError as error:
            raise self._failure or _EndedError(self._why(self._process.wait())) from error
        finally:
            self._deadline = math.inf
        return said

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            if time.monotonic() > self._deadline:
                self._late = True
                self._process.kill()
                return

    def _why(self, returncode: int) -> str:
        limits = self._limits
        if self._late:
            return f"reading it takes more than {limits.wall_seconds} seconds"
        end = f"signal {-returncode}" if returncode < 0 else f"code {returncode}"
        return (
            f"its parser ended with {end}: it crashed, or needs more than {limits.seconds} seconds "
            f"or {limits.megabytes} MB"
        )
