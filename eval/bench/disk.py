"""A disk that is full: when documents change, and while questions are answered."""

import errno
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2

from bot.testing import Server
from bot.wire import Json
from eval.bench.figures import Figure
from eval.bench.kills import points, sharing
from eval.bench.trial import CHANGES, Trial

Serve = Callable[[Path], AbstractContextManager[str]]
"""Serves a data folder and yields the address."""

_SMALL = 3
_MEGABYTES = 20
_LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
os.execvp(sys.argv[2], sys.argv[2:])
"""
_QUESTION = "甲甲甲塔有多高？"
_SECONDS = 60
_WRITES = frozenset(["pwrite64", "fsync", "fdatasync", "rename", "ftruncate"])


def figures(*, full: bool, seed: int) -> Iterator[Figure]:
    """Fill disks and yield what happened."""
    with TemporaryDirectory() as made:
        trial = Trial(Path(made), sharing())
        for limit in (1_000, 10_000, 30_000, 60_000, 100_000) if full else (30_000,):
            yield change_within(trial, limit)
        if shutil.which("strace"):
            yield full_at_operations(trial, None if full else 4, seed)
        if can_mount(trial.folder):
            yield change_on_a_small_disk(trial, 50 if full else 10)
            yield questions_on_a_full_disk(trial, served)
            yield questions_on_a_read_only_disk(trial, served)


@contextmanager
def served(data: Path) -> Iterator[str]:
    """Serve by a real `wenqu serve`."""
    with Server(data) as server:
        yield server.url


def change_within(trial: Trial, limit: int) -> Figure:
    """Let no file grow beyond some bytes while documents are added."""
    started = time.monotonic()
    with trial.copy() as data:
        under = [sys.executable, "-c", _LIMITED, str(limit)]
        status, said = trial.attempt("ingest", data, under=under)
        wrong = _wrong(trial, data, status, said)
    return Figure(
        "R8",
        f"no file may have more than {limit} bytes while documents are added",
        wrong or said.strip(),
        held=not wrong,
        seconds=time.monotonic() - started,
    )


def full_at_operations(trial: Trial, count: int | None, seed: int) -> Figure:
    """Have each operation fail for want of room, one after the other; `count` if not all."""
    started, chance = time.monotonic(), random.Random(seed)  # noqa: S311  # no secret
    changes = CHANGES if count is None else CHANGES[:1]
    every = [
        (change, *point)
        for change in changes
        for point in points(trial, change)
        if point[0] in _WRITES
    ]
    ends, wrong = Counter[str](), list[str]()
    for change, call, number in every if count is None else chance.sample(every, count):
        with trial.copy() as data:
            inject = ["-e", f"inject={call}:error=ENOSPC:when={number}"]
            strace = ["strace", "-f", "-qq", "-o", "/dev/null", "--seccomp-bpf"]
            status, said = trial.attempt(
                change, data, under=[*strace, "-e", f"trace={call}", *inject]
            )
            done = status == 0 and trial.state(data) == trial.states[change]
            fault = "" if done else _wrong(trial, data, status, said)
            ends["made all the same" if done else "told, nothing changed"] += not fault
            if fault:
                wrong.append(f"{change}, {call} {number}: {fault}")
    told = ", ".join(f"{name} {number}" for name, number in sorted(ends.items()))
    return Figure(
        "R8",
        f"{count or 'each'} of {len(every)} file operations fails for want of room (seed {seed})",
        f"{told}, {len(wrong)} otherwise {wrong[:1] or ''}".strip(),
        held=not wrong,
        seconds=time.monotonic() - started,
    )


def change_on_a_small_disk(trial: Trial, megabytes: int) -> Figure:
    """Add more documents than a disk has room for."""
    started = time.monotonic()
    size = _MEGABYTES if megabytes > _MEGABYTES else _SMALL
    with small_disk(trial.data, size):
        shutil.copytree(trial.base, trial.data, dirs_exist_ok=True)
        more = trial.folder / "more"
        large = more / "large"
        large.mkdir(parents=True)
        for number in range(megabytes):
            line = f"第{number}卷里的石头从来不说话，也没有人问它。\n\n"
            (large / f"{number}.md").write_text(line * (1_000_000 // len(line.encode())), "utf-8")
        status, said = trial.attempt("ingest", trial.data)
        shutil.rmtree(large)
        wrong = _wrong(trial, trial.data, status, said)
    return Figure(
        "R8",
        f"{megabytes} MB of documents on a disk of {size}",
        wrong or said.strip().splitlines()[-1],
        held=not wrong,
        seconds=time.monotonic() - started,
    )


def questions_on_a_full_disk(trial: Trial, serve: Serve) -> Figure:
    """Fill the disk of a service to the last byte, ask, change documents, and make room again."""
    started = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(small_disk(trial.data, _MEGABYTES))
        shutil.copytree(trial.base, trial.data, dirs_exist_ok=True)
        url = stack.enter_context(serve(trial.data))
        client = stack.enter_context(httpx2.Client(base_url=url, timeout=_SECONDS))
        first = _ask(client)
        filler = trial.data / "filler"
        _fill(filler)
        again = [_ask(client), _ask(client, session_id=first["session_id"])]
        ready = client.get("/readyz").status_code
        added = client.post("/api/documents", json={"title": "新", "text": "新的石头。" * 9999})
        filler.unlink()
        last = _ask(client, session_id=first["session_id"])
        kept = client.get(f"/api/sessions/{first['session_id']}").json()["turns"]
    found = {
        "first kept": bool(first["turn_id"]),
        "answered": all(reply["answer"] == first["answer"] for reply in again),
        "said not to be kept": [reply["turn_id"] for reply in again] == [None, None],
        "ready": ready == httpx2.codes.OK,
        "a change is refused": added.status_code == httpx2.codes.INSUFFICIENT_STORAGE,
        "kept again once there is room": bool(last["turn_id"]),
        "the conversation is what was said to be kept": len(kept) == 2,  # noqa: PLR2004
    }
    return _told("R8", "questions on a full disk", found, started)


def questions_on_a_read_only_disk(trial: Trial, serve: Serve) -> Figure:
    """Serve a folder that nobody can write, not even root; ask, and try to change documents."""
    started = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(small_disk(trial.data, _MEGABYTES))
        shutil.copytree(trial.base, trial.data, dirs_exist_ok=True)
        subprocess.run(["mount", "-o", "remount,ro", str(trial.data)], check=True)  # noqa: S603, S607
        url = stack.enter_context(serve(trial.data))
        client = stack.enter_context(httpx2.Client(base_url=url, timeout=_SECONDS))
        reply = _ask(client)
        ready = client.get("/readyz").json()
        listed = client.get("/api/documents").json()
        added = client.post("/api/documents", json={"title": "新", "text": "新的石头。"})
        status, said = trial.attempt("ingest", trial.data)
    found = {
        "answered": bool(reply["citations"]),
        "said not to be kept": reply["turn_id"] is None,
        "ready": ready["status"] == "ready",
        "listed": bool(listed["documents"]),
        "an upload is refused with 503": added.status_code == httpx2.codes.SERVICE_UNAVAILABLE,
        "the reason is told": added.json()["code"] == "no_permission",
        "an ingest ends with 1 and one line": status == 1
        and "数据文件夹" in said
        and "Traceback" not in said,
    }
    return _told("R9", "questions and changes on a read-only disk", found, started)


def _told(case: str, what: str, found: Mapping[str, bool], started: float) -> Figure:
    """Return what held, by name, as one figure."""
    said = ", ".join(name if held else f"NOT {name}" for name, held in found.items())
    return Figure(case, what, said, all(found.values()), time.monotonic() - started)


def _wrong(trial: Trial, data: Path, status: int, said: str) -> str:
    """Return what is wrong with a change for which there was no room."""
    told = [line for line in said.splitlines() if line.startswith("wenqu: ")]
    if status != 1 or len(told) != 1 or "Traceback" in said:
        return f"status {status}: {said[-300:]}"
    if trial.state(data) != trial.states[None]:
        return "something has changed"
    left = [path.name for path in (data / "index").rglob(".tmp-*")]
    if left:
        return f"{left} is left"
    return ""


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a disk of some megabytes on a folder, for the time of a block."""
    folder.mkdir()
    try:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
        subprocess.run(mount, check=True, capture_output=True)  # noqa: S603  # no shell
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S603, S607
    finally:
        folder.rmdir()


def can_mount(folder: Path) -> bool:
    """Whether this process may mount a disk."""
    try:
        with small_disk(folder / "probe", 1):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def _fill(path: Path) -> None:
    """Write until the disk is full."""
    size = 1 << 20
    with path.open("wb", buffering=0) as file:
        while size:
            try:
                os.write(file.fileno(), bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                size //= 2


def _ask(client: httpx2.Client, **more: object) -> Json:
    response = client.post("/api/chat", json={"question": _QUESTION, **more})
    reply: Json = response.raise_for_status().json()
    return reply
