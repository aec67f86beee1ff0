"""One measurement from the wish to the results."""

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import ExtraNotInstalledError
from bot.runtime import OpenRuntime
from bot.settings import Settings
from corpus.document import Document
from corpus.read import read
from eval.bundled import bundled
from eval.errors import QuestionSetError
from eval.folder import folder_set
from eval.indexing import apart, bot_over
from eval.outcome import Outcome
from eval.questions import QuestionSet, of_split, sampled
from eval.results import About, Results, results
from eval.run import LocalRespondent, Respondent, ask_all
from index.embed import Progress

if TYPE_CHECKING:  # needs an extra
    from eval.remote import RemoteRespondent

ASKING = "提问"
"""The stage of the progress in which questions are asked."""
_TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be measured.

    Attributes:
        data: Folder of a set; the bundled questions if None.
        split: `train`, `tune`, `test`, or empty for all.
        limit: At most so many conversations.
        seed: Of the sample and of the resampling.
        base: Address of a server to be asked instead of the bot in this process.
        collection: Of that server.
    """

    data: Path | None = None
    split: str = ""
    limit: int | None = None
    seed: int = 0
    base: str = ""
    collection: str = ""


def measure(
    wish: Wish, settings: Settings, open_runtime: OpenRuntime, progress: Progress
) -> Results:
    """Ask what is wished and score what comes back.

    Raises:
        QuestionSetError: The set cannot be used.
        ServerError: The server does not answer as it should.
        ModelError: The model cannot be used.
    """
    questions = question_set(wish)
    if wish.base:
        with _server(wish) as server:
            questions = server.known(questions)
            outcomes, seconds = _timed(questions, server, progress)
        return _results(questions, outcomes, wish, seconds=seconds, model=wish.base, passages=0)
    runtime = open_runtime(apart(settings), progress=progress)
    try:
        bot = bot_over(runtime, questions, progress)
        generation = bot.library.generation()
        passages = generation.manifest.passages if generation else 0
        outcomes, seconds = _timed(questions, LocalRespondent(bot), progress)
    finally:
        runtime.close()
    model = runtime.embedder.id
    return _results(questions, outcomes, wish, seconds=seconds, model=model, passages=passages)


def question_set(wish: Wish) -> QuestionSet:
    """Return the questions that are wished.

    Raises:
        QuestionSetError: There are none, or the set cannot be used.
    """
    questions = folder_set(wish.data) if wish.data else bundled(_texts())
    if wish.split:
        questions = of_split(questions, wish.split)
    if wish.limit:
        questions = sampled(questions, wish.limit, seed=wish.seed)
    if not questions.conversations:
        reason = f"no question in it, or none of the split {wish.split!r}"
        raise QuestionSetError(wish.data or questions.name, reason)
    return questions


def _texts() -> list[Document]:
    with as_file(files("corpus") / "texts") as folder:
        return [found for found in read(folder) if isinstance(found, Document)]


@contextmanager
def _server(wish: Wish) -> Iterator["RemoteRespondent"]:
    try:
        import httpx2  # noqa: PLC0415  # an extra

        from eval.remote import RemoteRespondent  # noqa: PLC0415  # needs it
    except ImportError as error:
        raise ExtraNotInstalledError(library="httpx2", extra="eval") from error
    with httpx2.Client(base_url=wish.base, timeout=_TIMEOUT_SECONDS) as client:
        yield RemoteRespondent(client, wish.collection)


def _timed(
    questions: QuestionSet, respondent: Respondent, progress: Progress
) -> tuple[list[Outcome], float]:
    started = time.monotonic()
    outcomes = ask_all(questions, respondent, lambda done, total: progress(ASKING, done / total))
    return outcomes, time.monotonic() - started


def _results(
    questions: QuestionSet,
    outcomes: list[Outcome],
    wish: Wish,
    *,
    seconds: float,
    model: str,
    passages: int,
) -> Results:
    about = About(
        set=questions.name,
        made=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        wenqu=version("wenqu"),
        model=model,
        machine=f"{platform.machine()}, {os.cpu_count()} CPU, Python {platform.python_version()}",
        documents=len(questions.documents),
        passages=passages,
        seconds=round(seconds, 1),
        seed=wish.seed,
    )
    return results(about, outcomes)
