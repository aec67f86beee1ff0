"""What is counted on the way to an answer; `bot.api.metrics` does it for Prometheus."""

from typing import Literal, Protocol, TypeAlias

from bot.answer import Answer
from bot.errors import Fallback

Outcome: TypeAlias = Literal["ok", "left"] | Fallback
"""How a call to a language model went; left: nobody wanted more of it."""
Verdict: TypeAlias = Literal["kept", "dropped", "marked"]
"""What became of a sentence that a model wrote."""


class Counters(Protocol):
    """Counts. Labels are closed sets."""

    def count_answer(self, answer: Answer) -> None:
        """Count an answer."""

    def count_llm_call(self, outcome: Outcome) -> None:
        """Count a call to a language model."""

    def count_sentence(self, verdict: Verdict) -> None:
        """Count a sentence of a language model."""
