"""An index over the documents of a set, made once and kept."""

import hashlib
import inspect
import re
from types import ModuleType

from bot.bot import Bot
from bot.runtime import Runtime
from bot.settings import Settings
from corpus import chunk, fold, sentences, words
from eval.questions import QuestionSet
from index import build, dense, gazetteer, lexical, rows, store
from index.embed import Progress

# A change of one of these changes the index of the same documents with the same model.
_SHAPING: tuple[ModuleType, ...] = (
    build, chunk, dense, fold, gazetteer, lexical, rows, sentences, store, words,
)  # fmt: skip


def apart(settings: Settings) -> Settings:
    """Return settings whose indexes and database are apart from those of the user."""
    return settings.model_copy(update={"data": settings.data / "eval", "database_url": ""})


def bot_over(runtime: Runtime, questions: QuestionSet, progress: Progress | None = None) -> Bot:
    """Return a bot that knows the documents of a set and no others.

    What was indexed before is used again, unless the model, the dictionary or the code that
    shapes an index has changed.

    Raises:
        ModelError: The model cannot be used.
        OSError: The disk is full or cannot be written.
    """
    library = runtime.library(collection_name(questions.name))
    mark = runtime.settings.indexes / f"{library.collection}.made-with"
    made_with = _fingerprint(runtime)
    fresh = not mark.exists() or mark.read_text(encoding="utf-8") != made_with
    wanted = {document.id for document in questions.documents}
    known = {info.id for info in library.documents()}
    library.ingest(questions.documents, rebuild=fresh and bool(known), progress=progress)
    if known - wanted:
        library.delete(sorted(known - wanted), progress=progress)
    mark.write_text(made_with, encoding="utf-8")
    return Bot(library, runtime.reader, frozenset(runtime.settings.reader))


def collection_name(name: str) -> str:
    """Return the collection of a set: its name, as far as a collection may have it."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:40]
    if plain == name:
        return plain
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _fingerprint(runtime: Runtime) -> str:
    code = "".join(inspect.getsource(module) for module in _SHAPING)
    seen = [runtime.embedder.id, runtime.segmenter.id, code]
    return hashlib.sha256("\0".join(seen).encode()).hexdigest()
