"""Generations: an index on disk is a folder that never changes once it is in place.

A new state is a new folder. It is written under a name that nobody reads, flushed to the disk,
and renamed. Which generation answers is said by the database, in the transaction that also
changes the documents (see `index.library`): the two cannot disagree.

    <root>/<generation>/
        manifest.json           format, model, counts, size and SHA-256 of each other file
        passages.jsonl          a passage a line
        lines.npy               offset of each of those lines
        dense.faiss             vectors
        gazetteer.json         names that the texts use
        bags.*.npy lexical.*.npy
"""

import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from corpus.words import Segmenter
from index.dense import Dense
from index.embed import Embedder, Vectors
from index.errors import CorruptIndexError, ModelMismatchError
from index.gazetteer import Gazetteer
from index.lexical import Bags, Lexical
from index.manifest import MANIFEST, Manifest, flush, measure, read_manifest, verify
from index.rows import LINES, PASSAGES, PassageTable, Row, write_rows
from index.search import HybridIndex

_DENSE = "dense.faiss"
_GAZETTEER = "gazetteer.json"
_UNFINISHED = ".tmp-"


@dataclass(frozen=True, slots=True)
class Generation:
    """An opened generation.

    Attributes:
        name: Of its folder.
        manifest: As it was written.
        index: To be searched.
        rows: The same passages with titles and keys.
        bags: Term counts, to be reused by the next generation.
    """

    name: str
    manifest: Manifest
    index: HybridIndex
    rows: PassageTable
    bags: Bags


def write_generation(
    root: Path,
    rows: Sequence[Row],
    vectors: Vectors,
    bags: Bags,
    *,
    embedder: str,
    segmenter: str,
) -> str:
    """Write a generation below `root` and return its name.

    After a crash at any point there is either the whole folder or none that will be read.

    Args:
        root: Folder of the collection's generations; made if absent.
        rows: Passages, in the order in which ties are broken.
        vectors: Shape (len(rows), dimension).
        bags: One text a row.
        embedder: `Embedder.id` of what made the vectors.
        segmenter: `Segmenter.id` of what made the bags.

    Raises:
        ValueError: The three do not have the same number of rows.
        OSError: The disk is full or cannot be written; nothing is left behind.
    """
    if not len(rows) == len(vectors) == len(bags):
        message = f"{len(rows)} rows, {len(vectors)} vectors, {len(bags)} bags"
        raise ValueError(message)
    root.mkdir(parents=True, exist_ok=True)
    name = f"g-{secrets.token_hex(8)}"
    folder = root / f"{_UNFINISHED}{name}"
    folder.mkdir()
    try:
        dense = Dense.build(vectors)
        write_rows(folder, rows)
        dense.save(folder / _DENSE)
        Gazetteer.collect(rows).save(folder / _GAZETTEER)
        _write_arrays(folder, "bags", bags)
        _write_arrays(folder, "lexical", Lexical.build(bags))
        files = {path.name: measure(path) for path in sorted(folder.iterdir())}
        manifest = Manifest(
            format=1,
            embedder=embedder,
            segmenter=segmenter,
            dimension=vectors.shape[1],
            passages=len(rows),
            documents=len({row.passage.document_id for row in rows}),
            dense="HNSW" if dense.kind == "HNSW" else "Flat",
            files=files,
        )
        for file in files:
            flush(folder / file)
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
        flush(folder / MANIFEST)
        flush(folder)
        folder.rename(root / name)
        flush(root)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return name


def open_generation(
    root: Path, name: str, *, embedder: Embedder, segmenter: Segmenter
) -> Generation:
    """Verify and open the generation `name` below `root`.

    Raises:
        CorruptIndexError: A file is missing or is not what the manifest says.
        ModelMismatchError: It was made with another model or another dictionary.
    """
    folder = root / name
    manifest = read_manifest(folder, _FILES)
    if manifest.embedder != embedder.id or manifest.dimension != embedder.dimension:
        raise ModelMismatchError(manifest.embedder, embedder.id)
    if manifest.segmenter != segmenter.id:
        raise ModelMismatchError(manifest.segmenter, segmenter.id)
    for file, entry in manifest.files.items():
        verify(folder / file, entry)
    try:
        rows = PassageTable.load(folder)
        dense = Dense.load(folder / _DENSE)
        gazetteer = Gazetteer.load(folder / _GAZETTEER)
        bags = Bags(**_read_arrays(folder, "bags", Bags))
        lexical = Lexical(size=len(bags), **_read_arrays(folder, "lexical", Lexical))
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise CorruptIndexError(folder, str(error)) from error
    counts = {len(rows), len(dense), len(bags), manifest.passages}
    if len(counts) > 1 or dense.dimension != manifest.dimension:
        raise CorruptIndexError(folder, f"its parts have {sorted(counts)} passages")
    index = HybridIndex(rows, dense, lexical, embedder, segmenter, gazetteer)
    return Generation(name, manifest, index, rows, bags)


def prune(root: Path, keep: Sequence[str]) -> None:
    """Remove the generations that are not in `keep`, and what a crash left unfinished."""
    if not root.is_dir():
        return
    for folder in root.iterdir():
        if folder.name.startswith(("g-", _UNFINISHED)) and folder.name not in keep:
            shutil.rmtree(folder, ignore_errors=True)


def _array_names(kind: type[Bags | Lexical]) -> list[str]:
    return [field.name for field in fields(kind) if field.name != "size"]


_FILES = frozenset(
    [
        PASSAGES,
        LINES,
        _DENSE,
        _GAZETTEER,
        *(f"bags.{name}.npy" for name in _array_names(Bags)),
        *(f"lexical.{name}.npy" for name in _array_names(Lexical)),
    ]
)


def _write_arrays(folder: Path, kind: str, arrays: Bags | Lexical) -> None:
    for name in _array_names(type(arrays)):
        np.save(folder / f"{kind}.{name}.npy", getattr(arrays, name), allow_pickle=False)


def _read_arrays(folder: Path, kind: str, of: type[Bags | Lexical]) -> dict[str, Any]:
    return {
        name: np.load(folder / f"{kind}.{name}.npy", mmap_mode="r", allow_pickle=False)
        for name in _array_names(of)
    }
