"""A measurement as a file: every question with what came of it, and the scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from eval.errors import ResultsError
from eval.measures import MEASURES, Score, latencies, scores
from eval.outcome import Outcome

FILE = "results.json"


@dataclass(frozen=True, slots=True)
class About:
    """Where the numbers come from.

    Attributes:
        set: Name of the set of questions.
        made: When, UTC.
        wenqu: Version.
        model: Id of the embedder, or the address of the server that was asked.
        machine: What it ran on.
        documents: How many.
        passages: How many; 0 if a server was asked.
        seconds: How long the asking took.
        seed: Of the resampling.
    """

    set: str
    made: str
    wenqu: str
    model: str
    machine: str
    documents: int
    passages: int
    seconds: float
    seed: int


@dataclass(frozen=True, slots=True)
class Results:
    """One run.

    Attributes:
        format: Of the file. Another one is not read.
        about: Where the numbers come from.
        scores: Of each measure and split.
        outcomes: Of each question, in the order they were asked.
    """

    format: Literal[1]
    about: About
    scores: tuple[Score, ...]
    outcomes: tuple[Outcome, ...]


_RESULTS = TypeAdapter(Results)


def results(about: About, outcomes: Sequence[Outcome]) -> Results:
    """Score the outcomes, each split apart."""
    measures = (*MEASURES, *latencies(outcomes))
    found = [
        score
        for split in splits(outcomes)
        for score in scores(
            [outcome for outcome in outcomes if outcome.question.split == split],
            measures,
            split=split,
            seed=about.seed,
        )
    ]
    return Results(1, about, tuple(found), tuple(outcomes))


def splits(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the names of the splits that the outcomes belong to, `tune` before `test`."""
    return sorted({outcome.question.split for outcome in outcomes}, reverse=True)


def save(run: Results, path: Path) -> None:
    """Write a run to a file.

    Raises:
        OSError: It cannot be written.
    """
    path.write_bytes(_RESULTS.dump_json(run, indent=1) + b"\n")


def load(path: Path) -> Results:
    """Read what `save` wrote.

    Raises:
        ResultsError: It cannot be read, or is no file of results of this format.
    """
    try:
        return _RESULTS.validate_json(path.read_bytes())
    except OSError as error:
        raise ResultsError(path, error.strerror or str(error)) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "it"
        raise ResultsError(path, f"{where}: {first['msg']}") from error
