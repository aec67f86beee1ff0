"""Where bytes come from, and what is said of them before they are read."""

from dataclasses import dataclass

from corpus.errors import UnreadableSourceError
from corpus.sniff import Kind

MAX_BYTES = 100_000_000


@dataclass(frozen=True, slots=True)
class Origin:
    """A source that is about to be read.

    Attributes:
        source: Path or URL: what the documents will say they are from.
        kind: What the bytes are; None if they have to say it themselves.
        max_bytes: More is refused. JSON Lines may be of any size.
        encoding: What the user says text is in; a page may say it too.
        charset: What a server said text is in; believed last, since servers often say it of every
            page alike.
    """

    source: str
    kind: Kind | None = None
    max_bytes: int = MAX_BYTES
    encoding: str | None = None
    charset: str | None = None

    def too_large(self) -> UnreadableSourceError:
        """Return the error of a source with more bytes than that."""
        reason = f"more than {self.max_bytes} bytes; split it"
        return UnreadableSourceError(self.source, reason, trouble="too_large")
