from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bot.settings import Settings
from bot.testing import serving
from eval.bench.changes import answers_while_changing, deleted_never_answers, two_writers
from eval.bench.trial import Trial


@pytest.fixture
def urls(trial: Trial) -> Iterator[list[str]]:
    """Two services over one data folder, which share nothing else."""
    with ExitStack() as stack:
        data = stack.enter_context(trial.copy())
        ports = []
        for _ in range(2):
            runtime = trial.open_runtime(Settings(data=data))
            stack.callback(runtime.close)
            ports.append(stack.enter_context(serving(runtime)))
        yield [f"http://127.0.0.1:{port}" for port in ports]


@pytest.mark.slow
def test_what_was_deleted_is_in_nothing_that_any_service_says(urls: list[str]) -> None:
    figure = deleted_never_answers(urls, 60, seed=4)
    assert figure.held, figure.value


@pytest.mark.slow
def test_citations_fit_the_text_they_link_to_while_it_is_replaced(urls: list[str]) -> None:
    figure = answers_while_changing(urls, 3.0, seed=5)
    failures, wrong = figure.value.split(", ")[:2]
    assert failures.startswith("0 failures"), figure.value  # the time is for the full form
    assert wrong.startswith("0 wrong"), figure.value


@pytest.mark.slow
def test_two_changes_at_once_are_both_made_though_a_third_is_killed(trial: Trial) -> None:
    figure = two_writers(trial, 1)
    assert figure.held, figure.value
