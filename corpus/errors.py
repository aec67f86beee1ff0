"""Errors of wenqu: everything a caller may want to catch.

* WenquError
  + CorpusError
    - UnreadableSourceError
    - SpanError            (also a ValueError)
    - ParserError
  + IndexingError          (index.errors)
    - ModelError
    - ModelMismatchError
    - CorruptIndexError
    - BackupError
    - LibraryBusyError
    - DriverError
    - SchemaError
    - DocumentNotFoundError
    - CollectionNotFoundError
  + BotError               (bot.errors)
    - QuoteNotFoundError
    - QuestionError
    - SettingsError
    - SessionNotFoundError
    - TurnNotFoundError
    - TurnKeptError
    - ExtraNotInstalledError
    - UnknownModelError
    - UnsupportedError
    - SignatureError
    - PlatformError
    - OutwardError
    - ReusedIdError
    - ReplyUrlError
    - DeliveryNotFoundError
    - GenerationError
    - AdminKeyError
    - NoAdminKeyError
    - KeyNeededError
    - BadKeyError
    - KeyExpiredError
    - KeyScopeError
    - KeyInUrlError
    - KeyNotFoundError
    - RateLimitError
    - ReportError
    - EmbedderError
    - TokenError
    - NotReadyError
    - ShuttingDownError
    - OverloadedError
  + EvalError              (eval.errors)
    - QuestionSetError
    - ResultsError
    - ServerError

A message says what was expected, what was there instead, and where.
"""

from typing import Literal

Trouble = Literal[
    "missing",  # nothing there by that name
    "permission",  # there, and not ours to read
    "outside",  # a link that leaves the folder being read
    "unsupported",  # a kind of file that no reader knows
    "too_large",  # more bytes, members or time than a limit allows
    "empty",  # read, and no text in it
    "binary",  # an image, an archive, a program
    "encoding",  # text in bytes that no known encoding explains
    "locked",  # needs a password
    "scanned",  # pictures of text, no text
    "damaged",  # broken off, or not what its name says
    "address",  # not one that can be asked
    "closed",  # an address in the own network, or a port that is not open
    "unreachable",  # nobody answers at that address
    "slow",  # no answer in time
    "refused",  # an answer, but not what is wanted: 404, or redirects without end
]


class WenquError(Exception):
    """Base class: `except WenquError` catches what wenqu raises on purpose, and no bug."""


class CorpusError(WenquError):
    """A source or a document is not what it has to be."""


class UnreadableSourceError(CorpusError):
    """A source cannot become a document.

    Attributes:
        source: Path or URL, as given by the caller.
        reason: What was wrong, in a few words that a user understands.
        trouble: The same as one of a closed set of words, to translate or to count by.
    """

    def __init__(self, source: str, reason: str, *, trouble: Trouble = "damaged") -> None:
        super().__init__(f"cannot read {source}: {reason}")
        self.source = source
        self.reason = reason
        self.trouble = trouble


class SpanError(CorpusError, ValueError):
    """A pair of offsets does not fit the text it points into."""


class ParserError(CorpusError):
    """The process that parses cannot be started: whatever is to be read, this is not its fault."""
