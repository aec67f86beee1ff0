import io
import json
import os
import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from corpus.document import Document
from corpus.words import Segmenter
from index.errors import CorruptIndexError, ModelMismatchError
from index.lexical import Bags, Lexical
from index.manifest import MANIFEST, measure, name_of
from index.rows import Row, keys_hash, rows_of, search_text
from index.store import Generation, open_generation, prune, salvage, write_generation
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
    files = sorted((tmp_path / name).iterdir())
    victim = files[seed % len(files)]
    damage(victim, chance)
    with pytest.raises(CorruptIndexError, match=rf"is damaged: {victim.name}.*doctor --repair"):
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


def test_a_file_that_is_a_link_or_a_pipe_is_refused_and_not_waited_for(
    tmp_path: Path, segmenter: Segmenter
) -> None:
    name = write(tmp_path, segmenter, [DOCUMENT])
    file = tmp_path / name / "dense.faiss"
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CorruptIndexError, match=r"dense\.faiss cannot be read"):
        opened(tmp_path, name, segmenter)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(CorruptIndexError, match=r"dense\.faiss is no file"):
        opened(tmp_path, name, segmenter)


def forge(root: Path, name: str, change: Callable[[dict[str, object]], object]) -> str:
    """Change a manifest, and the name of its folder so that it fits."""
    manifest = root / name / MANIFEST
    data = json.loads(manifest.read_bytes())
    change(data)
    manifest.write_text(json.dumps(data), encoding="utf-8")
    forged = name_of(manifest.read_bytes())
    (root / name).rename(root / forged)
    return forged


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": 3}, r"manifest\.json: format"),
        ({"format": 1}, "format 1 with or without keys"),
        ({"canary": None}, "format 2 with or without"),
        ({"passages": -1}, r"manifest\.json: passages"),
        ({"passages": "2"}, r"manifest\.json: passages"),
        ({"passages": 7}, r"dense\.faiss: .* is \(1, 3, 0, True\), not \(7, 3, 0, True\)"),
        ({"dense": "HNSW"}, "type IndexFlatIP, HNSW is expected"),
        ({"files": {"../x": {"size": 1, "sha256": "0" * 64}}}, r"names \['../x'\]"),
        ({"files": {"/etc/passwd": {"size": 1, "sha256": "0" * 64}}}, "names"),
        ({"files": {}}, r"names \[\]"),
        ({"files": []}, r"manifest\.json: files"),
        ({"more": 1}, r"manifest\.json: more"),
    ],
)
def test_a_manifest_that_is_not_ours_is_refused(
    tmp_path: Path, segmenter: Segmenter, change: dict[str, object], says: str
) -> None:
    name = write(tmp_path, segmenter, [DOCUMENT])
    name = forge(tmp_path, name, lambda data: data.update(change))
    with pytest.raises(CorruptIndexError, match=says):
        opened(tmp_path, name, segmenter)


def test_a_manifest_is_known_by_the_name_of_its_folder(
    tmp_path: Path, segmenter: Segmenter
) -> None:
    name = write(tmp_path, segmenter, [DOCUMENT])
    forged = forge(tmp_path, name, lambda data: data.update(documents=2))
    assert opened(tmp_path, forged, segmenter).manifest.documents == 2
    (tmp_path / forged).rename(tmp_path / name)
    with pytest.raises(CorruptIndexError, match=r"manifest\.json is not what was written"):
        opened(tmp_path, name, segmenter)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\x80\x04K\x01.", b" " * 1_000_001])
def test_a_manifest_that_is_no_json_object_is_refused(
    tmp_path: Path, segmenter: Segmenter, content: bytes
) -> None:
    name = write(tmp_path, segmenter, [DOCUMENT])
    (tmp_path / name / MANIFEST).write_bytes(content)
    with pytest.raises(CorruptIndexError, match=r"manifest\.json"):
        opened(tmp_path, name, segmenter)


class Payload:
    """Runs when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.mark,)


def pickled_array(payload: Payload) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([payload], dtype=object), allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize("wrap", [pickle.dumps, pickled_array])
def test_a_pickle_in_place_of_a_file_is_never_run(
    tmp_path: Path, segmenter: Segmenter, wrap: Callable[[Payload], bytes]
) -> None:
    mark = tmp_path / "ran"
    hostile = wrap(Payload(mark))
    first = write(tmp_path, segmenter, [DOCUMENT])
    for file in sorted(path.name for path in (tmp_path / first).iterdir()):
        forged = first
        if file != MANIFEST:
            forged = forged_file(tmp_path, segmenter, file, hostile)
        else:
            (tmp_path / write(tmp_path, segmenter, [DOCUMENT]) / file).write_bytes(hostile)
        with pytest.raises(CorruptIndexError, match="g-"):
            opened(tmp_path, forged, segmenter)
    assert not mark.exists()


def forged_file(root: Path, segmenter: Segmenter, file: str, data: bytes) -> str:
    """Write a generation and put `data` in place of a file, with a manifest that says so."""
    name = write(root, segmenter, [DOCUMENT])
    (root / name / file).write_bytes(data)
    entry = measure(root / name / file).model_dump()
    return forge(root, name, lambda found: found["files"].update({file: entry}))  # type: ignore[attr-defined]


def test_a_vector_that_is_not_the_one_written_is_found_behind_the_checksums(
    tmp_path: Path, segmenter: Segmenter
) -> None:
    name = write(tmp_path, segmenter, [DOCUMENT])
    data = bytearray((tmp_path / name / "dense.faiss").read_bytes())
    last = np.frombuffer(data[-4:], np.float32)[0]  # most characters are in the last column
    assert last > 0.9
    data[-4:] = np.float32(0.8 * last).tobytes()
    forged = forged_file(tmp_path, segmenter, "dense.faiss", bytes(data))
    with pytest.raises(CorruptIndexError, match="results of test searches are wrong"):
        opened(tmp_path, forged, segmenter)
    data[-4:] = np.float32(0.9999 * last).tobytes()
    forged = forged_file(tmp_path, segmenter, "dense.faiss", bytes(data))
    with pytest.raises(CorruptIndexError, match="vectors are not those that were written"):
        opened(tmp_path, forged, segmenter)


@pytest.mark.parametrize(
    ("head", "says"),
    [
        ("{'descr': '<i8', 'fortran_order': False, 'shape': (1099511627776,), }", "bytes"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "object"),
        ("{'descr': '<i8', 'fortran_order': True, 'shape': (1, 1), }", "row by row"),
        ("{'descr': '<i8', 'fortran_order': False, 'shape': (-1,), }", "row by row"),
        ("__import__('os').abort()", "lines.npy"),
    ],
)
def test_the_head_of_an_array_is_not_trusted(
    tmp_path: Path, segmenter: Segmenter, head: str, says: str
) -> None:
    data = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode() + bytes(8)
    forged = forged_file(tmp_path, segmenter, "lines.npy", data)
    with pytest.raises(CorruptIndexError, match=says):
        opened(tmp_path, forged, segmenter)


def test_what_happens_to_the_files_of_an_opened_generation_does_not_matter(
    tmp_path: Path, segmenter: Segmenter
) -> None:
    name = write(tmp_path, segmenter, [DOCUMENT])
    generation = opened(tmp_path, name, segmenter)
    before = generation.index.search("猫")
    for path in (tmp_path / name).iterdir():
        os.truncate(path, 0)
    assert generation.index.search("猫") == before
    assert generation.rows[0].passage.text == DOCUMENT.text
    assert len(generation.bags.pick([0, 0])) == 2


def test_the_same_rows_make_the_same_generation(tmp_path: Path, segmenter: Segmenter) -> None:
    first = write(tmp_path, segmenter, [DOCUMENT])
    (tmp_path / first / "dense.faiss").write_bytes(b"damaged")
    assert write(tmp_path, segmenter, [DOCUMENT]) == first
    assert opened(tmp_path, first, segmenter).index.search("猫")[0].passage.document_id == "猫"
    assert [path.name for path in tmp_path.iterdir()] == [first]


def test_a_generation_of_the_released_format_still_opens(
    tmp_path: Path, segmenter: Segmenter
) -> None:
    rows = rows_of(DOCUMENT)
    write_format_1(tmp_path / "g-0123456789abcdef", rows, segmenter)
    generation = opened(tmp_path, "g-0123456789abcdef", segmenter)
    assert (generation.manifest.format, len(generation.rows)) == (1, 1)
    assert generation.index.search("猫")[0].passage.document_id == "猫"
    (tmp_path / "g-0123456789abcdef").rename(tmp_path / name_of(b""))
    with pytest.raises(CorruptIndexError, match="not what was written"):
        opened(tmp_path, name_of(b""), segmenter)  # a name that says format 2


def write_format_1(folder: Path, rows: list[Row], segmenter: Segmenter) -> None:
    """Write a generation as version 0.1.0 did."""
    import faiss  # noqa: PLC0415

    folder.mkdir()
    texts = [search_text(row.title, row.passage.headings, row.passage.text) for row in rows]
    index = faiss.IndexFlatIP(EMBEDDER.dimension)
    index.add(EMBEDDER.encode_passages(texts))
    faiss.write_index(index, str(folder / "dense.faiss"))
    offsets = [0]
    with (folder / "passages.jsonl").open("wb") as file:
        for row in rows:
            data = {
                "document_id": row.passage.document_id,
                "start": row.passage.start,
                "end": row.passage.end,
                "text": row.passage.text,
                "headings": row.passage.headings,
                "title": row.title,
                "key": row.key,
            }
            line = json.dumps(data, ensure_ascii=False).encode() + b"\n"
            offsets.append(offsets[-1] + file.write(line))
    np.save(folder / "lines.npy", np.asarray(offsets, np.int64))
    (folder / "gazetteer.json").write_text('{"猫": "title"}', encoding="utf-8")
    bags = Bags.count(segmenter.terms(text) for text in texts)
    lexical = Lexical.build(bags)
    for name in ("bounds", "terms", "counts"):
        np.save(folder / f"bags.{name}.npy", getattr(bags, name))
    for name in ("terms", "bounds", "rows", "weights"):
        np.save(folder / f"lexical.{name}.npy", getattr(lexical, name))
    files = {path.name: measure(path).model_dump() for path in folder.iterdir()}
    manifest = {
        "format": 1,
        "embedder": EMBEDDER.id,
        "segmenter": segmenter.id,
        "dimension": EMBEDDER.dimension,
        "passages": len(rows),
        "documents": 1,
        "dense": "Flat",
        "files": files,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def saved(root: Path, name: str, segmenter: Segmenter, keys: list[str]) -> tuple[int, bool, bool]:
    known = salvage(root, name, keys, embedder=EMBEDDER, segmenter=segmenter)
    return len(known.keys), known.dense is not None, known.bags is not None


def test_what_is_sound_in_a_damaged_generation_is_used_and_nothing_else(
    tmp_path: Path, segmenter: Segmenter
) -> None:
    keys = [row.key for row in rows_of(DOCUMENT)]
    for file, others, same in [
        ("gazetteer.json", (1, True, True), (1, True, True)),
        ("dense.faiss", (1, False, True), (1, False, True)),
        ("bags.terms.npy", (1, True, False), (1, True, False)),
        # whose passages are lost can only be known of the rows that it was made of
        ("passages.jsonl", (0, False, False), (1, True, True)),
        ("manifest.json", (0, False, False), (0, False, False)),
    ]:
        name = write(tmp_path, segmenter, [DOCUMENT])
        (tmp_path / name / file).write_bytes(b"x")
        assert saved(tmp_path, name, segmenter, ["other"]) == others, file
        assert saved(tmp_path, name, segmenter, keys) == same, file
    sound = write(tmp_path, segmenter, [DOCUMENT])
    known = salvage(tmp_path, sound, keys, embedder=CharEmbedder("鸟"), segmenter=segmenter)
    assert (known.keys, known.dense, known.bags) == ((), None, None)
    assert keys_hash(["a", "b"]) != keys_hash(["b", "a"])


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
    others = [Document(id=n, title=n, text=n, source=n) for n in "甲乙丙"]
    names = [write(tmp_path, segmenter, [other]) for other in others]
    (tmp_path / ".tmp-g-1").mkdir()
    (tmp_path / "notes").mkdir()
    prune(tmp_path, names[1:])
    assert {path.name for path in tmp_path.iterdir()} == {*names[1:], "notes"}
