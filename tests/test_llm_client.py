import asyncio
import email.utils
import gzip
import socket
import time
from collections.abc import Callable

import pytest

from bot.errors import GenerationError
from bot.llm.breaker import Breaker
from bot.llm.client import Model, Patience
from bot.llm.failures import retry_after
from bot.llm.prompt import Prompt
from bot.llm.testing import (
    DONE,
    HEAD,
    FakeModel,
    Script,
    chunk,
    event,
    fake_model,
    refusing,
    saying,
)
from bot.llm.transport import MOST_BYTES

PROMPT = Prompt("系统", "问题")
QUICK = Patience(first=2, gap=0.3, total=5)
PACKED = gzip.compress(b"\n" * 50_000_000)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def call(
    fake: FakeModel, patience: Patience = QUICK, breaker: Breaker | None = None, key: str = ""
) -> tuple[str, GenerationError | None]:
    """Return what came of one call, and how it failed if it did."""

    async def run() -> tuple[str, GenerationError | None]:
        model = Model(fake.url, "m", api_key=key, breaker=breaker, backoff_seconds=0.01)
        said = ""
        try:
            async for part in model.write(PROMPT, patience=patience, max_tokens=99):
                said += part
        except GenerationError as error:
            return said, error
        finally:
            await model.close()
        return said, None

    return asyncio.run(run())


def test_a_call_asks_for_a_stream_with_the_key_and_yields_every_part() -> None:
    with fake_model(saying("容器", "隔离进程", "。")) as fake:
        assert call(fake, key="geheim") == ("容器隔离进程。", None)
        assert fake.requests == [
            {
                "model": "m",
                "messages": [
                    {"role": "system", "content": "系统"},
                    {"role": "user", "content": "问题"},
                ],
                "max_tokens": 99,
                "temperature": 0,
                "stream": True,
            }
        ]
        assert fake.keys == ["Bearer geheim"]
        assert fake.open_connections() == 0


ODD_BUT_RIGHT = {
    "no role, no usage, no [DONE]": [HEAD, chunk("好"), chunk("。", finish="stop")],
    "comments and no choices": [
        HEAD,
        b": ping\n\n",
        event({"choices": []}),
        event({"id": "x"}),
        chunk("好。"),
        event({"choices": [], "usage": {"total_tokens": 3}}),
        chunk(finish="stop"),
        DONE,
    ],
    "no content": [HEAD, chunk(None, role="assistant"), chunk("好。"), chunk(finish="stop")],
    "reasoning": [
        HEAD,
        chunk(None, reasoning_content="先想想"),
        chunk("好。", reasoning_content="再想想"),
        chunk(finish="stop"),
    ],
    "a type of its own": [
        HEAD,
        event({"choices": [{"delta": {"content": 3}}]}),
        *saying("好。")[1:],
    ],
    "one byte at a time": [
        HEAD,
        *(bytes([byte]) for byte in chunk("好。") + chunk(finish="stop")),
        DONE,
    ],
    "another word for stop": [HEAD, chunk("好。"), chunk(finish="eos")],
}


@pytest.mark.parametrize("script", ODD_BUT_RIGHT.values(), ids=ODD_BUT_RIGHT.keys())
def test_streams_that_are_odd_but_complete_are_read(script: Script) -> None:
    with fake_model(script) as fake:
        assert call(fake) == ("好。", None)
        assert len(fake.requests) == 1


# What happens, what was said before, the reason, how many requests were made.
FAILURES: dict[str, tuple[Script, str, str, int]] = {
    "400": (refusing(400), "", "refused", 1),
    "401": (refusing(401), "", "refused", 1),
    "403": (refusing(403), "", "refused", 1),
    "404": (refusing(404), "", "refused", 1),
    "301": (refusing(301, "location: http://127.0.0.1:1/"), "", "refused", 1),
    "408": (refusing(408), "", "overloaded", 3),
    "429": (refusing(429, "retry-after: 0.01"), "", "overloaded", 3),
    "429 for an hour": (refusing(429, "retry-after: 3600"), "", "overloaded", 1),
    "500": (refusing(500, body=b"<html>"), "", "overloaded", 3),
    "503 in words": (refusing(503, "retry-after: soon"), "", "overloaded", 3),
    "closed at once": ([], "", "unreachable", 3),
    "reset at once": ([None], "", "unreachable", 3),
    "ends after its head": ([HEAD], "", "cut", 3),
    "an HTML page": (
        [b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<h1>Hi</h1>"],
        "",
        "cut",
        3,
    ),
    "no finish_reason": ([HEAD, chunk("好"), DONE], "好", "cut", 1),
    "no end at all": ([HEAD, chunk("好")], "好", "cut", 1),
    "cut inside an event": ([HEAD, chunk("好"), chunk("的")[:20]], "好", "cut", 1),
    "cut inside a character": ([HEAD, chunk("好"), chunk("的")[:-40]], "好", "cut", 1),
    "cut inside a chunk": (
        [
            HEAD.replace(b"connection: close", b"transfer-encoding: chunked"),
            b"%x\r\n" % len(chunk("好")) + chunk("好") + b"\r\nff\r\nda",
        ],
        "好",
        "cut",
        1,
    ),
    "reset in the middle": ([HEAD, chunk("好"), 0.1, None], "好", "cut", 1),
    "broken JSON at once": ([HEAD, b"data: {broken\n\n"], "", "garbled", 1),
    "broken JSON later": ([HEAD, chunk("好"), b"data: {broken\n\n"], "好", "garbled", 1),
    "JSON of another kind": ([HEAD, b"data: [1, 2]\n\n", DONE], "", "cut", 3),
    "no UTF-8": ([HEAD, b'data: {"choices": "\xff\xfe"}\n\n'], "", "garbled", 1),
    "an error event at once": ([HEAD, event({"error": {"message": "x"}})], "", "overloaded", 3),
    "an error event later": (
        [HEAD, chunk("好"), b'event: error\ndata: {"error": {"message": "x"}}\n\n'],
        "好",
        "cut",
        1,
    ),
    "silence in the middle": ([HEAD, chunk("好"), 9.0], "好", "timeout", 1),
    "its limit of tokens": ([HEAD, chunk("好"), chunk(finish="length")], "好", "length", 1),
    "held back": ([HEAD, chunk("好"), chunk(finish="content_filter")], "好", "filtered", 1),
    "gzip nobody asked for": (
        [HEAD[:-2] + b"content-encoding: gzip\r\n\r\n" + PACKED],
        "",
        "unreachable",
        3,
    ),
    "more than anybody reads": ([HEAD, b":" * (MOST_BYTES + 9)], "", "unreachable", 3),
}


@pytest.mark.parametrize(
    ("script", "said", "reason", "requests"), FAILURES.values(), ids=FAILURES.keys()
)
def test_a_failure_has_its_reason_and_is_tried_again_only_before_the_first_word(
    script: Script, said: str, reason: str, requests: int, caplog: pytest.LogCaptureFixture
) -> None:
    with fake_model(script) as fake:
        got, error = call(fake, key="geheim")
        assert error is not None
        assert (got, error.reason, len(fake.requests)) == (said, reason, requests)
        assert fake.open_connections() == 0
    warned = [record for record in caplog.records if record.name == "wenqu"]
    assert len(warned) == 1
    assert "geheim" not in caplog.text


def test_a_second_try_that_works_is_no_failure() -> None:
    with fake_model(refusing(503), [HEAD], saying("好。")) as fake:
        assert call(fake) == ("好。", None)
        assert len(fake.requests) == 3


def test_the_server_is_left_alone_as_long_as_it_asks() -> None:
    with fake_model(refusing(429, "retry-after: 0.6"), saying("好。")) as fake:
        began = time.monotonic()
        assert call(fake) == ("好。", None)
        assert time.monotonic() - began >= 0.6


def test_nobody_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    said, error = call(FakeModel([], url=f"http://127.0.0.1:{port}/v1"))
    assert (said, error and error.reason) == ("", "unreachable")


@pytest.mark.parametrize(
    "script",
    [
        [9.0],
        [HEAD, 9.0],
        [HEAD, *[step for _ in range(40) for step in (b": ping\n\n", 0.1)]],
        [HEAD, *[step for _ in range(40) for step in (chunk(None, reasoning_content="想"), 0.1)]],
    ],
    ids=["accepts and is silent", "only its head", "only pings", "only thinks"],
)
def test_a_model_that_says_no_word_in_time_is_given_up(script: Script) -> None:
    with fake_model(script) as fake:
        began = time.monotonic()
        said, error = call(fake, Patience(first=0.5, gap=5, total=5))
        assert (said, error and error.reason) == ("", "timeout")
        assert 0.4 < time.monotonic() - began < 2
        assert fake.left.wait(5)
        assert fake.open_connections() == 0


def test_a_model_that_never_comes_to_an_end_is_given_up() -> None:
    drip = [step for _ in range(40) for step in (chunk("滴"), 0.1)]
    with fake_model([HEAD, *drip]) as fake:
        said, error = call(fake, Patience(first=1, gap=1, total=0.6))
        assert error is not None
        assert error.reason == "timeout"
        assert 3 <= len(said) <= 6


def test_a_caller_that_leaves_has_the_model_stop() -> None:
    async def run(url: str) -> None:
        model = Model(url, "m")
        parts = model.write(PROMPT, patience=QUICK, max_tokens=9)
        assert await anext(parts) == "好"
        await parts.aclose()
        await model.close()

    with fake_model([HEAD, chunk("好"), 9.0]) as fake:
        asyncio.run(run(fake.url))
        assert fake.left.wait(5)
        assert fake.open_connections() == 0


def test_one_call_more_than_allowed_fails_at_once_and_a_place_is_freed() -> None:
    async def run(url: str) -> list[str]:
        model = Model(url, "m", concurrency=1)
        first = model.write(PROMPT, patience=QUICK, max_tokens=9)
        assert await anext(first) == "好"
        with pytest.raises(GenerationError) as error:
            await anext(model.write(PROMPT, patience=QUICK, max_tokens=9))
        assert error.value.reason == "busy"
        await first.aclose()
        said = [part async for part in model.write(PROMPT, patience=QUICK, max_tokens=9)]
        await model.close()
        return said

    with fake_model([HEAD, chunk("好"), 9.0], saying("二。")) as fake:
        assert asyncio.run(run(fake.url)) == ["二。"]
        assert len(fake.requests) == 2


def test_a_wrong_key_opens_the_circuit_at_once_and_a_probe_closes_it() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    with fake_model(refusing(401), saying("好。")) as fake:
        assert call(fake, breaker=breaker)[1] is not None
        clock.now = 29.9
        error = call(fake, breaker=breaker)[1]
        assert error is not None
        assert error.reason == "paused"
        assert len(fake.requests) == 1
        clock.now = 30.0
        assert call(fake, breaker=breaker) == ("好。", None)
        assert call(fake, breaker=breaker) == ("好。", None)
        assert len(fake.requests) == 3


def test_five_failures_in_half_a_minute_open_the_circuit() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for at in (0, 1, 2, 3):
        clock.now = at
        assert breaker.admits()
        breaker.failed()
    clock.now = 4
    assert breaker.admits()
    breaker.failed()
    assert not breaker.admits()
    clock.now = 34
    assert breaker.admits(), "one probe"
    assert not breaker.admits(), "and only one"
    breaker.failed()
    clock.now = 63
    assert not breaker.admits()
    clock.now = 64
    assert breaker.admits()
    breaker.left()
    assert breaker.admits(), "a probe that told nothing is made again"
    breaker.succeeded()
    assert breaker.admits()
    assert breaker.admits()


def test_five_failures_over_a_longer_time_or_with_a_success_between_do_not() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for at in range(0, 80, 8):
        clock.now = at
        breaker.failed()
        assert breaker.admits()
    breaker.succeeded()
    for _ in range(4):
        breaker.failed()
    assert breaker.admits()
    breaker.succeeded()
    breaker.failed()
    assert breaker.admits()


def in_seconds(seconds: float) -> str:
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("1", 1),
        ("0.5", 0.5),
        ("-3", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("", None),
    ],
)
def test_retry_after_in_seconds(value: str | None, expected: float | None) -> None:
    assert retry_after(value) == expected


@pytest.mark.parametrize(("offset", "low", "high"), [(100, 98, 101), (-100, None, None)])
def test_retry_after_as_a_date(offset: float, low: float | None, high: float | None) -> None:
    made: Callable[[float], str] = in_seconds
    found = retry_after(made(offset))
    assert (found is None) if low is None or high is None else (low <= (found or 0) <= high)
