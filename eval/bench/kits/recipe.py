"""What every stack does here, and how one is opened by its name."""

import importlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from index.embed import Vectors

CANDIDATES = 50
"""Passages that each retriever gives before they are fused; all stacks take as many."""

OURS, BARE = "wenqu", "bare"
KITS = ("langchain", "llamaindex", "haystack")
STACKS = (OURS, BARE, *KITS)
_BOUNDS = "。！？!?…\n"


class Words:
    """Words of a text by jieba, as the kits are given them.

    Made-up passages repeat their sentences. Cutting each sentence once builds large indexes
    sooner; no word reaches over the end of a sentence. Questions are cut each time.
    """

    def __init__(self, *, remember: bool = False) -> None:
        """Load the dictionary; `remember` is to be set to false before the clock runs."""
        import jieba  # noqa: PLC0415  # 0.7 s

        jieba.setLogLevel(logging.WARNING)
        self._cut: Callable[[str], list[str]] = jieba.lcut
        self._remembering = by_sentence(self._words)
        self.remember = remember

    def __call__(self, text: str) -> list[str]:
        """Return the words in lower case, without white space."""
        return self._remembering(text) if self.remember else self._words(text)

    def _words(self, text: str) -> list[str]:
        return [word for word in self._cut(text.lower()) if not word.isspace()]


def by_sentence(cut: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """Return a function that cuts alike, and each sentence once."""
    remembered = lru_cache(maxsize=None)(lambda sentence: tuple(cut(sentence)))

    def pieces(text: str) -> list[str]:
        found: list[str] = []
        start = 0
        for at, letter in enumerate(text, start=1):
            if letter in _BOUNDS or at == len(text):
                found.extend(remembered(text[start:at]))
                start = at
        return found

    return pieces


@dataclass(frozen=True, slots=True)
class Tools:
    """What a stack is given.

    Attributes:
        model: Folder of the embedding model, as sentence-transformers loads it.
        cut: Text to words, for BM25; wenqu cuts by itself.
        known: Question to its vector where embedding is left out; None if the model is to be used.
        remember: Whether wenqu is to cut each sentence once, as `cut` may do for the others.
    """

    model: Path
    cut: Callable[[str], list[str]]
    known: Mapping[str, Vectors] | None = None
    remember: bool = False


class Recipe(Protocol):
    """Hybrid search over passages, kept in a folder."""

    def build(self, texts: Sequence[str], vectors: Vectors | None, folder: Path) -> None:
        """Index `texts` and keep the index in `folder`.

        Args:
            texts: Passages, each different.
            vectors: One a text; embedded by the model if None.
            folder: Empty.
        """

    def load(self, folder: Path) -> None:
        """Get ready to search what was built into `folder`, by this process or another."""

    def search(self, question: str, k: int) -> list[int]:
        """Return the places of at most `k` passages among those built, best first."""


def open_recipe(stack: str, tools: Tools) -> Recipe:
    """Return the recipe of a stack; nothing but its own libraries is imported.

    Raises:
        ValueError: There is no such stack.
    """
    base, _, way = stack.partition("+")
    if base not in STACKS:
        message = f"{stack!r} is no stack: expected one of {', '.join(STACKS)}"
        raise ValueError(message)
    module = importlib.import_module(f"eval.bench.kits.{base}_recipe")
    recipe: Recipe = module.Hnsw(tools) if way else module.Hybrid(tools)
    return recipe
