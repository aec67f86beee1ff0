import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from corpus.document import Document
from corpus.words import Segmenter
from index.errors import CorruptIndexError, ModelMismatchError
from index.lexical import Bags
from index.rows import rows_of, search_text
from index.store import Generation, open_generation, prune, write_generation
from index.testing import CharEmbedder

DOCUMENT = Document(id="猫", title="猫", text="猫在睡觉。\n\n𠮷野家。", source="猫.md")
EMBEDDER = CharEmbedder("猫狗")


def write(root: Path, segmenter: Segmenter, documents: list[Document]) -> str:
    rows = [row for document in documents for row in rows_of(document)]
    texts = [search_text(row.title, row.passage.headings, row.passage.text) for row in rows]
    return write_generation(
        root,
        rows,
        EMBEDDER.encode_passages(texts),
        Bags.count(segmenter.terms(text) for text in texts),
        embedder=EMBEDDER.id,
        segmenter=segmenter.id,
    )


def opened(root: Path, name: str, segmenter: Segmenter) -> Generation:
    return open_generation(root, name, embedder=EMBEDDER, segmenter=segmenter)


def test_what_was_written_is_read_back(tmp_path: Path, segmenter: Segmenter) -> None:
    generation = opened(tmp_path, write(tmp_path, segmenter, [DOCUMENT]), segmenter)
    assert [generation.rows[at] for at in range(len(generation.rows))] == rows_of(DOCUMENT)
    assert generation.index.search("猫")[0].passage.document_id == "猫"
    assert generation.manifest.documents == 1


def test_an_index_of_nothing_can_be_written_and_searched(
    tmp_path: Path, segmenter: Segmenter
) -> None:
    generation = opened(tmp_path, write(tmp_path, segmenter, []), segmenter)
    assert generation.index.search("猫") == []


def damage(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    how = chance.choice(["flip", "cut", "empty", "append"])
    if how == "flip" and data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    elif how == "cut" and data:
        del data[chance.randrange(len(data)) :]
    elif how == "empty" and data:
        data.clear()
    else:
        data.append(0)
    path.write_bytes(data)


@pytest.mark.parametrize("seed", range(40))
def test_every_damaged_file_is_noticed_before_it_is_used(
    tmp_path: Path, segmenter: Segmenter, seed: int
) -> None:
    chance = random.Random(seed)
    name = write(tmp_path, segmenter, [DOCUMENT])
    files = sorted(path for path in (tmp_path / name).iterdir() if path.name != "manifest.json")
    victim = files[seed % len(files)]
    damage(victim, chance)
    with pytest.raises(CorruptIndexError, match=rf"is damaged: {victim.name}.*--rebuild"):
        opened(tmp_path, name, segmenter)


def test_a_missing_file_and_swapped_files_are_noticed(tmp_path: Path, segmenter: Segmenter) -> None:
    name = write(tmp_path, segmenter, [DOCUMENT])
    folder = tmp_path / name
    one, other = folder / "lexical.rows.npy", folder / "lexical.weights.npy"
    kept = one.read_bytes()
    shutil.copy(other, one)
    with pytest.raises(CorruptIndexError, match=r"lexical\.rows\.npy"):
        opened(tmp_path, name, segmenter)
    one.write_bytes(kept)
    (folder / "dense.faiss").unlink()
    with pytest.raises(CorruptIndexError, match=r"dense\.faiss cannot be read"):
        opened(tmp_path, name, segmenter)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": 2}, "manifest.json: format"),
        ({"passages": -1}, "manifest.json: passages"),
        ({"passages": "2"}, "manifest.json: passages"),
        ({"passages": 7}, "its parts have"),
        ({"files": {"../x": {"size": 1, "sha256": ""}}}, r"names \['../x'\]"),
        ({"more": 1}, "manifest.json: more"),
    ],
)
def test_a_manifest_that_is_not_ours_is_refused(
    tmp_path: Path, segmenter: Segmenter, change: dict[str, object], says: str
) -> None:
    name = write(tmp_path, segmenter, [DOCUMENT])
    manifest = tmp_path / name / "manifest.json"
    data = json.loads(manifest.read_text(encoding="utf-8")) | change
    manifest.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(CorruptIndexError, match=says):
        opened(tmp_path, name, segmenter)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\x80\x04K\x01.", b" " * 1_000_001])
def test_a_manifest_that_is_no_json_object_is_refused(
    tmp_path: Path, segmenter: Segmenter, content: bytes
) -> None:
    name = write(tmp_path, segmenter, [DOCUMENT])
    (tmp_path / name / "manifest.json").write_bytes(content)
    with pytest.raises(CorruptIndexError, match=r"manifest\.json"):
        opened(tmp_path, name, segmenter)


def test_another_model_or_dictionary_is_refused(tmp_path: Path, segmenter: Segmenter) -> None:
    name = write(tmp_path, segmenter, [DOCUMENT])
    with pytest.raises(ModelMismatchError, match="char:猫狗"):
        open_generation(tmp_path, name, embedder=CharEmbedder("鸟鱼"), segmenter=segmenter)
    with pytest.raises(ModelMismatchError, match="jieba"):
        opened(tmp_path, name, Segmenter(tmp_path / "jieba", ["新词"]))


def test_parts_of_different_length_are_never_written(tmp_path: Path, segmenter: Segmenter) -> None:
    with pytest.raises(ValueError, match="1 rows, 2 vectors, 1 bags"):
        write_generation(
            tmp_path,
            rows_of(DOCUMENT),
            np.eye(2, dtype=np.float32),
            Bags.count([[]]),
            embedder="",
            segmenter=segmenter.id,
        )


def test_pruning_keeps_what_it_is_told_and_what_is_not_its_own(
    tmp_path: Path, segmenter: Segmenter
) -> None:
    names = [write(tmp_path, segmenter, [DOCUMENT]) for _ in range(3)]
    (tmp_path / ".tmp-g-1").mkdir()
    (tmp_path / "notes").mkdir()
    prune(tmp_path, names[1:])
    assert {path.name for path in tmp_path.iterdir()} == {*names[1:], "notes"}
