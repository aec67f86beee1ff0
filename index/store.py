"""Generations: an index on disk is a folder that never changes once it is in place.

A new state is a new folder. It is written under a name that nobody reads, flushed to the disk,
and renamed. Which generation answers is said by the database, in the transaction that also
changes the documents (see `index.library`): the two cannot disagree.

The same rows make the same generation, under the same name: see `index.manifest`.

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
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from corpus.words import Segmenter
from index.arrays import SUFFIX, read_array, write_array
from index.build import Known
from index.canary import Canary
from index.dense import EXACT_UP_TO, Dense
from index.embed import Embedder, Vectors
from index.errors import CorruptIndexError, ModelMismatchError
from index.gazetteer import Gazetteer
from index.lexical import Bags, Lexical
from index.manifest import (
    FORMAT,
    MANIFEST,
    Manifest,
    flush,
    measure,
    name_of,
    read_manifest,
    read_verified,
)
from index.rows import LINES, PASSAGES, PassageTable, Row, keys_hash, write_rows
from index.search import HybridIndex

_DENSE = "dense.faiss"
_GAZETTEER = "gazetteer.json"
_UNFINISHED = ".tmp-"
_LONGEST_REASON = 200

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Generation:
    """An opened generation, all of it in memory: what happens to its files does not matter.

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

    def known(self) -> Known:
        """Return what the next generation need not work out again."""
        keys = [self.rows[at].key for at in range(len(self.rows))]
        return Known(keys, self.index.dense, self.bags)


def write_generation(
    root: Path,
    rows: Sequence[Row],
    vectors: Vectors,
    bags: Bags,
    *,
    embedder: str,
    segmenter: str,
    exact_up_to: int = EXACT_UP_TO,
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
        exact_up_to: Rows up to which every vector is compared.

    Raises:
        ValueError: The three do not have the same number of rows.
        OSError: The disk is full or cannot be written; nothing is left behind.
    """
    if not len(rows) == len(vectors) == len(bags):
        message = f"{len(rows)} rows, {len(vectors)} vectors, {len(bags)} bags"
        raise ValueError(message)
    root.mkdir(parents=True, exist_ok=True)
    folder = root / f"{_UNFINISHED}{secrets.token_hex(8)}"
    folder.mkdir()
    try:
        dense = Dense.build(vectors, exact_up_to=exact_up_to)
        write_rows(folder, rows)
        dense.save(folder / _DENSE)
        Gazetteer.collect(rows).save(folder / _GAZETTEER)
        _write_arrays(folder, "bags", bags)
        _write_arrays(folder, "lexical", Lexical.build(bags))
        files = {path.name: measure(path) for path in sorted(folder.iterdir())}
        manifest = Manifest(
            format=FORMAT,
            embedder=embedder,
            segmenter=segmenter,
            dimension=vectors.shape[1],
            passages=len(rows),
            documents=len({row.passage.document_id for row in rows}),
            dense=dense.kind,
            keys=keys_hash(row.key for row in rows),
            canary=Canary.of(dense),
            files=files,
        ).to_bytes()
        for file in files:
            flush(folder / file)
        (folder / MANIFEST).write_bytes(manifest)
        flush(folder / MANIFEST)
        return place(folder, root / name_of(manifest))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def place(folder: Path, target: Path) -> str:
    """Rename a finished folder to its name, in place of what may be there, and return the name.

    What is there has the same bytes, or is damaged.
    """
    flush(folder)
    replaced = target.with_name(f"{_UNFINISHED}{secrets.token_hex(8)}")
    if target.exists():
        target.rename(replaced)
    folder.rename(target)
    flush(target.parent)
    shutil.rmtree(replaced, ignore_errors=True)
    return target.name


def open_generation(
    root: Path, name: str, *, embedder: Embedder, segmenter: Segmenter
) -> Generation:
    """Verify and open the generation `name` below `root`.

    Raises:
        CorruptIndexError: A file is missing or is not what the manifest says.
        ModelMismatchError: It was made with another model or another dictionary.
    """
    files = _Files.open(root / name, embedder, segmenter)
    rows, dense, bags = files.rows(), files.dense(), files.bags()
    gazetteer, lexical = files.gazetteer(), files.lexical(len(bags))
    counts = {len(rows), len(dense), len(bags), files.manifest.passages}
    if len(counts) > 1:
        raise CorruptIndexError(root / name, f"its parts have {sorted(counts)} passages")
    index = HybridIndex(rows, dense, lexical, embedder, segmenter, gazetteer)
    return Generation(name, files.manifest, index, rows, bags)


def salvage(
    root: Path, name: str, keys: Sequence[str], *, embedder: Embedder, segmenter: Segmenter
) -> Known:
    """Return what can still be used of a generation, damaged or not; it may be nothing.

    Args:
        root: Folder of the collection's generations.
        name: Of the generation.
        keys: Of the rows that it may have been made of. If it was, as its manifest can tell, it
            does not matter whether its own passages are damaged.
        embedder: Makes vectors; those of another are not used.
        segmenter: Likewise.
    """
    nothing = Known(())
    try:
        files = _Files.open(root / name, embedder, segmenter)
    except (CorruptIndexError, ModelMismatchError):
        return nothing
    if files.manifest.keys != keys_hash(keys):
        try:
            rows = files.rows()
        except CorruptIndexError:
            return nothing
        keys = [rows[at].key for at in range(len(rows))]
    dense, bags = None, None
    with suppress(CorruptIndexError):
        dense = files.dense()
    with suppress(CorruptIndexError):
        bags = files.bags()
    if len(keys) != files.manifest.passages or (bags and len(bags) != len(keys)):
        return nothing
    return Known(keys, dense, bags)


class _Files:
    """The parts of a generation, each read and verified when it is asked for."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder = folder
        self.manifest = manifest

    @classmethod
    def open(cls, folder: Path, embedder: Embedder, segmenter: Segmenter) -> "_Files":
        manifest = read_manifest(folder, _FILES)
        if manifest.embedder != embedder.id or manifest.dimension != embedder.dimension:
            raise ModelMismatchError(manifest.embedder, embedder.id)
        if manifest.segmenter != segmenter.id:
            raise ModelMismatchError(manifest.segmenter, segmenter.id)
        return cls(folder, manifest)

    def rows(self) -> PassageTable:
        return self._loaded(PASSAGES, LINES, load=PassageTable.load)

    def dense(self) -> Dense:
        told = self.manifest
        dense = self._loaded(
            _DENSE,
            load=lambda data: Dense.load(
                data, kind=told.dense, rows=told.passages, dimension=told.dimension
            ),
        )
        wrong = told.canary.wrong(dense) if told.canary else ""
        if wrong:
            raise CorruptIndexError(self._folder, f"{_DENSE}: {wrong}")
        return dense

    def gazetteer(self) -> Gazetteer:
        return self._loaded(_GAZETTEER, load=Gazetteer.load)

    def bags(self) -> Bags:
        files = _array_files("bags", Bags)
        return self._loaded(*files, load=lambda *data: Bags(**_arrays(Bags, data)))

    def lexical(self, size: int) -> Lexical:
        files = _array_files("lexical", Lexical)
        return self._loaded(*files, load=lambda *data: Lexical(size=size, **_arrays(Lexical, data)))

    def _loaded(self, *names: str, load: Callable[..., _T]) -> _T:
        """Verify files and load what they hold; whatever fails is damage."""
        entries = self.manifest.files
        data = [read_verified(self._folder / name, entries[name]) for name in names]
        try:
            return load(*data)
        except (ValueError, TypeError, KeyError, RuntimeError, MemoryError) as error:
            said = (str(error) or type(error).__name__).splitlines()[-1][:_LONGEST_REASON]
            raise CorruptIndexError(self._folder, f"{', '.join(names)}: {said}") from error


def verified_files(root: Path, name: str) -> list[Path]:
    """Return the files of a generation, each looked through, the manifest last.

    Raises:
        CorruptIndexError: One is missing or is not what was written.
    """
    folder = root / name
    manifest = read_manifest(folder, _FILES)
    for file, entry in manifest.files.items():
        read_verified(folder / file, entry)
    return [*(folder / file for file in sorted(manifest.files)), folder / MANIFEST]


def generations(root: Path) -> list[str]:
    """Return the names of the generations below `root`, whole or damaged."""
    return sorted(path.name for path in root.glob("g-*"))


def prune(root: Path, keep: Sequence[str]) -> None:
    """Remove the generations that are not in `keep`, and what a crash left unfinished."""
    if not root.is_dir():
        return
    for folder in root.iterdir():
        if folder.name.startswith(("g-", _UNFINISHED)) and folder.name not in keep:
            shutil.rmtree(folder, ignore_errors=True)


def _array_names(kind: type[Bags | Lexical]) -> list[str]:
    return [field.name for field in fields(kind) if field.name != "size"]


def _array_files(part: str, kind: type[Bags | Lexical]) -> list[str]:
    return [f"{part}.{name}{SUFFIX}" for name in _array_names(kind)]


_FILES = frozenset(
    [
        PASSAGES,
        LINES,
        _DENSE,
        _GAZETTEER,
        *_array_files("bags", Bags),
        *_array_files("lexical", Lexical),
    ]
)


def _write_arrays(folder: Path, part: str, arrays: Bags | Lexical) -> None:
    kind = type(arrays)
    for file, name in zip(_array_files(part, kind), _array_names(kind), strict=True):
        write_array(folder / file, getattr(arrays, name))


def _arrays(kind: type[Bags | Lexical], data: Sequence[bytes]) -> dict[str, Any]:
    return dict(zip(_array_names(kind), map(read_array, data), strict=True))
