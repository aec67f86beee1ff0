import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from eval.bench.kills import kills_at_operations, kills_at_random, order_of_writing, out_of_order
from eval.bench.trial import CHANGES, Trial

needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")


@pytest.mark.slow
def test_each_change_makes_another_state(trial: Trial) -> None:
    states = [trial.states[None], *(trial.states[change] for change in CHANGES)]
    assert len(set(states)) == 4
    assert [len(documents) for documents, _ in states] == [20, 70, 20, 10]
    told = Counter("100尺" in answers[0] for _, answers in states)
    assert told == {True: 3, False: 1}, [answers[0] for _, answers in states]


@pytest.mark.slow
def test_a_change_that_is_killed_has_been_made_or_not_and_the_next_one_works(
    trial: Trial,
) -> None:
    figure = kills_at_random(trial, 3, seed=1)
    assert figure.held, figure.value


@needs_strace
@pytest.mark.slow
def test_a_change_that_is_killed_at_a_file_operation_has_been_made_or_not(trial: Trial) -> None:
    figure = kills_at_operations(trial, 2, seed=2)
    assert figure.held, figure.value


@needs_strace
@pytest.mark.slow
def test_what_is_named_is_on_the_disk_before_it_is_named(trial: Trial) -> None:
    figure = order_of_writing(trial)
    assert figure.held, figure.value


FOLDER = "/d/index/default"
PART = f"{FOLDER}/.tmp-1"
GOOD = [
    *(("fsync", f"3<{PART}/file{number}>) = 0") for number in range(13)),
    ("fsync", f"3<{PART}/manifest.json>) = 0"),
    ("fsync", f"3<{PART}>) = 0"),
    ("rename", f'"{PART}", "{FOLDER}/g-1") = 0'),
    ("fsync", f"3<{FOLDER}>) = 0"),
    ("fdatasync", "4</d/wenqu.db-wal>) = 0"),
]


def moved(calls: list[tuple[str, str]], at: int, to: int) -> list[tuple[str, str]]:
    changed = list(calls)
    changed.insert(to, changed.pop(at))
    return changed


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda calls: calls, ""),
        (lambda calls: moved(calls, 13, 0), "the manifest is flushed as number 0"),
        (lambda calls: [*calls[:14], *calls[15:]], "the folder is not flushed before"),
        (lambda calls: moved(calls, 15, 17), "the folder above is not flushed"),
        (lambda calls: [*calls[:16], *calls[17:]], "the folder above is not flushed"),
        (lambda calls: moved(calls, 17, 16), "the database is written before the name"),
        (lambda calls: calls[:14], "no generation was renamed"),
    ],
)
def test_another_order_is_noticed(
    change: Callable[[list[tuple[str, str]]], list[tuple[str, str]]], says: str
) -> None:
    assert says in out_of_order(change(GOOD), Path("/d"))
    assert bool(says) == bool(out_of_order(change(GOOD), Path("/d")))
