"""Embeds, stores and searches passages."""

from index.embed import Embedder, Vectors
from index.hit import Hit
from index.stopwatch import Stopwatch

__all__ = ["Embedder", "Hit", "Stopwatch", "Vectors"]
