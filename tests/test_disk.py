import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import delete, select
from sqlalchemy.exc import OperationalError

from bot.settings import Settings
from bot.testing import serving
from eval.bench.disk import (
    Serve,
    can_mount,
    change_on_a_small_disk,
    change_within,
    full_at_operations,
    questions_on_a_full_disk,
    questions_on_a_read_only_disk,
    small_disk,
)
from eval.bench.trial import Trial
from index.database import CollectionRow, Database, now

needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")


@pytest.fixture
def disks(tmp_path: Path) -> None:
    if not can_mount(tmp_path):
        pytest.skip("no disk can be mounted here")


@pytest.mark.slow
def test_a_change_for_which_there_is_no_room_is_told_in_one_line_and_changes_nothing(
    trial: Trial,
) -> None:
    figure = change_within(trial, 30_000)
    assert figure.held, figure.value
    assert "磁盘已满" in figure.value


@needs_strace
@pytest.mark.slow
def test_wherever_the_room_ends_the_old_state_stays(trial: Trial) -> None:
    figure = full_at_operations(trial, 2, seed=3)
    assert figure.held, figure.value


@pytest.mark.slow
@pytest.mark.usefixtures("disks")
def test_more_documents_than_a_disk_has_room_for_are_refused(trial: Trial) -> None:
    figure = change_on_a_small_disk(trial, 5)
    assert figure.held, figure.value


@pytest.mark.slow
@pytest.mark.usefixtures("disks")
def test_a_full_disk_answers_and_says_what_is_not_kept(trial: Trial) -> None:
    figure = questions_on_a_full_disk(trial, serving_of(trial))
    assert figure.held, figure.value


@pytest.mark.slow
@pytest.mark.usefixtures("disks")
def test_a_read_only_disk_answers_and_refuses_changes(trial: Trial) -> None:
    figure = questions_on_a_read_only_disk(trial, serving_of(trial))
    assert figure.held, figure.value


@pytest.mark.slow
@pytest.mark.usefixtures("disks")
def test_what_was_not_yet_written_into_the_file_is_read_from_a_read_only_disk_too(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "disk", 20) as folder:
        path = folder / "wenqu.db"
        database = Database(f"sqlite:///{path}")
        with database.write() as session:
            session.add(CollectionRow(name="一", generation="g", changed_at=now()))
        # as a killed process leaves it: with a log that is not empty
        kept = {end: Path(f"{path}{end}").read_bytes() for end in ("", "-wal", "-shm")}
        database.close()
        for end, data in kept.items():
            Path(f"{path}{end}").write_bytes(data)
        assert kept["-wal"]
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        reader = Database(f"sqlite:///{path}")
        with reader.read() as session:
            assert session.scalars(select(CollectionRow.name)).all() == ["一"]
        with pytest.raises(OperationalError, match="readonly"), reader.write() as session:
            session.execute(delete(CollectionRow))
        reader.close()


def serving_of(trial: Trial) -> Serve:
    @contextmanager
    def serve(data: Path) -> Iterator[str]:
        runtime = trial.open_runtime(Settings(data=data))
        try:
            with serving(runtime) as port:
                yield f"http://127.0.0.1:{port}"
        finally:
            runtime.close()

    return serve
