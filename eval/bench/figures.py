"""What a run against faults came to: a line of the table that `eval.bench.reliability` prints."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One number.

    Attributes:
        case: Of docs/reliability.md, such as `R1`.
        what: Was done, with how often: `200 kills during ingest`.
        value: What came of it: `200 recovered, 0 documents lost`.
        held: Whether the promise was kept.
        seconds: On the clock.
    """

    case: str
    what: str
    value: str
    held: bool
    seconds: float
