"""What a server does under load: `python -m eval.bench.load [--full] [--seed N]`.

It serves an index of its own, so it touches nobody's, and asks it all of the bundled questions in
turn, each in a conversation that is stored.
"""

import argparse
import asyncio
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import numpy as np

from bot.cli import main as wenqu
from bot.testing import Server
from eval.bench.figures import Figure
from eval.bundled import GOLD

_QUESTION = re.compile(r'"question": "([^"]+)"')
_SECONDS = 120.0
_QUIET_SECONDS = 60.0
_COME_AND_GO = 3


def figures(*, full: bool, seed: int) -> Iterator[Figure]:
    """Run against a server of its own; `full` takes half an hour, the short form seconds."""
    with served(WENQU_WORKERS="8", WENQU_QUEUE="64") as server:
        yield overload(server, callers=500 if full else 150, places=8 + 64)
        yield left(server, times=1000 if full else 60, seed=seed)
    with served() as server:
        for callers in (1, 8, 32, 64, 128, 256) if full else (8, 128):
            yield pressed(server, callers, count=max(4 * callers, 200) if full else callers)
        yield steady(server, count=10_000 if full else 100, part=1000 if full else 25)


@contextmanager
def served(**environment: str) -> Iterator[Server]:
    """Serve the bundled texts from a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        if wenqu(["ingest", "--bundled", "--data", folder]):
            message = "the bundled texts were not indexed"
            raise RuntimeError(message)
        with (
            Path(folder, "log").open("wb") as log,
            Server(Path(folder), stderr=log, **environment) as server,
        ):
            yield server


def questions() -> list[str]:
    """Return all bundled questions, of the conversations as well."""
    files = sorted(GOLD.glob("*.jsonl"))
    return [each for file in files for each in _QUESTION.findall(file.read_text(encoding="utf-8"))]


@dataclass(slots=True)
class Tally:
    """What came back.

    Attributes:
        served: Seconds that each answer took.
        refused: Seconds that each 503 took.
        ends: Moments at which an answer came, since the beginning.
        statuses: How often there was each.
        wrong: What should never come back.
        expected: Answers to questions that were asked while nothing else went on.
    """

    expected: Mapping[str, str] = field(default_factory=dict)
    served: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)

    def take(self, question: str, response: httpx2.Response, seconds: float) -> None:
        """Count the response to a question."""
        self.statuses[response.status_code] += 1
        if response.status_code == httpx2.codes.OK:
            self.served.append(seconds)
            self.ends.append(time.perf_counter() - self.began)
            reply = response.json()
            expected = self.expected.get(question, reply["answer"])
            if reply["answer"] != expected or not expected:
                self.wrong.append(f"{question}: {reply['answer'][:80]}")
        elif response.status_code == httpx2.codes.SERVICE_UNAVAILABLE:
            self.refused.append(seconds)
            if not response.headers.get("retry-after", "").isdecimal():
                self.wrong.append("503 without Retry-After")
        else:
            self.wrong.append(response.text[:200])


async def _ask(http: httpx2.AsyncClient, question: str, tally: Tally) -> None:
    began = time.perf_counter()
    try:
        response = await http.post("/api/chat", json={"question": question})
    except httpx2.HTTPError as error:
        tally.wrong.append(type(error).__name__)
        return
    tally.take(question, response, time.perf_counter() - began)


def _client(server: Server, callers: int) -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=callers, max_keepalive_connections=callers)
    return httpx2.AsyncClient(base_url=server.url, timeout=_SECONDS, limits=limits)


async def _press(
    server: Server, callers: int, asked: Sequence[str], expected: Mapping[str, str] | None = None
) -> Tally:
    """Ask all of `asked`, by so many callers at a time."""
    tally, left_over = Tally(expected or {}), iter(asked)
    async with _client(server, callers) as http:

        async def call() -> None:
            for question in left_over:
                await _ask(http, question, tally)

        await asyncio.gather(*(call() for _ in range(callers)))
    return tally


def _cycled(count: int) -> list[str]:
    known = questions()
    return [known[at % len(known)] for at in range(count)]


def overload(server: Server, *, callers: int, places: int) -> Figure:
    """Ask by many callers at once, while somebody looks whether the process is up."""
    began = time.perf_counter()
    expected = {}
    for question in _cycled(places // 2):
        reply = httpx2.post(
            f"{server.url}/api/chat", json={"question": question}, timeout=_SECONDS
        ).json()
        expected[question] = reply["answer"]

    async def run() -> tuple[Tally, list[float]]:
        health: list[float] = []

        async def look(http: httpx2.AsyncClient) -> None:
            while True:
                asked = time.perf_counter()
                (await http.get("/healthz")).raise_for_status()
                health.append(time.perf_counter() - asked)
                await asyncio.sleep(0.1)

        async with _client(server, 1) as http:
            looking = asyncio.create_task(look(http))
            tally = await _press(server, callers, _cycled(callers), expected)
            looking.cancel()
        return tally, health

    tally, health = asyncio.run(run())
    lag = gauge(server, "wenqu_event_loop_lag_seconds")
    served, refused = tally.statuses[200], tally.statuses[503]
    return Figure(
        "R52",
        f"{callers} questions at once, {places} places",
        f"{served} answered as alone, {refused} turned away after {_ms(tally.refused)}, "
        f"healthz {_ms(health)}, event loop late by {lag * 1000:.0f} ms at most",
        not tally.wrong and served >= places and served + refused == callers,
        time.perf_counter() - began,
    )


def pressed(server: Server, callers: int, *, count: int) -> Figure:
    """Ask without a pause by so many callers."""
    began = time.perf_counter()
    tally = asyncio.run(_press(server, callers, _cycled(count)))
    seconds = time.perf_counter() - began
    share = tally.statuses[503] / count
    return Figure(
        "R60",
        f"{count} questions by {callers} callers",
        f"{tally.statuses[200] / seconds:.1f} answers/s, {_ms(tally.served)}, "
        f"{share:.0%} turned away, {len(tally.wrong)} errors",
        not tally.wrong,
        seconds,
    )


def steady(server: Server, *, count: int, part: int) -> Figure:
    """Ask many questions and compare the last with the first, in speed and in memory."""
    _press_all(server, part)  # caches are full and threads are there: from here on it is steady
    early, began = resident(server), time.perf_counter()
    tally = asyncio.run(_press(server, 64, _cycled(count)))
    seconds = time.perf_counter() - began
    ends = sorted(tally.ends)
    first, last = part / ends[part - 1], part / (ends[-1] - ends[-part - 1])
    late = resident(server)
    return Figure(
        "R60",
        f"{count} questions by 64 callers",
        f"first {part} at {first:.1f}/s, last {part} at {last:.1f}/s ({last / first - 1:+.0%}); "
        f"{early:.0f} MB before, {late:.0f} MB after; {_ms(tally.served)}; "
        f"{len(tally.wrong)} errors",
        not tally.wrong and len(ends) == count and last > 0.9 * first,
        seconds,
    )


def _press_all(server: Server, count: int) -> None:
    asyncio.run(_press(server, 64, _cycled(count)))


def left(server: Server, *, times: int, seed: int) -> Figure:
    """Leave in the middle of streams, and see what is held afterwards.

    A thread or two come and go by themselves, each with a connection to the database.
    """
    began = time.perf_counter()
    _leave(server, max(times // 10, 20), random.Random(seed))  # noqa: S311  # no secret
    before = held(server)
    _leave(server, times, random.Random(seed + 1))  # noqa: S311  # likewise
    after = held(server)
    return Figure(
        "R43",
        f"{times} clients left a stream (seed {seed})",
        f"descriptors {before.descriptors} to {after.descriptors}, "
        f"threads {before.threads} to {after.threads}",
        after.descriptors <= before.descriptors + _COME_AND_GO
        and after.threads <= before.threads + _COME_AND_GO,
        time.perf_counter() - began,
    )


def _leave(server: Server, times: int, dice: random.Random) -> None:
    async def leave(question: str) -> None:
        body = json.dumps({"question": question, "stream": True}).encode()
        head = (
            "POST /api/chat HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head.encode() + body)
        await writer.drain()
        await reader.read(dice.choice([0, 1, 200, 2000]))
        writer.close()
        with suppress(OSError):  # the server may have been quicker
            await writer.wait_closed()

    async def all_of_them() -> None:
        for question in _cycled(times):
            await leave(question)

    asyncio.run(all_of_them())


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds of the system."""

    descriptors: int
    threads: int


def held(server: Server) -> Held:
    """Return what the server holds, once nothing is going on."""
    until = time.monotonic() + _QUIET_SECONDS
    names = ("wenqu_streams", "wenqu_workers_busy", "wenqu_queue_waiting")
    while any(gauge(server, name) for name in names):
        if time.monotonic() > until:
            message = f"{names} are not 0 after {_QUIET_SECONDS} s"
            raise TimeoutError(message)
        time.sleep(0.2)
    folder = Path("/proc", str(server.process.pid))
    return Held(len([*(folder / "fd").iterdir()]), len([*(folder / "task").iterdir()]))


def resident(server: Server) -> float:
    """Return the resident memory of the server, in MB."""
    return gauge(server, "process_resident_memory_bytes") / 1e6


def gauge(server: Server, name: str) -> float:
    """Return the value of a metric without labels."""
    text = httpx2.get(f"{server.url}/metrics", timeout=_SECONDS).text
    found = re.search(rf"^{name} ([-+.0-9e]+)$", text, re.MULTILINE)
    if found is None:
        message = f"there is no metric {name}"
        raise ValueError(message)
    return float(found[1])


def _ms(seconds: Sequence[float]) -> str:
    if not seconds:
        return "none"
    p50, p95 = np.percentile(seconds, [50, 95]) * 1000
    return f"p50 {p50:.0f} ms, p95 {p95:.0f} ms"


def main(argv: Sequence[str] | None = None) -> int:
    """Run, and print each figure as it comes."""
    parser = argparse.ArgumentParser(prog="python -m eval.bench.load", description=__doc__)
    parser.add_argument("--full", action="store_true", help="the numbers of the documentation")
    parser.add_argument("--seed", type=int, default=8)
    options = parser.parse_args(argv)
    failed = False
    for figure in figures(full=options.full, seed=options.seed):
        failed |= not figure.held
        mark = "held" if figure.held else "BROKEN"
        sys.stdout.write(f"{figure.case} {mark} {figure.what}: {figure.value}\n")
        sys.stdout.flush()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
