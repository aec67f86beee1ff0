"""What the database stands: many writers at once, locks that are held, readers that stay long."""

import random
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from bot.answer import Answer, Turn
from bot.conversations import new_id
from bot.session_rows import TurnRow
from bot.sessions import SessionStore
from eval.bench.figures import Figure
from index.database import Database
from index.engines import BUSY_SECONDS

_PROCESSES, _THREADS = 4, 16
_SESSIONS = 8
_BYTES_A_TURN = 100_000
"""In the log: some pages of each tree that a turn changes."""


def figures(*, full: bool, seed: int) -> Iterator[Figure]:
    """Yield what came of each run, on SQLite; see `writers` for PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/wenqu.db"
        yield writers(url, turns=10_000 if full else 160, mixed=False, seed=seed)
        yield writers(url, turns=10_000 if full else 160, mixed=True, seed=seed)
        yield waits(url, hold_seconds=3 if full else 0.5)
        yield gives_up(url, busy_seconds=BUSY_SECONDS if full else 0.5)
        yield long_reader(url, turns=5_000 if full else 200)


def writers(url: str, *, turns: int, mixed: bool, seed: int) -> Figure:
    """Have several processes of many threads write to the same few conversations.

    Args:
        url: Of the database.
        turns: Written in all, a multiple of 4.
        mixed: Whether there are votes and reads between them.
        seed: Of the choices.
    """
    started = time.monotonic()
    with closing(Database(url)) as database:
        store = SessionStore(database)
        sessions = [store.start("default") for _ in range(_SESSIONS)]
        shares = [turns // _PROCESSES] * _PROCESSES
        work = partial(_work, url, sessions, mixed)
        seeds = range(seed, seed + _PROCESSES)
        processes = get_context("forkserver")
        processes.set_forkserver_preload([__name__])
        with ProcessPoolExecutor(_PROCESSES, mp_context=processes) as pool:
            errors = [error for errors in pool.map(work, shares, seeds) for error in errors]
        kept, in_a_row = _counted(database, sessions)
    return Figure(
        "R69" if mixed else "R14",
        f"{_PROCESSES} processes of {_THREADS} threads write {turns} turns"
        f"{', read and vote' if mixed else ''} in {_SESSIONS} conversations"
        f" on {url.split(':', maxsplit=1)[0]}, seed {seed}",
        f"{kept} kept, {'in a row' if in_a_row else 'NOT in a row'}, {len(errors)} errors"
        + "".join(sorted({f"; {error}" for error in errors})),
        held=kept == turns and in_a_row and not errors,
        seconds=time.monotonic() - started,
    )


def waits(url: str, *, hold_seconds: float) -> Figure:
    """Hold the lock of writers for a while: who writes meanwhile waits, and gets through."""
    started = time.monotonic()
    with closing(Database(url)) as database, locked(url, hold_seconds):
        store = SessionStore(database)
        store.start("default")
        waited = time.monotonic() - started
    return Figure(
        "R14",
        f"the lock is held for {hold_seconds:.1f} s",
        f"a writer waited {waited:.1f} s and wrote",
        held=waited >= hold_seconds * 0.8,
        seconds=time.monotonic() - started,
    )


def gives_up(url: str, *, busy_seconds: float) -> Figure:
    """Hold the lock for longer than a writer waits: it is told so, and can write afterwards."""
    started = time.monotonic()
    database = Database(url, busy_seconds=busy_seconds)
    with closing(database), locked(url, busy_seconds + 2):
        store = SessionStore(database)
        refused = _refusal(partial(store.start, "default"))
        waited = time.monotonic() - started
    with closing(Database(url)) as after:
        SessionStore(after).start("default")
    return Figure(
        "R14",
        f"the lock is held for {busy_seconds + 2:.1f} s",
        f"a writer gave up after {waited:.1f} s: {refused}; wrote afterwards",
        held=refused == "OperationalError" and waited >= busy_seconds * 0.8,
        seconds=time.monotonic() - started,
    )


def long_reader(url: str, *, turns: int) -> Figure:
    """Read for as long as many turns are written, and see what becomes of the log."""
    started = time.monotonic()
    log = Path(f"{url.removeprefix('sqlite:///')}-wal")
    with closing(Database(url)) as database:
        store = SessionStore(database)
        session_id = store.start("default")
        with database.read() as reading:
            reading.execute(text("SELECT count(*) FROM turns"))
            for number in range(turns):
                store.add(session_id, _turn(number), turn_id=new_id())
            largest = log.stat().st_size
        store.add(session_id, _turn(turns), turn_id=new_id())
        done = database.scrub()
        left = log.stat().st_size
    return Figure(
        "R14",
        f"a reader stays for {turns} writes",
        f"the log grew to {largest / 1e6:.1f} MB, then {left / 1e6:.1f} MB",
        held=done and left == 0 and largest < turns * _BYTES_A_TURN,
        seconds=time.monotonic() - started,
    )


@contextmanager
def locked(url: str, seconds: float) -> Iterator[None]:
    """Hold the lock of an SQLite file's writers, from another connection, for so long."""
    held = threading.Event()

    def hold() -> None:
        path = url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            held.set()
            time.sleep(seconds)
            connection.execute("ROLLBACK")

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    yield
    thread.join()


def _work(url: str, sessions: Sequence[str], mixed: bool, turns: int, seed: int) -> list[str]:  # noqa: FBT001  # map gives arguments by position
    """Write so many turns by many threads, and return what went wrong."""
    chance = random.Random(seed)  # noqa: S311  # no secret
    plan = [(chance.choice(sessions), number) for number in range(turns)]
    with closing(Database(url)) as database, ThreadPoolExecutor(_THREADS) as pool:
        store = SessionStore(database)
        write = partial(_write, store, mixed)
        return [error for error in pool.map(write, plan) if error]


def _write(store: SessionStore, mixed: bool, step: tuple[str, int]) -> str:  # noqa: FBT001  # likewise
    session_id, number = step
    turn_id = new_id()
    try:
        if mixed:  # a reader first, as every question is: then a writer
            store.turns(session_id, "default")
        store.add(session_id, _turn(number), turn_id=turn_id)
        if mixed:
            store.feedback(turn_id, "up" if number % 2 else "down", voter=str(number % 5))
    except SQLAlchemyError as error:
        return type(error).__name__
    return ""


def _counted(database: Database, sessions: Sequence[str]) -> tuple[int, bool]:
    """Return how many turns were kept, and whether each conversation counts 1, 2, 3 …."""
    positions = select(
        func.count(),
        func.count(TurnRow.position.distinct()),
        func.min(TurnRow.position),
        func.max(TurnRow.position),
    ).group_by(TurnRow.session_id)
    with database.read() as session:
        rows = session.execute(positions.where(TurnRow.session_id.in_(sessions))).all()
    return (
        sum(count for count, *_ in rows),
        all(first == 1 and count == different == last for count, different, first, last in rows),
    )


def _refusal(work: Callable[[], object]) -> str:
    try:
        work()
    except OperationalError as error:
        return type(error).__name__
    return "nothing"


def _turn(number: int) -> Turn:
    return Turn(f"第{number}问？", Answer(f"第{number}答。", "chat", confidence=1.0))
