"""What a collection holds and how its index is made, for whoever runs the service."""

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bot.catalogue import describe
from bot.problems import problem_of
from bot.runtime import Runtime
from bot.wire import Json
from index.manifest import MANIFEST
from index.store import Generation


def overview(runtime: Runtime, collection: str) -> Json:
    """Return the state of a collection, and which others there are.

    An index that cannot be opened is told as `problem`: to see that is what this is for.
    """
    known = runtime.collections()
    infos = describe(runtime.database, collection).values()
    changed = known.get(collection)
    return {
        "version": version("wenqu"),
        "collection": collection,
        "collections": sorted({*known, runtime.collection}),
        "documents": len(infos),
        "characters": sum(info.characters for info in infos),
        "changed_at": f"{changed:%Y-%m-%dT%H:%M:%SZ}" if changed else None,
        "stores_conversations": runtime.settings.store_conversations,
        "retention_days": runtime.settings.retention_days,
        **_index(runtime, collection),
    }


def _index(runtime: Runtime, collection: str) -> Json:
    try:
        generation = runtime.bot(collection).library.generation()
    except Exception as error:  # noqa: BLE001  # whatever it is, this is where it is told
        return {"index": None, "problem": problem_of(error).detail}
    folder = runtime.settings.indexes / collection
    return {"index": _generation(generation, folder) if generation else None, "problem": None}


def _generation(generation: Generation, folder: Path) -> Json:
    manifest = generation.manifest
    made = (folder / generation.name / MANIFEST).stat().st_mtime
    return {
        "generation": generation.name,
        "made_at": f"{datetime.fromtimestamp(made, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "passages": manifest.passages,
        "model": manifest.embedder,
        "dictionary": manifest.segmenter,
        "dimension": manifest.dimension,
        "dense": manifest.dense,
        "bytes": sum(entry.size for entry in manifest.files.values()),
    }
