import hashlib
import json
import os
import random
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import warnings
import zipfile
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from bot.answer import Answer, Turn
from bot.commands import backup as backup_command
from bot.commands import restore as restore_command
from bot.conversations import new_id
from bot.sessions import SessionStore
from corpus.document import Document
from corpus.words import Segmenter
from index.archive import Archive
from index.audit import audit
from index.backup import Held, back_up, check, restore
from index.database import Database
from index.errors import BackupError, LibraryBusyError, SchemaError
from index.library import Library
from index.testing import CharEmbedder

ROOT = Path(__file__).parents[1]


def make(name: str, content: str) -> Document:
    return Document(id=name, title=f"题{name}", text=content, source=f"{name}.md")


class Place:
    """A data folder."""

    def __init__(self, folder: Path, segmenter: Segmenter) -> None:
        self.folder = folder
        self.file = folder / "wenqu.db"
        self.indexes = folder / "index"
        self.segmenter = segmenter

    def library(self, database: Database, collection: str = "default") -> Library:
        return Library(self.indexes, database, CharEmbedder("猫狗"), self.segmenter, collection)

    def database(self) -> "closing[Database]":
        return closing(Database(f"sqlite:///{self.file}"))

    def back_up(self, target: Path) -> Held:
        return back_up(target, self.file, self.indexes, version="1", settings={"top_k": "5"})

    def restore(self, source: Path, *, force: bool = False) -> Held:
        return restore(source, self.file, self.indexes, force=force)

    def state(self) -> list[tuple[str, str]]:
        """Return id and text of all documents, of an index that fits them."""
        if not self.file.exists():
            return []
        with self.database() as database:
            library = self.library(database)
            assert audit(library) == []
            return [(info.id, library.document(info.id).text) for info in library.documents()]


@pytest.fixture
def place(tmp_path: Path, segmenter: Segmenter) -> Place:
    """Two collections and a conversation."""
    made = Place(tmp_path / "var", segmenter)
    with made.database() as database:
        made.library(database).ingest([make("a", "猫在这里。"), make("b", "狗在那里。")])
        made.library(database, "other").ingest([make("c", "猫狗都在。")])
        sessions = SessionStore(database)
        turn = Turn("猫在哪里？", Answer("你好！", "chat"))
        sessions.add(sessions.start("default"), turn, turn_id=new_id())
    return made


@pytest.fixture
def archive(place: Place, tmp_path: Path) -> Path:
    place.back_up(tmp_path / "a.wenqu")
    return tmp_path / "a.wenqu"


@pytest.fixture
def empty(tmp_path: Path, segmenter: Segmenter) -> Place:
    return Place(tmp_path / "fresh", segmenter)


def questions(place: Place) -> list[str]:
    with closing(sqlite3.connect(place.file)) as connection:
        return [question for (question,) in connection.execute("SELECT question FROM turns")]


def test_what_was_backed_up_comes_back_with_its_index(
    place: Place, empty: Place, archive: Path
) -> None:
    held = empty.restore(archive)
    assert (held.documents, held.collections, held.without_index) == (3, ("default", "other"), ())
    assert (held.card.version, held.card.settings) == ("1", {"top_k": "5"})
    assert empty.state() == place.state() == [("a", "猫在这里。"), ("b", "狗在那里。")]
    assert questions(empty) == ["猫在哪里？"]
    with empty.database() as database:
        assert audit(empty.library(database, "other")) == []
        assert empty.library(database).repair().repaired == ""
    assert not list(empty.folder.rglob(".*"))


def test_only_its_owner_can_read_a_backup(archive: Path) -> None:
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600


def test_a_backup_while_others_write_is_of_one_moment(
    place: Place, tmp_path: Path, segmenter: Segmenter
) -> None:
    done = threading.Event()

    def write() -> None:
        with place.database() as database:
            library, sessions = place.library(database), SessionStore(database)
            for number in range(1000):
                if done.is_set():
                    break
                name = f"n{number % 3}"
                library.ingest([make(name, f"猫{number}。")])
                sessions.start("default")
                library.delete([name])

    with closing(Database(f"sqlite:///{place.file}")):  # a service that has it open
        writing = threading.Thread(target=write)
        writing.start()
        try:
            for number in range(5):
                held = place.back_up(tmp_path / "b.wenqu")
                assert held.without_index == ()
                copy = Place(tmp_path / f"copy{number}", segmenter)
                copy.restore(tmp_path / "b.wenqu")
                names = {name for name, _ in copy.state()}
                assert {"a", "b"} <= names <= {"a", "b", "n0", "n1", "n2"}
                assert len(names) <= 3
        finally:
            done.set()
            writing.join()


def test_a_damaged_index_is_left_out_and_made_again_after_the_restore(
    place: Place, empty: Place, tmp_path: Path
) -> None:
    (damaged,) = place.indexes.glob("default/g-*/dense.faiss")
    damaged.write_bytes(b"x")
    assert place.back_up(tmp_path / "b.wenqu").without_index == ("default",)
    assert empty.restore(tmp_path / "b.wenqu").without_index == ("default",)
    with empty.database() as database:
        report = empty.library(database).repair()
        assert (report.embedded, bool(report.repaired)) == (2, True)
    assert len(empty.state()) == 2


def test_what_is_there_is_only_replaced_by_force(place: Place, archive: Path) -> None:
    with place.database() as database:
        library = place.library(database)
        library.ingest([make("d", "后来的猫。")])
        place.library(database, "third").ingest([make("e", "第三只猫。")])
        with pytest.raises(BackupError, match="5 documents"):
            place.restore(archive)
        assert len(library.documents()) == 3
        place.restore(archive, force=True)
        # who has it open sees the state of the backup with the next question
        assert [info.id for info in library.documents()] == ["a", "b"]
        assert audit(library) == []
    left = b"".join(path.read_bytes() for path in place.folder.rglob("*") if path.is_file())
    assert "后来的猫".encode() not in left
    assert "第三只猫".encode() not in left


def test_a_restore_waits_for_who_changes_documents(place: Place, archive: Path) -> None:
    inside, done = threading.Event(), threading.Event()

    def slow(stage: str, _share: float) -> None:
        if stage == "write":
            inside.set()
            done.wait(10)

    with place.database() as database:
        library = place.library(database)
        work = {"progress": slow}
        first = threading.Thread(target=library.ingest, args=([make("d", "猫。")],), kwargs=work)
        first.start()
        assert inside.wait(10)
        with pytest.raises(LibraryBusyError, match=f"process {os.getpid()}"):
            restore(archive, place.file, place.indexes, force=True, wait_seconds=0.1)
        with pytest.raises(LibraryBusyError, match=f"process {os.getpid()}"):
            back_up(archive, place.file, place.indexes, version="", settings={}, wait_seconds=0.1)
        done.set()
        first.join()
    assert [name for name, _ in place.state()] == ["a", "b", "d"]


def test_a_backup_replaces_an_older_one_and_nothing_else(
    place: Place, archive: Path, tmp_path: Path
) -> None:
    place.back_up(archive)
    (tmp_path / "论文.docx").write_bytes(b"years of work")
    with pytest.raises(BackupError, match="damaged"):
        place.back_up(tmp_path / "论文.docx")
    assert (tmp_path / "论文.docx").read_bytes() == b"years of work"
    with pytest.raises(BackupError, match="there is no database"):
        Place(tmp_path / "nowhere", place.segmenter).back_up(tmp_path / "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wenqu", "var", "论文.docx"]


def test_a_backup_that_is_cut_short_is_refused(empty: Place, archive: Path, tmp_path: Path) -> None:
    whole = archive.read_bytes()
    chance = random.Random(4)
    for size in [0, 1, len(whole) // 2, len(whole) - 1, *chance.sample(range(len(whole)), 20)]:
        (tmp_path / "cut").write_bytes(whole[:size])
        with pytest.raises(BackupError, match="damaged"):
            empty.restore(tmp_path / "cut")
    assert empty.state() == []


def test_a_damaged_backup_is_refused_or_does_not_matter(
    place: Place, archive: Path, tmp_path: Path, segmenter: Segmenter
) -> None:
    whole, refused = archive.read_bytes(), 0
    chance = random.Random(5)
    for number in range(60):
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        (tmp_path / "flipped").write_bytes(data)
        target = Place(tmp_path / f"flipped{number}", segmenter)
        try:
            target.restore(tmp_path / "flipped")
        except BackupError:
            refused += 1
            assert not target.file.exists()
            assert not list(target.indexes.glob("*/*"))
        else:  # such as the time of day of a member
            assert target.state() == place.state()
    assert refused > 50


def test_another_format_is_named(place: Place, archive: Path, tmp_path: Path) -> None:
    changed = rewritten(archive, tmp_path, card=lambda card: card.update(format=2))
    with pytest.raises(BackupError, match=r"backup: format: backup\.json: format"):
        place.restore(changed, force=True)
    assert len(place.state()) == 2


def rewritten(
    archive: Path,
    folder: Path,
    *,
    card: Callable[[dict[str, object]], object] = lambda _: None,
    more: Callable[[zipfile.ZipFile], object] = lambda _: None,
    without: str = "",
) -> Path:
    """Make the backup again, by other code."""
    target = folder / "changed.wenqu"
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "backup.json":
                told = json.loads(data)
                card(told)
                data = json.dumps(told).encode()
            if name != without:
                new.writestr(name, data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a name that is there twice
            more(new)
    return target


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def deflated(new: zipfile.ZipFile) -> None:
    new.writestr("dictionary.txt", bytes(50_000_000), zipfile.ZIP_DEFLATED)


HOSTILE: dict[str, tuple[Callable[[zipfile.ZipFile], object], str]] = {
    "above": (lambda new: new.writestr("../evil", b"x"), r"no '\.\./evil'"),
    "absolute": (lambda new: new.writestr("/tmp/evil", b"x"), "has no '/tmp/evil'"),
    "within": (lambda new: new.writestr("index/../../evil", b"x"), "has no 'index/"),
    "windows": (lambda new: new.writestr("index\\..\\evil", b"x"), "has no 'index"),
    "folder": (lambda new: new.writestr("index/default/", b""), "has no 'index/default/'"),
    "link": (lambda new: new.writestr(link("index/default/g-1/x"), b"/etc"), "has no"),
    "linked": (lambda new: new.writestr(link("dictionary.txt"), b"/etc/passwd"), "other members"),
    "more": (lambda new: new.writestr("dictionary.txt", b"x"), "other members than it says"),
    "twice": (lambda new: new.writestr("database.sqlite", b"x"), "a name is in it twice"),
    "bomb": (deflated, "compressed or encrypted"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_backup_is_refused_and_nothing_is_written_outside(
    case: str, place: Place, archive: Path, tmp_path: Path
) -> None:
    more, says = HOSTILE[case]
    hostile = rewritten(archive, tmp_path, more=more)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BackupError, match=says):
        place.restore(hostile, force=True)
    assert set(tmp_path.rglob("*")) - set(before) <= {
        place.indexes / "lock",
        place.indexes / "lock.holder",
    }
    assert len(place.state()) == 2


def test_a_member_that_is_missing_or_told_wrongly_is_noticed(
    place: Place, archive: Path, tmp_path: Path
) -> None:
    with pytest.raises(BackupError, match="other members than it says"):
        place.restore(rewritten(archive, tmp_path, without="database.sqlite"), force=True)
    with pytest.raises(BackupError, match=r"no backup\.json"):
        place.restore(rewritten(archive, tmp_path, without="backup.json"), force=True)

    def lie(card: dict[str, object]) -> None:
        files = card["files"]
        assert isinstance(files, dict)
        files["database.sqlite"]["sha256"] = "0" * 64

    with pytest.raises(BackupError, match=r"database\.sqlite is not what was written"):
        place.restore(rewritten(archive, tmp_path, card=lie), force=True)


def test_members_that_overlap_are_refused(place: Place, archive: Path, tmp_path: Path) -> None:
    data = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as old:
        largest = max(old.infolist(), key=lambda member: member.file_size)
    at = data.rindex(largest.filename.encode()) - 46  # its entry in the directory
    assert data[at : at + 4] == b"PK\x01\x02"
    for field in (20, 24):
        data[at + field : at + field + 4] = len(data).to_bytes(4, "little")
    (tmp_path / "overlapping").write_bytes(data)
    with pytest.raises(BackupError, match="larger than the whole"):
        place.restore(tmp_path / "overlapping", force=True)


def test_a_member_that_is_encrypted_is_refused(place: Place, archive: Path, tmp_path: Path) -> None:
    data = bytearray(archive.read_bytes())
    at = data.rindex(b"database.sqlite") - 46  # its entry in the directory
    assert data[at : at + 4] == b"PK\x01\x02"
    data[at + 8] |= 1
    (tmp_path / "locked").write_bytes(data)
    with pytest.raises(BackupError, match="compressed or encrypted"):
        place.restore(tmp_path / "locked", force=True)


def with_database(archive: Path, folder: Path, statement: str) -> Path:
    """Make a backup whose database was changed by somebody, and which says so rightly."""
    with zipfile.ZipFile(archive) as old:
        (folder / "db").write_bytes(old.read("database.sqlite"))
    with closing(sqlite3.connect(folder / "db")) as connection:
        connection.execute(statement)
        connection.commit()
    data = (folder / "db").read_bytes()

    def tell(card: dict[str, object]) -> None:
        files = card["files"]
        assert isinstance(files, dict)
        files["database.sqlite"] = {
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }

    return rewritten(
        archive,
        folder,
        card=tell,
        without="database.sqlite",
        more=lambda new: new.writestr("database.sqlite", data),
    )


def test_a_database_that_is_not_ours_is_refused(
    place: Place, archive: Path, tmp_path: Path
) -> None:
    trigger = "CREATE TRIGGER t AFTER INSERT ON turns BEGIN DELETE FROM documents; END"
    for statement in (trigger, "CREATE VIEW v AS SELECT 1", "DROP TABLE documents"):
        foreign = with_database(archive, tmp_path, statement)
        with pytest.raises(BackupError, match="the tables of wenqu"):
            place.restore(foreign, force=True)
    newer = with_database(archive, tmp_path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaError, match="9999"):
        place.restore(newer, force=True)
    foreign = with_database(archive, tmp_path, "UPDATE collections SET generation = 'g-0'")
    with pytest.raises(BackupError, match=r"damaged: .*cannot be read"):
        place.restore(foreign, force=True)
    assert len(place.state()) == 2


COMMAND = """
import sys
from bot.cli import guarded
from bot.commands import backup, restore
sys.exit(guarded({"backup": backup, "restore": restore}[sys.argv[1]].run, sys.argv[2:]))
"""


def command(*argv: object, limit: int = 0) -> "subprocess.Popen[str]":
    bound = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))"
    code = (bound if limit else "") + COMMAND
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, argv)],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.slow
def test_a_restore_that_is_killed_leaves_the_old_state_or_the_new(
    place: Place, archive: Path
) -> None:
    old = [*place.state(), ("d", "后来的猫。" * 1000)]
    found = set()
    for moment in (0.0, 0.02, 0.1, 9.0):
        with place.database() as database:
            place.library(database).ingest([make(name, said) for name, said in old])
        process = command("restore", archive, "--force", "--data", place.folder)
        until = time.monotonic() + 30
        while not list(place.indexes.glob(".restore-*")) and time.monotonic() < until:
            time.sleep(0.001)
        with suppress(subprocess.TimeoutExpired):
            process.wait(moment)
        process.kill()
        process.communicate()
        state = place.state()
        assert state in (old, old[:2])
        found.add(len(state))
    assert found == {2, 3}
    place.restore(archive, force=True)  # and what was left behind is gone
    assert not list(place.indexes.glob(".restore-*"))
    assert len(list(place.indexes.glob("*/g-*"))) == 2


def test_a_disk_that_is_full_leaves_nothing_behind(
    place: Place, archive: Path, tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    state = place.state()
    for argv in (
        ("backup", tmp_path / "b.wenqu", "--data", place.folder),
        ("restore", archive, "--force", "--data", place.folder),
    ):
        process = command(*argv, limit=20_000)
        _, told = process.communicate()
        assert (process.returncode, told.count("\n")) == (1, 1), told
        assert "磁盘已满" in told
    left = set(tmp_path.rglob("*")) - set(before)
    assert {path.name for path in left} <= {"lock", "lock.holder", "wenqu.db-wal", "wenqu.db-shm"}
    assert place.state() == state


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("WENQU_"):
            monkeypatch.delenv(name)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.mark.usefixtures("quiet")
def test_the_commands_say_what_they_did_and_keep_secrets_to_themselves(
    place: Place,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret = "canary-of-a-secret"
    Path("words.txt").write_text("问渠\n", encoding="utf-8")
    monkeypatch.setenv("WENQU_ADMIN_KEY", secret)
    monkeypatch.setenv("WENQU_TOP_K", "7")
    monkeypatch.setenv("WENQU_DICTIONARY", "words.txt")
    hook = {"x": {"secret": "whsec_" + "QUFB" * 8}}
    monkeypatch.setenv("WENQU_WEBHOOKS", json.dumps(hook))
    assert backup_command.run(["b.wenqu", "--data", str(place.folder)]) == 0
    assert "已备份到 b.wenqu：2 个文档集，3 份文档" in capsys.readouterr().out
    data = Path("b.wenqu").read_bytes()
    assert secret.encode() not in data
    assert b"QUFB" not in data
    monkeypatch.delenv("WENQU_TOP_K")
    monkeypatch.delenv("WENQU_DICTIONARY")
    assert restore_command.run(["b.wenqu", "--check"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("备份完好：2 个文档集，3 份文档")
    assert "top_k = 7，现在是 默认值" in said.err
    assert not Path("var").exists()
    assert restore_command.run(["b.wenqu", "--data", "elsewhere"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("已恢复到 elsewhere：")
    (kept,) = Path("elsewhere").glob("dictionary-*.txt")
    assert kept.read_text(encoding="utf-8") == "问渠\n"
    assert str(kept) in said.err


@pytest.mark.usefixtures("quiet")
def test_a_damaged_index_is_told_by_both_commands(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    (damaged,) = place.indexes.glob("default/g-*/dense.faiss")
    damaged.write_bytes(b"x")
    backup_command.run(["b.wenqu", "--data", str(place.folder)])
    assert "default 的索引不在备份里" in capsys.readouterr().err
    restore_command.run(["b.wenqu", "--data", "elsewhere"])
    assert "default 的索引不在备份里" in capsys.readouterr().err


@pytest.mark.parametrize("run", [backup_command.run, restore_command.run])
def test_postgresql_is_told_what_to_use(
    run: Callable[[list[str]], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WENQU_DATABASE_URL", "postgresql://me:secret@db/wenqu")
    with pytest.raises(BackupError, match="backup: elsewhere: postgresql"):
        run(["b.wenqu"])


def test_verifying_writes_nothing_and_reads_everything(archive: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert check(archive).documents == 3
    assert sorted(tmp_path.rglob("*")) == before
    with Archive.open(archive) as opened:
        assert set(opened.card.files) > {"database.sqlite"}
