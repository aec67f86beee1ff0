import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import anyio
import httpx2
import pytest

from bot.channels.access import Access, Token
from bot.channels.platform import Platform, call, client_of
from bot.channels.testing import Call, FakePlatform
from bot.errors import PlatformError

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Script:
    """Answers in turn; the last one for good."""

    said: list[tuple[int, object]] = field(default_factory=lambda: [(200, {"errcode": 0})])

    def answer(self, _call: Call) -> tuple[int, object]:
        return self.said.pop(0) if len(self.said) > 1 else self.said[0]


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def fake(script: Script) -> Iterator[FakePlatform]:
    with FakePlatform(script.answer) as platform:
        yield platform


@dataclass
class Fetcher:
    """Gives token 1, token 2 and so on, each slowly."""

    seconds: float = 7200
    fetched: int = 0

    async def fetch(self) -> Token:
        await anyio.sleep(0.01)
        self.fetched += 1
        return Token(f"token {self.fetched}", self.seconds)


async def test_many_who_want_a_token_share_one() -> None:
    fetcher = Fetcher()
    access = Access(fetcher.fetch)
    got = []

    async def want() -> None:
        got.append(await access.token())

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(want)
    assert got == ["token 1"] * 50


async def test_a_token_is_renewed_five_minutes_before_its_end() -> None:
    now = [0.0]
    access = Access(Fetcher().fetch, clock=lambda: now[0])
    assert await access.token() == "token 1"
    now[0] = 6899
    assert await access.token() == "token 1"
    now[0] = 6900
    assert await access.token() == "token 2"


async def test_a_short_token_is_used_for_half_its_life() -> None:
    now = [0.0]
    access = Access(Fetcher(seconds=100).fetch, clock=lambda: now[0])
    await access.token()
    now[0] = 49
    assert await access.token() == "token 1"
    now[0] = 50
    assert await access.token() == "token 2"


async def test_many_who_find_a_token_stale_have_it_renewed_once() -> None:
    fetcher = Fetcher()
    access = Access(fetcher.fetch)
    old = await access.token()
    for _ in range(5):
        access.drop(old)
        assert await access.token() == "token 2"


async def test_a_token_that_is_not_given_means_that_nothing_arrived() -> None:
    async def fetch() -> Token:
        reason = "HTTP 500"
        raise PlatformError(reason, arrived=True)

    with pytest.raises(PlatformError, match="HTTP 500") as error:
        await Access(fetch).token()
    assert not error.value.arrived


async def post(fake: FakePlatform, *, repeatable: bool, pauses: tuple[float, ...] = (0, 0)) -> None:
    async with client_of(fake.url) as client:
        platform = Platform(client, Access(Fetcher().fetch), {"40014"}, pauses)
        await platform.send(
            "POST", "/x", lambda token: {"params": {"t": token}}, repeatable=repeatable, json={}
        )


@pytest.mark.parametrize(
    ("said", "repeatable", "calls"),
    [
        ([(200, {"errcode": 0})], False, 1),
        ([(200, {"code": 0})], False, 1),
        ([(200, {})], False, 1),
        ([(200, {"errcode": 45009}), (200, {})], False, 2),
        ([(429, {}), (429, {}), (200, {})], False, 3),
        ([(500, {}), (503, {}), (200, {})], True, 3),
        ([(200, {"errcode": 40014}), (200, {})], False, 2),
    ],
)
async def test_what_helps_is_tried(
    fake: FakePlatform, script: Script, said: list[tuple[int, object]], calls: int, *,
    repeatable: bool,
) -> None:  # fmt: skip
    script.said = said
    await post(fake, repeatable=repeatable)
    assert len(fake.calls) == calls


@pytest.mark.parametrize(
    ("said", "repeatable", "calls", "message"),
    [
        ([(500, {})], False, 1, "HTTP 500"),
        ([(500, {})], True, 3, "HTTP 500"),
        ([(429, {})], False, 3, "HTTP 429"),
        ([(200, {"errcode": 81013, "errmsg": "nobody"})], True, 1, "code 81013: nobody"),
        ([(200, {"errcode": 40014, "errmsg": "stale"})], True, 2, "code 40014: stale"),
        ([(404, {"message": "none"})], True, 1, "HTTP 404, code None: none"),
        ([(302, {})], True, 1, "HTTP 302"),
        ([(200, [])], True, 1, "no JSON object"),
    ],
)
async def test_what_does_not_help_is_not_tried_for_ever(
    fake: FakePlatform, script: Script, said: list[tuple[int, object]], calls: int,
    message: str, *, repeatable: bool,
) -> None:  # fmt: skip
    script.said = said
    with pytest.raises(PlatformError, match=message):
        await post(fake, repeatable=repeatable)
    assert len(fake.calls) == calls


async def test_an_error_tells_no_address() -> None:
    async with client_of("http://127.0.0.1:1") as client:
        with pytest.raises(PlatformError) as error:
            await call(client, "GET", "/token", params={"corpsecret": "s3cret"})
    assert (str(error.value), error.value.arrived) == ("no connection: ConnectError", False)
    assert error.value.__suppress_context__


async def test_silence_may_mean_that_it_arrived() -> None:
    asleep = threading.Event()

    def answer(_call: Call) -> tuple[int, object]:
        asleep.wait(20)
        return 200, {}

    with FakePlatform(answer) as slow:
        async with httpx2.AsyncClient(base_url=slow.url, timeout=0.2) as client:
            with pytest.raises(PlatformError, match="no answer: ReadTimeout") as error:
                await call(client, "POST", "/x", json={})
        asleep.set()
    assert error.value.arrived
