"""Reading: where in a passage the answer to a question stands, and whether it stands there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from index.hit import Hit

Floats: TypeAlias = NDArray[np.float32]

LONGEST = 48
"""Tokens of a span, about 70 characters: what is longer is a sentence, and quoted as one."""


@dataclass(frozen=True, slots=True)
class Span:
    """Words of a passage: `passage.text[start:end]`, with the probability that they answer."""

    start: int
    end: int
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What the reader makes of one passage.

    Attributes:
        places: Shape (tokens, 2), start and end of each token in the passage's text.
        starts: Shape (tokens,), the probability that the answer begins with a token; they and
            `absent` sum to 1.
        ends: Shape (tokens,), likewise for its last token.
        absent: The probability that the answer is not in the passage.
        relevance: The probability that the passage answers, learnt apart from the span.
    """

    places: NDArray[np.int64]
    starts: Floats
    ends: Floats
    absent: float
    relevance: float

    def best(self) -> Span | None:
        """Return the most probable span, None for a passage without words."""
        if not len(self.starts):
            return None
        joint = np.triu(np.outer(self.starts, self.ends))
        joint = joint - np.triu(joint, LONGEST)
        first, last = np.unravel_index(int(joint.argmax()), joint.shape)
        probability = float(joint[first, last])
        return Span(int(self.places[first, 0]), int(self.places[last, 1]), probability)

    def within(self, start: int, end: int) -> float:
        """Return the probability that the answer begins between two offsets of the text."""
        inside = (self.places[:, 0] >= start) & (self.places[:, 0] < end)
        return float(self.starts[inside].sum())


class Reader(Protocol):
    """Reads passages with a question in mind. Safe to use from many threads."""

    def read(self, question: str, hits: Sequence[Hit]) -> list[Reading]:
        """Read the passage of each hit, in order.

        Args:
            question: That stands alone.
            hits: Passages with their titles.
        """
