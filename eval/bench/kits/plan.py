"""Which measurements a run has, in an order that treats all stacks alike."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from eval.bench.kits.ledger import Job
from eval.bench.kits.recipe import BARE, KITS, OURS, STACKS

GRAPH = "llamaindex+hnsw"
"""LlamaIndex with a graph where its documentation has a flat index: from this size on."""
GRAPH_FROM = 50_000
SLOW = "haystack"
"""Scores every passage in Python, seconds a query there, and minutes to load: left out."""
SERVED = (OURS, *KITS)


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured.

    Attributes:
        sizes: Of the made-up corpora, in passages.
        rounds: Of each measurement.
        documents: Of each set, at most.
        questions: Asked of each set, at most.
        queries: Timed at each size, at most.
        seconds: For the queries of a job, and for each number of clients.
        ingested: Passages that are embedded, and that come with vectors.
        sets: Names of those whose quality is measured; the last that is there is served.
    """

    sizes: tuple[int, ...]
    rounds: int
    documents: int
    questions: int
    queries: int
    seconds: float
    ingested: tuple[int, int]
    sets: tuple[str, ...]


FULL = Extent(
    (1_000, 10_000, 100_000), 3, 250, 300, 100, 4, (40, 2_000), ("cmrc_trial", "drcd_dev")
)
QUICK = Extent((1_000,), 1, 2, 40, 40, 2, (16, 500), ("bundled",))


def jobs(extent: Extent, sets: Sequence[str]) -> Iterator[Job]:
    """Yield the jobs: indexes, quality, then rounds in which every stack has its turn.

    Args:
        extent: How much.
        sets: Those of `extent.sets` that are there.
    """
    yield from _once(extent, sets)
    for turn in range(extent.rounds):
        for measure, case, stacks in _timed(extent, turn):
            for stack in _rotated(stacks, turn):
                if turn == 0 or stack not in SLOW or not case.startswith(f"{GRAPH_FROM}"):
                    yield Job(measure, case, stack, turn)


def _once(extent: Extent, sets: Sequence[str]) -> Iterator[Job]:
    for name in sets:
        yield Job("embed", name, "model")
    for stack in STACKS:
        yield Job("build", "served", stack)
    for size in extent.sizes:
        for stack in _stacks(size):
            yield Job("build", str(size), stack)
    for name in sets:
        for stack in STACKS:
            yield Job("quality", name, stack)


def _timed(extent: Extent, turn: int) -> Iterator[tuple[str, str, Sequence[str]]]:
    yield "cold", "served", STACKS
    yield "chat", "served", (OURS,)
    for size in extent.sizes:
        yield "query", f"{size}/given", _stacks(size)
        if turn == 0 or size == min(extent.sizes):  # the model takes as long at any size
            yield "query", f"{size}/model", _stacks(size)
    for way in ("given", "model"):
        yield "ingest", way, STACKS
    yield "load", "served", SERVED


def _stacks(size: int) -> tuple[str, ...]:
    if size < GRAPH_FROM:
        return STACKS
    return tuple(stack for stack in (*STACKS, GRAPH) if stack != SLOW)


def _rotated(stacks: Sequence[str], turn: int) -> Sequence[str]:
    first = turn % len(stacks)
    return (*stacks[first:], *stacks[:first])


LABELS: Mapping[str, str] = {
    OURS: "wenqu",
    BARE: "bare (faiss + bm25s)",
    "langchain": "LangChain",
    "llamaindex": "LlamaIndex",
    GRAPH: "LlamaIndex, HNSW",
    "haystack": "Haystack",
}
