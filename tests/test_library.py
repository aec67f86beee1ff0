import random
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from corpus.chunk import chunk
from corpus.document import Document
from corpus.words import Segmenter
from index.database import Database
from index.embed import Vectors
from index.errors import DocumentNotFoundError, LibraryBusyError, ModelMismatchError
from index.library import Library
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
def database(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path}/wenqu.db")


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
    library: Library, tmp_path: Path, embedder: CountingEmbedder, segmenter: Segmenter
) -> None:
    other = Library(
        tmp_path / "index", Database(f"sqlite:///{tmp_path}/wenqu.db"), embedder, segmenter
    )
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
    with pytest.raises(LibraryBusyError, match="'default' is being changed"):
        library.ingest([make("b", "狗。")], wait_seconds=0.1)
    done.set()
    first.join()
    assert [info.id for info in library.documents()] == ["a"]


def test_old_generations_are_removed_but_the_one_before_is_kept(
    library: Library, tmp_path: Path
) -> None:
    (tmp_path / "index" / "default" / ".tmp-g-left").mkdir(parents=True)
    for content in ["猫。", "狗。", "鸟。"]:
        library.ingest([make("a", content)])
    folders = [path.name for path in (tmp_path / "index" / "default").iterdir() if path.is_dir()]
    assert len(folders) == 2
    assert not any(name.startswith(".tmp") for name in folders)


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
