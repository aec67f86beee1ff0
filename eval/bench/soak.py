"""A server under mixed load for minutes: `python -m eval.bench.soak [--minutes N] [--seed N]`.

People ask and leave in the middle, documents come and go, and the language model fails in every
way that it knows. What must not grow is looked at every few seconds.
"""

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import numpy as np

from bot.llm.testing import HEAD, Script, chunk, fake_model, refusing, saying
from bot.testing import Server
from eval.bench.figures import Figure
from eval.bench.load import gauge, questions, served

ASKING, LEAVING = 6, 2
_SAMPLE_SECONDS = 2.0
_TIMEOUT_SECONDS = 90.0
_MEGABYTES_A_MINUTE = 1.0
_COME_AND_GO = 6
"""Threads, with a connection to the database each, that a pool makes or lets go by itself."""
_MODEL: tuple[Script, ...] = (
    saying("这是一句没有出处的话。"),
    refusing(503),
    [HEAD, chunk("半句"), None],
    refusing(429, "retry-after: 1"),
    [HEAD, b"data: {broken\n\n"],
    [HEAD, chunk("一直说" * 50)],
)


def figures(*, full: bool, seed: int) -> Iterator[Figure]:
    """Run for five minutes, or for a quarter of one."""
    yield soaked(minutes=5 if full else 0.25, seed=seed)


@dataclass(slots=True)
class Watch:
    """What was seen.

    Attributes:
        at: Minutes since the beginning, of each sample.
        megabytes: Resident memory then.
        descriptors: Open files then.
        threads: Likewise.
        done: How often each thing was done.
        wrong: What should not have happened.
    """

    at: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def slope(self) -> float:
        """Return the growth of memory in MB a minute, after a third of the time to warm up."""
        first = len(self.at) // 3
        if len(self.at) - first < 3:  # noqa: PLR2004  # a line needs some points
            return 0.0
        return float(np.polyfit(self.at[first:], self.megabytes[first:], 1)[0])


def soaked(*, minutes: float, seed: int) -> Figure:
    """Put a server of its own under load."""
    began = time.perf_counter()
    with (
        fake_model(*_MODEL * 200) as model,
        served(
            WENQU_LLM_BASE_URL=model.url,
            WENQU_LLM_MODEL="fake",
            WENQU_LLM_FIRST_TOKEN_SECONDS="2",  # noqa: S106  # no secret
            WENQU_LLM_GAP_SECONDS="2",
        ) as server,
    ):
        watch = asyncio.run(_soak(server, minutes, random.Random(seed)))  # noqa: S311  # no secret
    middle = len(watch.at) // 2
    flat = [
        max(counts[middle:]) <= max(counts[: middle + 1]) + _COME_AND_GO
        for counts in (watch.descriptors, watch.threads)
    ]
    slope = watch.slope()
    done = ", ".join(f"{count} {name}" for name, count in sorted(watch.done.items()))
    # in the first minute memory still grows towards what it needs
    steady = slope < _MEGABYTES_A_MINUTE or minutes < 1
    return Figure(
        "R60",
        f"{minutes:g} minutes of mixed load (seed {seed}): {done}",
        f"{slope:+.2f} MB a minute ({watch.megabytes[0]:.0f} to {watch.megabytes[-1]:.0f}), "
        f"descriptors {min(watch.descriptors)} to {max(watch.descriptors)}, "
        f"threads {min(watch.threads)} to {max(watch.threads)}, {len(watch.wrong)} errors",
        not watch.wrong and all(flat) and steady,
        time.perf_counter() - began,
    )


async def _soak(server: Server, minutes: float, dice: random.Random) -> Watch:
    watch, known = Watch(), questions()
    limits = httpx2.Limits(max_connections=ASKING + LEAVING + 2)
    async with httpx2.AsyncClient(
        base_url=server.url, timeout=_TIMEOUT_SECONDS, limits=limits
    ) as http:
        work = [
            *(_ask(http, watch, known, dice) for _ in range(ASKING)),
            *(_leave(http, watch, known, dice) for _ in range(LEAVING)),
            _change(http, watch),
            _look(server, watch),
        ]
        with suppress(TimeoutError):
            async with asyncio.timeout(minutes * 60):
                await asyncio.gather(*work)
    return watch


async def _ask(
    http: httpx2.AsyncClient, watch: Watch, known: Sequence[str], dice: random.Random
) -> None:
    session_id = None
    while True:
        body = {"question": dice.choice(known)} | ({"session_id": session_id} if session_id else {})
        response = await http.post("/api/chat", json=body)
        _check(watch, response, {200, 503})
        watch.done["asked"] += 1
        found = response.json().get("session_id")
        session_id = found if dice.random() < 0.5 else None  # noqa: PLR2004  # as likely as not


async def _leave(
    http: httpx2.AsyncClient, watch: Watch, known: Sequence[str], dice: random.Random
) -> None:
    while True:
        body = {"question": dice.choice(known), "stream": True}
        async with http.stream("POST", "/api/chat", json=body) as response:
            if response.status_code == httpx2.codes.OK:
                async for _ in response.aiter_lines():
                    if dice.random() < 0.3:  # noqa: PLR2004  # some lines are read, some not
                        break
        watch.done["left"] += 1
        await asyncio.sleep(dice.random())


async def _change(http: httpx2.AsyncClient, watch: Watch) -> None:
    number = 0
    while True:
        number += 1
        text = f"# 第 {number} 份\n\n" + "".join(
            f"第 {number} 份的第 {line} 句话说明第 {line} 号机器的位置。\n\n" for line in range(20)
        )
        document = {"title": f"临时 {number % 5}", "text": text}
        response = await http.post("/api/documents", json=document)
        _check(watch, response, {200})
        watch.done["added"] += 1
        await asyncio.sleep(1)
        if response.status_code == httpx2.codes.OK and number % 2:
            for added in (*response.json()["added"], *response.json()["replaced"]):
                _check(watch, await http.delete(f"/api/documents/{added}"), {200})
                watch.done["deleted"] += 1


async def _look(server: Server, watch: Watch) -> None:
    began = time.monotonic()
    folder = Path("/proc", str(server.process.pid))
    while True:
        watch.at.append((time.monotonic() - began) / 60)
        watch.megabytes.append(
            await asyncio.to_thread(gauge, server, "process_resident_memory_bytes") / 1e6
        )
        watch.descriptors.append(len([*(folder / "fd").iterdir()]))
        watch.threads.append(len([*(folder / "task").iterdir()]))
        await asyncio.sleep(_SAMPLE_SECONDS)


def _check(watch: Watch, response: httpx2.Response, statuses: set[int]) -> None:
    if response.status_code not in statuses:
        watch.wrong.append(f"{response.status_code} {response.text[:200]}")
        sys.stderr.write(f"{watch.wrong[-1]}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run, and print the figure."""
    parser = argparse.ArgumentParser(prog="python -m eval.bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=8)
    options = parser.parse_args(argv)
    figure = soaked(minutes=options.minutes, seed=options.seed)
    mark = "held" if figure.held else "BROKEN"
    sys.stdout.write(f"{figure.case} {mark} {figure.what}: {figure.value}\n")
    return int(not figure.held)


if __name__ == "__main__":
    sys.exit(main())
