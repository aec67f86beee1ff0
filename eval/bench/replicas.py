"""Several servers on one PostgreSQL, one of them killed every so often, and nobody notices."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol, Self
from uuid import UUID

import httpx2
from sqlalchemy import func, select

from bot.session_rows import SessionRow, TurnRow
from bot.testing import Server
from bot.testing_postgres import Cluster
from eval.bench.figures import Figure
from index.database import Database

_CLIENTS = 4
_PATIENCE_SECONDS = 120
_ASKED = ("chroot 是哪一年出现的？", "Docker 是谁发布的？", "Kubernetes 是哪家公司的？", "你好")


class Replica(Protocol):
    """A server in a process of its own; `bot.testing.Server` is one."""

    process: "subprocess.Popen[str]"

    @property
    def url(self) -> str:
        """Where it answers."""

    def __enter__(self) -> Self:
        """Start it."""

    def __exit__(self, *_: object) -> None:
        """Have it stop."""


def figures(*, full: bool, seed: int) -> Iterator[Figure]:
    """Yield what came of asking two servers, as they are installed, over the bundled texts."""
    with Cluster() as cluster, tempfile.TemporaryDirectory() as folder:
        url = cluster.create()
        set_up = {**os.environ, "WENQU_DATABASE_URL": url, "WENQU_DATA": folder}
        ingest = [str(Path(sys.executable).with_name("wenqu")), "ingest", "--bundled"]
        subprocess.run(ingest, env=set_up, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # our own

        def start() -> Replica:
            return Server(Path(folder), WENQU_DATABASE_URL=url)

        questions, seconds = (1000, 10) if full else (60, 4)
        yield killed(start, url, questions=questions, seconds=seconds, seed=seed)


def killed(
    start: Callable[[], Replica], url: str, *, questions: int, seconds: float, seed: int
) -> Figure:
    """Ask two servers on one database while one after the other is killed and started again.

    Args:
        start: Makes a server that is not started yet.
        url: Of the database.
        questions: Asked in all, each with a key of its own; at least one server is killed
            meanwhile.
        seconds: Between kills.
        seed: Of the choices.
    """
    began = time.monotonic()
    with ExitStack() as stack:
        pair = _Pair(start, seconds, seed)
        stack.callback(pair.close)
        pair.open()
        with ThreadPoolExecutor(_CLIENTS) as pool:
            ends = list(pool.map(lambda number: _ask(pair, seed, number), range(questions)))
    statuses = Counter(status for status, _ in ends)
    answered = {turn_id for status, turn_id in ends if status == httpx2.codes.OK}
    with closing(Database(url)) as database, database.read() as session:
        kept = session.execute(select(TurnRow.id, TurnRow.question)).all()
        begun = session.scalar(select(func.count()).select_from(SessionRow)) or 0
    doubled = len(kept) - len({question for _, question in kept})
    others = statuses.total() - statuses[200] - statuses[503]
    held = {turn_id for turn_id, _ in kept} == answered and not others and not doubled
    return Figure(
        "R15",
        f"{questions} questions to 2 servers on PostgreSQL, one killed every {seconds:g} s,"
        f" seed {seed}",
        f"{pair.kills} kills: {statuses[200]} answered, {statuses[503]} refused by 503,"
        f" {others} others; {len(kept)} turns kept, {doubled} of them twice,"
        f" {begun - len(kept)} conversations left empty",
        held=held and pair.kills > 0,
        seconds=time.monotonic() - began,
    )


class _Pair:
    """Two servers, of which one is killed every so often and started again."""

    def __init__(self, start: Callable[[], Replica], seconds: float, seed: int) -> None:
        self.kills = 0
        self._start = start
        self._seconds = seconds
        self._chance = random.Random(seed)  # noqa: S311  # no secret
        self._replicas: list[Replica] = []
        self._stop = threading.Event()
        self._killer = threading.Thread(target=self._kill)

    def open(self) -> None:
        """Start both, and then the killing."""
        for _ in range(2):
            self._replicas.append(self._start().__enter__())
        self._killer.start()

    def close(self) -> None:
        """Have all stop."""
        self._stop.set()
        if self._killer.ident is not None:
            self._killer.join()
        for replica in self._replicas:
            replica.__exit__(None, None, None)

    def url(self, number: int) -> str:
        """Return the address of one of them, as it is now."""
        return self._replicas[number % 2].url

    def _kill(self) -> None:
        while not self._stop.wait(self._seconds):
            doomed = self._chance.randrange(2)
            process = self._replicas[doomed].process
            process.send_signal(signal.SIGKILL)
            process.communicate()
            self.kills += 1
            self._replicas[doomed] = self._start().__enter__()


def _ask(pair: _Pair, seed: int, number: int) -> tuple[int, str]:
    """Ask until there is an answer or a refusal, at the other server if one is gone."""
    chance = random.Random(seed * 1_000_003 + number)  # noqa: S311  # no secret
    key = str(UUID(int=chance.getrandbits(128)))
    body = {"question": f"{chance.choice(_ASKED)}（第{number}问）"}
    until = time.monotonic() + _PATIENCE_SECONDS
    server = number
    while time.monotonic() < until:
        try:
            response = httpx2.post(
                f"{pair.url(server)}/api/chat",
                json=body,
                headers={"idempotency-key": key},
                timeout=30,
            )
        except httpx2.TransportError:
            server += 1
            time.sleep(0.05)
            continue
        if response.status_code == httpx2.codes.CONFLICT:  # it is being answered by the other one
            time.sleep(0.05)
            continue
        return response.status_code, str(response.json().get("turn_id") or "")
    return 0, ""
