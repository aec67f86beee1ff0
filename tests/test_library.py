import errno
import os
import random
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from corpus.chunk import chunk
from corpus.document import Document
from corpus.words import Segmenter
from index.audit import audit
from index.database import Database
from index.embed import Vectors
from index.errors import (
    CorruptIndexError,
    DocumentNotFoundError,
    LibraryBusyError,
    ModelMismatchError,
)
from index.library import Library
from index.mend import Mender
from index.testing import CharEmbedder


class CountingEmbedder(CharEmbedder):
    """Remembers how many passages it was asked for."""

    def __init__(self, alphabet: str) -> None:
        super().__init__(alphabet)
        self.asked: list[str] = []

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        self.asked.extend(texts)
        return super().encode_passages(texts)


def make(name: str, content: str) -> Document:
    return Document(id=name, title=f"题{name}", text=content, source=f"{name}.md")


@pytest.fixture
def embedder() -> CountingEmbedder:
    return CountingEmbedder("猫狗鸟鱼")


@pytest.fixture
def library(
    tmp_path: Path, database: Database, embedder: CountingEmbedder, segmenter: Segmenter
) -> Library:
    return Library(tmp_path / "index", database, embedder, segmenter)


def found(library: Library, question: str) -> list[str]:
    generation = library.generation()
    assert generation is not None
    return [hit.passage.document_id for hit in generation.index.search(question)]


def test_what_was_ingested_is_found_and_kept(
    library: Library, tmp_path: Path, database: Database, segmenter: Segmenter
) -> None:
    report = library.ingest([make("a", "猫猫猫。"), make("b", "狗狗狗。")])
    assert (report.added, report.passages, report.embedded) == (("a", "b"), 2, 2)
    reopened = Library(tmp_path / "index", database, CountingEmbedder("猫狗鸟鱼"), segmenter)
    assert found(reopened, "猫") == found(library, "猫") == ["a", "b"]
    assert reopened.document("b") == make("b", "狗狗狗。")
    assert [info.id for info in reopened.documents()] == ["a", "b"]


def test_a_library_that_holds_nothing_has_no_generation(library: Library) -> None:
    assert library.generation() is None
    assert library.documents() == []
    assert library.ingest([]).passages == 0


def test_what_has_not_changed_is_not_embedded_again(
    library: Library, embedder: CountingEmbedder
) -> None:
    library.ingest([make("a", "猫。"), make("b", "狗。")])
    embedder.asked.clear()
    report = library.ingest([make("a", "猫。"), make("b", "狗。")])
    assert (report.unchanged, report.embedded) == (("a", "b"), 0)
    report = library.ingest([make("b", "狗狗。")])
    assert (report.replaced, report.embedded, len(embedder.asked)) == (("b",), 1, 1)
    long = "猫在这里。" * 200
    library.ingest([make("c", long)])
    embedder.asked.clear()
    report = library.ingest([make("c", "鸟来了。" + long)])
    assert 0 < len(embedder.asked) <= report.passages


def test_a_deleted_document_never_answers_again(library: Library) -> None:
    library.ingest([make("a", "猫。"), make("b", "猫。")])
    assert library.delete(["a"]).deleted == ("a",)
    assert found(library, "猫") == ["b"]
    with pytest.raises(DocumentNotFoundError, match="there is no document 'a'"):
        library.document("a")
    with pytest.raises(DocumentNotFoundError):
        library.delete(["b", "a"])
    assert found(library, "猫") == ["b"]
    library.delete(["b"])
    assert found(library, "猫") == []


def test_another_process_sees_a_change_at_once(
    library: Library,
    tmp_path: Path,
    database_url: str,
    embedder: CountingEmbedder,
    segmenter: Segmenter,
) -> None:
    with closing(Database(database_url)) as database:
        other = Library(tmp_path / "index", database, embedder, segmenter)
        library.ingest([make("a", "猫。")])
        assert found(other, "猫") == ["a"]
        library.delete(["a"])
        assert found(other, "猫") == []


@pytest.mark.parametrize("seed", range(5))
def test_any_history_ends_in_the_index_that_one_ingest_would_make(
    seed: int, tmp_path: Path, embedder: CountingEmbedder, segmenter: Segmenter
) -> None:
    chance = random.Random(seed)
    one = Library(
        tmp_path / "1", Database("sqlite:///" + str(tmp_path / "1.db")), embedder, segmenter
    )
    state: dict[str, Document] = {}
    for _ in range(12):
        name = chance.choice("abcde")
        if name in state and chance.random() < 0.4:
            one.delete([name])
            del state[name]
        else:
            state[name] = make(name, chance.choice("猫狗鸟鱼") * chance.randint(1, 5) + "。")
            one.ingest([state[name]])
    other = Library(
        tmp_path / "2", Database("sqlite:///" + str(tmp_path / "2.db")), embedder, segmenter
    )
    other.ingest(state.values())
    first, second = one.generation(), other.generation()
    assert first is not None
    if second is None:
        assert len(first.rows) == 0
        return
    assert [first.rows[at] for at in range(len(first.rows))] == [
        second.rows[at] for at in range(len(second.rows))
    ]
    every = range(len(first.rows))
    assert np.array_equal(first.index.dense.vectors(every), second.index.dense.vectors(every))
    for field in ("terms", "bounds", "rows", "weights"):
        assert np.array_equal(
            getattr(first.index.lexical, field), getattr(second.index.lexical, field)
        )


def test_passages_say_what_the_stored_documents_say(library: Library) -> None:
    library.ingest([make("a", "第一句，猫。\n\n第二句，狗。" * 60), make("b", "𠮷野家的鱼。")])
    generation = library.generation()
    assert generation is not None
    for at in range(len(generation.rows)):
        passage = generation.rows[at].passage
        passage.check(library.document(passage.document_id))
    assert len(generation.rows) == sum(info.passages for info in library.documents())


def test_another_model_is_refused_until_the_index_is_built_again(
    library: Library, tmp_path: Path, database: Database, segmenter: Segmenter
) -> None:
    library.ingest([make("a", "猫。")])
    other = Library(tmp_path / "index", database, CharEmbedder("猫"), segmenter)
    with pytest.raises(ModelMismatchError, match=r"built with 'char:猫狗鸟鱼'.*say 'char:猫'"):
        other.generation()
    assert other.ingest([], rebuild=True).embedded == 1
    assert found(other, "猫") == ["a"]


def test_a_second_writer_waits_and_then_gives_up(library: Library) -> None:
    inside, done = threading.Event(), threading.Event()

    def slow(stage: str, _share: float) -> None:
        if stage == "write":
            inside.set()
            done.wait(10)

    first = threading.Thread(target=lambda: library.ingest([make("a", "猫。")], progress=slow))
    first.start()
    assert inside.wait(10)
    with pytest.raises(LibraryBusyError, match=f"changed by process {os.getpid()}:") as told:
        library.ingest([make("b", "狗。")], wait_seconds=0.1)
    assert told.value.pid == os.getpid()
    done.set()
    first.join()
    assert [info.id for info in library.documents()] == ["a"]


def folders(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "index" / "default").iterdir() if path.is_dir())


def test_old_generations_are_removed_but_the_one_before_is_kept(
    library: Library, tmp_path: Path
) -> None:
    (tmp_path / "index" / "default" / ".tmp-g-left").mkdir(parents=True)
    names = []
    for name in "abc":
        library.ingest([make(name, "猫。")])
        names.append(current(library))
    assert folders(tmp_path) == sorted(names[1:])


def test_what_was_deleted_or_replaced_is_gone_from_the_disk_at_once(
    library: Library, tmp_path: Path
) -> None:
    library.ingest([make("a", "猫。"), make("b", "狗。")])
    library.ingest([make("a", "鸟。")])
    assert folders(tmp_path) == [current(library)]
    library.delete(["b"])
    assert folders(tmp_path) == [current(library)]
    files = (tmp_path / "index" / "default" / current(library)).iterdir()
    held = b"".join(path.read_bytes() for path in files if path.name != "manifest.json")
    assert [word.encode() in held for word in "鸟猫狗"] == [True, False, False]


def current(library: Library) -> str:
    generation = library.generation()
    assert generation is not None
    return generation.name


def reopened(
    tmp_path: Path, database: Database, embedder: CountingEmbedder, segmenter: Segmenter
) -> Library:
    """A library that has nothing in memory."""
    embedder.asked.clear()
    return Library(tmp_path / "index", database, embedder, segmenter)


def damage(tmp_path: Path, name: str, file: str) -> None:
    path = tmp_path / "index" / "default" / name / file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("file", "embedded"),
    [
        ("gazetteer.json", 0),
        ("passages.jsonl", 0),
        ("lines.npy", 0),
        ("bags.terms.npy", 0),
        ("lexical.weights.npy", 0),
        ("dense.faiss", 1),  # the generation before had the other
        ("manifest.json", 1),
    ],
)
def test_a_damaged_index_is_made_again_from_the_documents_and_what_is_sound_on_disk(
    file: str,
    embedded: int,
    library: Library,
    tmp_path: Path,
    database: Database,
    embedder: CountingEmbedder,
    segmenter: Segmenter,
) -> None:
    library.ingest([make("a", "猫猫猫。")])
    library.ingest([make("b", "狗狗狗。")])
    name = current(library)
    damage(tmp_path, name, file)
    broken = reopened(tmp_path, database, embedder, segmenter)
    with pytest.raises(CorruptIndexError, match=f"is damaged: .*{file}.*doctor --repair"):
        broken.generation()
    report = broken.repair()
    assert file in report.repaired
    assert (report.passages, report.embedded, len(embedder.asked)) == (2, embedded, embedded)
    assert folders(tmp_path) == [name]  # the same documents, the same index
    assert (found(broken, "猫"), audit(broken)) == (["a", "b"], [])
    assert broken.repair().repaired == ""


def test_an_index_that_is_gone_is_made_again(
    library: Library,
    tmp_path: Path,
    database: Database,
    embedder: CountingEmbedder,
    segmenter: Segmenter,
) -> None:
    library.ingest([make("a", "猫。"), make("b", "猫。")])
    library.delete(["a"])
    shutil.rmtree(tmp_path / "index")
    broken = reopened(tmp_path, database, embedder, segmenter)
    assert broken.repair().embedded == 1
    assert found(broken, "猫") == ["b"]


@pytest.mark.parametrize("how", ["add", "replace", "delete", "nothing"])
def test_a_change_repairs_a_damaged_index_on_the_way(
    how: str,
    library: Library,
    tmp_path: Path,
    database: Database,
    embedder: CountingEmbedder,
    segmenter: Segmenter,
) -> None:
    library.ingest([make("a", "猫猫猫。"), make("b", "狗狗狗。")])
    damage(tmp_path, current(library), "lexical.rows.npy")
    broken = reopened(tmp_path, database, embedder, segmenter)
    report = {
        "add": lambda: broken.ingest([make("c", "鸟鸟鸟。")]),
        "replace": lambda: broken.ingest([make("a", "鸟鸟鸟。")]),
        "delete": lambda: broken.delete(["a"]),
        "nothing": lambda: broken.ingest([make("a", "猫猫猫。")]),
    }[how]()
    assert "lexical.rows.npy is not what was written" in report.repaired
    assert report.embedded == len(embedder.asked) == (how in {"add", "replace"})
    expected = {"add": "abc", "replace": "ab", "delete": "b", "nothing": "ab"}[how]
    assert sorted(found(broken, "猫狗鸟")) == list(expected)
    assert audit(broken) == []
    assert len(folders(tmp_path)) == 1  # what was damaged is no use any more


def test_who_serves_repairs_by_itself_and_says_so_meanwhile(
    library: Library, tmp_path: Path, database: Database, segmenter: Segmenter
) -> None:
    library.ingest([make("a", "猫。")])
    damage(tmp_path, current(library), "dense.faiss")
    go_on = threading.Event()

    class Slow(CountingEmbedder):
        def encode_passages(self, texts: Sequence[str]) -> Vectors:
            go_on.wait(30)
            return super().encode_passages(texts)

    slow = Slow("猫狗鸟鱼")
    serving = Library(tmp_path / "index", database, slow, segmenter)
    serving.repair_by_itself()
    for _ in range(3):
        with pytest.raises(CorruptIndexError, match="it is being repaired") as told:
            serving.generation()
        assert told.value.repairing
    go_on.set()
    assert eventually(lambda: found(serving, "猫")) == ["a"]
    assert slow.asked.count("题a\n猫。") == 1


def eventually(ask: Callable[[], list[str]]) -> list[str]:
    for _ in range(300):
        try:
            return ask()
        except CorruptIndexError:
            time.sleep(0.1)
    return ask()


def test_a_repair_that_fails_is_tried_again_after_a_pause_that_grows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now, tries, tried = [0.0], list[float](), threading.Semaphore(0)

    def fail() -> None:
        tries.append(now[0])
        tried.release()
        raise OSError(errno.ENOSPC, "No space left on device")

    mender = Mender(fail, "default", pause_seconds=10, clock=lambda: now[0])
    for second in range(100):
        now[0] = float(second)
        told = mender.told(CorruptIndexError(Path("g-1"), "x"))
        assert told.repairing
        if mender.damage is not None:
            assert tried.acquire(timeout=10)
            while mender.damage is not None:
                time.sleep(0.001)
    assert tries == [0, 10, 30, 70]
    assert "could not be repaired" in caplog.text


def test_a_reader_that_comes_too_late_for_a_generation_opens_the_next(
    library: Library, tmp_path: Path, database: Database, segmenter: Segmenter
) -> None:
    library.ingest([make("a", "猫。")])
    told = [current(library)] * 2

    class Late(Library):
        """Is told the name of a generation, and opens it a while later."""

        def _current(self) -> str | None:
            return told.pop() if told else super()._current()

    reader = Late(tmp_path / "index", database, CharEmbedder("猫狗鸟鱼"), segmenter)
    library.ingest([make("a", "狗。")])  # and removes the one that the reader was told of
    assert current(reader) == current(library)
    assert told == []


def test_an_audit_finds_what_does_not_fit(library: Library, database: Database) -> None:
    assert audit(library) == []
    library.ingest([make("a", "猫。"), make("b", "狗。")])
    assert audit(library) == []
    with database.write() as session:
        session.execute(text("UPDATE documents SET text = '狗狗狗' WHERE id = 'a'"))
        session.execute(text("DELETE FROM documents WHERE id = 'b'"))
    assert any("there is no document 'b'" in line for line in audit(library))
    assert "b has 1 passages, 0 are stored" in audit(library)
    with database.write() as session:
        session.execute(text("DELETE FROM collections"))
    assert audit(library) == ["a is not indexed"]


def test_one_document_cut_into_passages_counts_them(library: Library) -> None:
    document = make("a", "猫在这里坐着看着。" * 100)
    report = library.ingest([document])
    assert report.passages == len(chunk(document)) > 1


def test_a_failed_write_changes_nothing(library: Library, database: Database) -> None:
    library.ingest([make("a", "猫。")])
    with pytest.raises(RuntimeError, match="stop"):
        fail_in_the_middle(database)
    assert [info.id for info in library.documents()] == ["a"]


def fail_in_the_middle(database: Database) -> None:
    with database.write() as session:
        session.execute(text("DELETE FROM documents"))
        message = "stop"
        raise RuntimeError(message)
