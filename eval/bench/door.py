"""What the door costs, how soon a key that is revoked ends, and what a flood of strangers takes.

python -m eval.bench.door
"""

import random
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import httpx2

from bot.api.limits import MOST, Rate, network
from bot.keys import Keys
from bot.testing import Server
from eval.bench.figures import Figure
from index.database import Database

_WENQU = str(Path(sys.executable).with_name("wenqu"))
_SOON = 5.0
_CHECK_MILLISECONDS = 1.0
_MOST_MEGABYTES = 10.0


def figures(*, full: bool, seed: int) -> Iterator[Figure]:
    """Yield what was measured; `seed` chooses the addresses of the flood."""
    with tempfile.TemporaryDirectory() as folder:
        yield checks(Path(folder), 1000 if full else 20, 20_000 if full else 2000)
    with tempfile.TemporaryDirectory() as folder:
        yield revoked(Path(folder), 20 if full else 3)
    yield flood(300_000 if full else 30_000, seed)


def checks(data: Path, keys: int, times: int) -> Figure:
    """Check one of many keys, as a request does, and tell what each check cost."""
    database = Database(f"sqlite:///{data}/wenqu.db")
    ring = Keys(database)
    tokens = [ring.add(f"key {number}", ["ask"])[1] for number in range(keys)]
    began = time.perf_counter()
    found = sum(ring.ring().find(tokens[number % keys]) is not None for number in range(times))
    seconds = time.perf_counter() - began
    database.close()
    each = 1000 * seconds / times
    return Figure(
        "R48",
        f"{times} checks of {keys} keys",
        f"{found} found, {each:.3f} ms each",
        found == times and each < _CHECK_MILLISECONDS,
        seconds,
    )


def revoked(data: Path, rounds: int) -> Figure:
    """Revoke keys by the command while two servers run, and tell how long they stay good."""
    database = Database(f"sqlite:///{data}/wenqu.db")
    keys = Keys(database)
    began, longest = time.monotonic(), 0.0
    log = (data / "log").open("wb")
    with log, Server(data, stderr=log) as one, Server(data, stderr=log) as other:
        for number in range(rounds):
            key, token = keys.add(f"key {number}", ["ask"])
            _until([one, other], token, 200)
            command = [_WENQU, "keys", "--data", str(data), "revoke", key.id]
            subprocess.run(command, check=True, capture_output=True)  # noqa: S603  # our own command
            longest = max(longest, _until([one, other], token, 401))
    database.close()
    return Figure(
        "R48",
        f"{rounds} keys revoked, two servers",
        f"good for {longest:.1f} s at most",
        longest < _SOON,
        time.monotonic() - began,
    )


def _until(servers: list[Server], token: str, status: int) -> float:
    """Ask until all answer so, and return the seconds it took."""
    headers = {"authorization": f"Bearer {token}"}
    began = time.monotonic()
    for server in servers:
        while (
            httpx2.get(f"{server.url}/api/documents", headers=headers).status_code != status
            and time.monotonic() - began < 2 * _SOON
        ):
            time.sleep(0.02)
    return time.monotonic() - began


def flood(strangers: int, seed: int) -> Figure:
    """Let in one request each from so many networks, and tell what remembering them takes."""
    chosen = random.Random(seed)  # noqa: S311  # addresses, no secrets
    rate = Rate(60)
    began = time.perf_counter()
    tracemalloc.start()
    for _ in range(strangers):
        rate.take(network(f"2001:db8:{chosen.getrandbits(16):x}:{chosen.getrandbits(16):x}::1"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    megabytes = peak / 1e6
    return Figure(
        "R51",
        f"{strangers} networks, seed {seed}",
        f"{len(rate)} remembered, {megabytes:.1f} MB",
        len(rate) <= MOST and megabytes < _MOST_MEGABYTES,
        time.perf_counter() - began,
    )


if __name__ == "__main__":
    for figure in figures(full=True, seed=1):
        print(figure)  # noqa: T201  # a program that a person runs
