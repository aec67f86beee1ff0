from collections.abc import Iterator
from pathlib import Path

import pytest

from eval.bench.corruption import Ground
from eval.bench.opening import Opener, make
from index.manifest import MANIFEST


@pytest.fixture(scope="module")
def opener() -> Iterator[Opener]:
    with Opener() as made:
        yield made


@pytest.fixture
def ground(tmp_path: Path, opener: Opener) -> Ground:
    return Ground(tmp_path, opener, seed=6)


@pytest.mark.slow
def test_each_file_damaged_in_each_way_is_refused_by_name(ground: Ground) -> None:
    figure = ground.damaged_files(flips=1)
    assert figure.held, figure.value


@pytest.mark.slow
def test_a_manifest_that_is_none_of_ours_opens_nothing_else(ground: Ground) -> None:
    figure = ground.foreign_manifests()
    assert figure.held, figure.value


@pytest.mark.slow
@pytest.mark.parametrize("forged", [False, True])
def test_a_damaged_faiss_file_never_answers_wrongly(ground: Ground, *, forged: bool) -> None:
    figure = ground.behind_the_checksum(25, forged=forged)
    assert figure.held, figure.value
    assert forged or figure.value == "checksum 50"


@pytest.mark.slow
def test_a_count_that_no_memory_could_hold_costs_nothing(ground: Ground) -> None:
    figure = ground.oversized(20)
    assert figure.held, figure.value


def test_what_opens_tells_what_it_opened(opener: Opener, tmp_path: Path) -> None:
    whole = make(tmp_path, graph=True, seed=7)
    fate = opener.open(whole)
    assert (fate.status, fate.opened) == (0, True)
    assert opener.open(whole, "faiss").said == fate.said
    (whole / MANIFEST).write_bytes(b"{}")
    fate = opener.open(whole)
    assert (fate.status, fate.opened, fate.outside) == (0, False, ())
    assert MANIFEST in fate.said
    (whole / "dense.faiss").write_bytes(b"IxFI")
    assert "RuntimeError" in opener.open(whole, "faiss").said
