"""Measurements for which another process holds the clock: starts, and services under pressure."""

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import httpx2
import numpy as np

from bot.settings import Settings
from bot.testing import Server
from corpus.fold import simplify
from eval.bench.kits.child import Place
from eval.bench.kits.cold import resident
from eval.bench.kits.ledger import Job, Values
from eval.bench.kits.pressure import never_twice, press
from eval.bench.kits.recipe import OURS
from index.model import model_folder

CLIENTS = (1, 8, 32)
_CHATS = 20
_ALONE = {
    "OMP_NUM_THREADS": "1",  # waiting threads of OpenMP spin, which a busy machine pays dearly
    "TOKENIZERS_PARALLELISM": "false",
}
_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "ORT_DISABLE_TELEMETRY": "1",
}
_LIMIT_SECONDS = 1800


def measure(job: Job, place: Place) -> Values:
    """Do a job in a process of its own.

    Raises:
        subprocess.SubprocessError: The process failed or took too long.
        OSError: It could not be started, or did not answer.
    """
    if job.measure in _OUTSIDE:
        return _OUTSIDE[job.measure](job, place)
    wish = {
        "job": asdict(job),
        "work": str(place.work),
        "data": str(place.data),
        "extent": asdict(place.extent),
    }
    command = [sys.executable, "-m", "eval.bench.kits.child", json.dumps(wish)]
    alone = job.measure == "query"  # what builds an index may use all cores
    done = subprocess.run(  # noqa: S603  # ours
        command,
        capture_output=True,
        text=True,
        check=True,
        env=_environment(alone=alone),
        timeout=_LIMIT_SECONDS,
    )
    values: Values = json.loads(done.stdout.splitlines()[-1])
    return values


def cold(job: Job, place: Place) -> Values:
    """Time from the start of a process to its first hits, and its memory then.

    `processor` are the seconds that its threads worked until its end: what a busy machine leaves
    as it is.
    """
    question = simplify(place.passages("served").asked[job.round].text)
    before = _worked()
    started = time.perf_counter()
    with _started("cold", job, place, question) as process:
        hits = _line(process)
        seconds = time.perf_counter() - started
        megabytes = float(_line(process))
    if not json.loads(hits):
        message = f"{job.stack} found nothing for {question!r}"
        raise OSError(message)
    return {"seconds": seconds, "megabytes": megabytes, "processor": _worked() - before}


def _worked() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def chat(job: Job, place: Place) -> Values:
    """Time from the start of `wenqu serve` to its first answer, and the answers after it."""
    asked = [one.text for one in place.passages("served").asked][job.round * (_CHATS + 1) :]
    started = time.perf_counter()
    with (
        tempfile.TemporaryFile() as log,
        Server(place.index("served", job.stack), stderr=log) as server,
    ):
        with httpx2.Client(base_url=server.url, timeout=60) as client:
            _ask(client, asked[0])
            first = time.perf_counter() - started
            megabytes = resident(server.process.pid)
            spent = [_ask(client, question) for question in asked[1 : _CHATS + 1]]
        p50, p95 = np.percentile(spent, [50, 95])
        return {
            "seconds": first,
            "megabytes": megabytes,
            "p50": float(p50),
            "p95": float(p95),
            "megabytes_later": resident(server.process.pid),
        }


def load(job: Job, place: Place) -> Values:
    """Press the service of a stack with ever more clients."""
    asked = never_twice([simplify(one.text) for one in place.passages("served").asked])
    values: dict[str, float] = {}
    with _service(job, place) as port:
        press(port, asked, clients=1, seconds=1)
        for clients in CLIENTS:
            found = press(port, asked, clients=clients, seconds=place.extent.seconds)
            values[f"per_second_{clients}"] = found.per_second
            values[f"p95_{clients}"] = float(np.percentile(found.milliseconds or (0.0,), 95))
            values[f"failed_{clients}"] = found.failed
    return values


_OUTSIDE = {"cold": cold, "chat": chat, "load": load}


def _ask(client: httpx2.Client, question: str) -> float:
    started = time.perf_counter()
    client.post("/api/chat", json={"question": question}).raise_for_status()
    return (time.perf_counter() - started) * 1000


@contextmanager
def _service(job: Job, place: Place) -> Iterator[int]:
    if job.stack == OURS:
        # Passages are what the kits return, so the reader has nothing to do here.
        with (
            tempfile.TemporaryFile() as log,
            Server(place.index("served", OURS), stderr=log, WENQU_READER="off") as server,
        ):
            yield server.port
        return
    with _started("serve", job, place) as process:
        said = _line(process)
        found = re.search(r":([0-9]+)$", said.strip())
        if found is None:
            message = f"the service of {job.stack} said {said!r}"
            raise OSError(message)
        yield int(found[1])
        process.terminate()


@contextmanager
def _started(
    module: str, job: Job, place: Place, question: str = ""
) -> Iterator["subprocess.Popen[str]"]:
    index = place.index("served", job.stack)
    model = model_folder(Settings().cache)
    name = f"eval.bench.kits.{module}"
    command = [sys.executable, "-m", name, job.stack, str(model), str(index)]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as log,
        subprocess.Popen(  # noqa: S603  # ours
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=_environment(alone=True),
        ) as process,
    ):
        try:
            assert process.stdin  # noqa: S101  # it is a pipe
            process.stdin.write(f"{question}\n")
            process.stdin.close()
            yield process
            process.wait(60)
        except BaseException as error:
            process.kill()
            log.seek(0)
            message = f"{name} {job.stack}: {error}: {log.read()[-800:]}"
            raise OSError(message) from error


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout  # noqa: S101  # it is a pipe
    said = process.stdout.readline()
    if not said:
        message = "it ended without a word"
        raise OSError(message)
    return said


def _environment(*, alone: bool) -> dict[str, str]:
    more: Mapping[str, str] = _ALONE if alone else {}
    # `python -m` in a child finds the packages where this process found them.
    path = str(Path(__file__).parents[3])
    return {**os.environ, "PYTHONPATH": path, **_OFFLINE, **more}
