import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.settings import Settings
from bot.testing import serving
from eval.bench.disk import (
    can_mount,
    change_on_a_small_disk,
    change_within,
    full_at_operations,
    questions_on_a_full_disk,
)
from eval.bench.trial import Trial

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
    @contextmanager
    def serve(data: Path) -> Iterator[str]:
        runtime = trial.open_runtime(Settings(data=data))
        try:
            with serving(runtime) as port:
                yield f"http://127.0.0.1:{port}"
        finally:
            runtime.close()

    figure = questions_on_a_full_disk(trial, serve)
    assert figure.held, figure.value
