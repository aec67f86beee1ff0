import threading
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import pytest

from bot.api.envelope import REQUEST_ID
from bot.api.metrics import Refusal
from bot.api.workers import Workers
from bot.errors import OverloadedError

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@contextmanager
def closing(workers: Workers) -> Iterator[Workers]:
    try:
        yield workers
    finally:
        workers.close()


async def until(true: object) -> None:
    assert callable(true)
    with anyio.fail_after(10):
        while not true():  # noqa: ASYNC110  # threads change it, which set no event of a loop
            await anyio.sleep(0.005)


async def test_as_many_work_as_there_are_threads_as_many_wait_as_may_and_no_more() -> None:
    go_on, began, refused = threading.Event(), [], list[Refusal]()

    def work(number: int) -> int:
        began.append(number)
        go_on.wait(10)
        return number * number

    results = []

    async def ask(number: int) -> None:
        try:
            results.append(await workers.admit(work, number))
        except OverloadedError as error:
            results.append(-error.retry_seconds)

    with closing(Workers(2, 3, refused=refused.append)) as workers:
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(ask, number)
            await until(lambda: len(results) == 15 and len(began) == 2)
            assert (workers.busy, workers.waiting) == (2, 3)
            assert refused == ["overloaded"] * 15
            go_on.set()
        assert sorted(results) == [*[-5] * 15, 0, 1, 4, 9, 16]
        assert (workers.busy, workers.waiting) == (0, 0)


async def test_what_waits_is_never_begun_when_its_caller_goes() -> None:
    go_on, began = threading.Event(), []

    def work(number: int) -> None:
        began.append(number)
        go_on.wait(10)

    with closing(Workers(1, 10)) as workers:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(workers.admit, work, 0)
            await until(lambda: began == [0])
            async with anyio.create_task_group() as leaving:
                for number in range(1, 6):
                    leaving.start_soon(workers.admit, work, number)
                await until(lambda: workers.waiting == 5)
                leaving.cancel_scope.cancel()
            assert workers.waiting == 0
            go_on.set()
        await workers.admit(work, 6)
        assert began == [0, 6]


async def test_who_waits_too_long_is_told_and_the_thread_keeps_its_place_until_it_ends() -> None:
    go_on, running, most = threading.Event(), [], []

    def work() -> None:
        running.append(1)
        most.append(len(running))
        go_on.wait(10)
        running.pop()

    with closing(Workers(2, 50, deadline_seconds=0.05)) as workers:
        for _ in range(6):
            with pytest.raises(TimeoutError):
                await workers.admit(work)
        assert workers.busy == 2, "four never found a place"
        go_on.set()
        await until(lambda: workers.busy == 0)
    assert max(most) == 2


async def test_threads_do_not_become_more_however_often_callers_give_up() -> None:
    go_on = threading.Event()
    with closing(Workers(3, 500, deadline_seconds=0.02)) as workers:
        before = threading.active_count()
        async with anyio.create_task_group() as tasks:

            async def ask() -> None:
                with pytest.raises(TimeoutError):
                    await workers.admit(go_on.wait, 10)

            for _ in range(200):
                tasks.start_soon(ask)
        assert threading.active_count() <= before + 3
        go_on.set()
        await until(lambda: workers.busy == 0)


async def test_an_error_reaches_the_caller_and_frees_the_place() -> None:
    def fail() -> None:
        message = "the reason"
        raise ValueError(message)

    with closing(Workers(1, 0)) as workers:
        for _ in range(3):
            with pytest.raises(ValueError, match="the reason"):
                await workers.admit(fail)
            await until(lambda: workers.busy == 0)


async def test_work_knows_the_request_it_is_done_for() -> None:
    token = REQUEST_ID.set("request-1")
    with closing(Workers(1, 0)) as workers:
        assert await workers.admit(REQUEST_ID.get) == "request-1"
    REQUEST_ID.reset(token)
