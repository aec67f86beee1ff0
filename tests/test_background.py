import logging

import anyio
import pytest

from bot.api.background import Background
from bot.errors import OverloadedError

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_work_goes_on_after_it_was_given() -> None:
    background, done = Background(), anyio.Event()

    async def work(one: int, two: str) -> None:
        assert (one, two) == (1, "二")
        done.set()

    async with background.open():
        background.spawn(work, 1, "二")
        assert not done.is_set()
        with anyio.fail_after(5):
            await done.wait()


async def test_a_failure_is_logged_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    background, done = Background(), anyio.Event()

    async def fail() -> None:
        message = "the reason"
        raise ValueError(message)

    async def work() -> None:
        done.set()

    with caplog.at_level(logging.ERROR, "wenqu"):
        async with background.open():
            background.spawn(fail)
            background.spawn(work)
            with anyio.fail_after(5):
                await done.wait()
    (record,) = caplog.records
    assert record.exc_info
    assert str(record.exc_info[1]) == "the reason"


async def test_more_than_there_is_room_for_is_turned_away_until_some_is_done() -> None:
    background, go_on = Background(most=2), anyio.Event()
    async with background.open():
        background.spawn(go_on.wait)
        background.spawn(go_on.wait)
        with pytest.raises(OverloadedError, match="try again in 5 s"):
            background.spawn(go_on.wait)
        go_on.set()
        await anyio.wait_all_tasks_blocked()
        background.spawn(go_on.wait)


async def test_at_the_end_work_may_finish_and_none_begins() -> None:
    background = Background(grace_seconds=5)
    finished = []

    async def work() -> None:
        await anyio.sleep(0.05)
        finished.append(1)
        with pytest.raises(OverloadedError):
            background.spawn(work)

    with pytest.raises(OverloadedError):
        background.spawn(work)
    async with background.open():
        background.spawn(work)
    assert finished == [1]


async def test_what_does_not_finish_is_cancelled() -> None:
    background, ended = Background(grace_seconds=0.05), []

    async def hang() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(1)

    with anyio.fail_after(5):
        async with background.open():
            background.spawn(hang)
            await anyio.wait_all_tasks_blocked()
    assert ended == [1]
