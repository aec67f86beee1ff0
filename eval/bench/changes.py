"""Documents that change while questions are asked, by several servers over one data folder."""

import itertools
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, urlsplit

import httpx2
import numpy as np

from bot.testing import Server
from bot.wire import Json
from eval.bench.figures import Figure
from eval.bench.kills import sharing
from eval.bench.trial import Trial

_SERVERS = 4
_THREADS = 8
_SLOWER = 3
"""So many times its usual time an answer may take while documents change."""
_SECONDS = 60
_LEAST = 3
"""Texts that a document has had, for anything to be shown."""
_HOLD = """
import sys, time
from pathlib import Path
from index.lock import locked
with locked(Path(sys.argv[1]), "default", 0):
    print(flush=True)
    time.sleep(600)
"""


def figures(*, full: bool, seed: int) -> Iterator[Figure]:
    """Change documents under questions and yield what was answered."""
    with TemporaryDirectory() as made:
        trial = Trial(Path(made), sharing())
        with ExitStack() as stack:
            data = stack.enter_context(trial.copy())
            log = stack.enter_context(Path(os.devnull).open("wb"))
            count = _SERVERS if full else 2
            servers = [stack.enter_context(Server(data, stderr=log)) for _ in range(count)]
            urls = [server.url for server in servers]
            yield deleted_never_answers(urls, 1000 if full else 60, seed)
            yield answers_while_changing(urls, 60.0 if full else 3.0, seed)
        yield two_writers(trial, 20 if full else 2)
        if full:
            yield writer_that_waits_too_long(trial)


def deleted_never_answers(urls: Sequence[str], requests: int, seed: int) -> Figure:
    """Delete a document while it is asked for, and look for its word in all that is answered."""
    started, chance = time.monotonic(), random.Random(seed)  # noqa: S311  # no secret
    word = "".join(chance.choices("魑魅魍魉饕餮貔貅", k=6))
    text = f"会发光的石头产于{word}山。会发光的石头是蓝色的，名叫{word}。"
    question = "会发光的石头产于哪里？"
    found, asked = list[str](), 0
    with ExitStack() as stack:
        clients = [
            stack.enter_context(httpx2.Client(base_url=url, timeout=_SECONDS)) for url in urls
        ]
        name = _added(clients[0], "石头", text)
        before = [_ask(client, question) for client in clients]
        knew = all(word in reply["answer"] and reply["citations"] for reply in before)
        sessions = [reply["session_id"] for reply in before]
        stop = threading.Event()
        busy = [threading.Thread(target=_keep_asking, args=(url, question, stop)) for url in urls]
        for thread in busy:
            thread.start()
        clients[-1].delete(f"/api/documents/{name}").raise_for_status()
        views = itertools.cycle(_views(name, sessions, question))
        for client, (view, look) in zip(itertools.cycle(clients), views, strict=False):
            said = look(client)
            if word in said:
                found.append(f"{view}: {said[:200]}")
            asked += 1
            if asked == requests // 2:  # once more after others were added
                _added(clients[0], "别的", "别的石头不会发光。")
            if asked == requests:
                break
        stop.set()
        for thread in busy:
            thread.join()
    return Figure(
        "R12",
        f"{requests} requests to {len(urls)} servers after a document was deleted (seed {seed})",
        f"its word was found {len(found)} times {found[:1] or ''}".strip(),
        held=knew and not found,
        seconds=time.monotonic() - started,
    )


def _views(
    name: str, sessions: Sequence[str], question: str
) -> list[tuple[str, Callable[[httpx2.Client], str]]]:
    """Return what shows documents, or what was said of them."""

    def chat(client: httpx2.Client, **more: object) -> str:
        return _text(_ask(client, question, **more))

    def follow_up(client: httpx2.Client) -> str:
        return chat(client, session_id=sessions[-1])

    def get(path: str, **more: str) -> Callable[[httpx2.Client], str]:
        return lambda client: client.get(path, params=more, headers={"accept": "text/html"}).text

    return [
        ("chat", chat),
        ("follow-up", follow_up),
        ("search", get("/api/search", q=question)),
        *(("history", get(f"/api/sessions/{session}")) for session in sessions),
        ("document", get(f"/api/documents/{name}")),
        ("page", get(f"/documents/{name}")),
        ("list", get("/api/documents")),
        ("suggestions", get("/api/suggestions")),
    ]


def _text(reply: Json) -> str:
    return json.dumps(reply, ensure_ascii=False)


@dataclass(slots=True)
class Told:
    """What was answered while documents changed.

    Attributes:
        milliseconds: Each answer took.
        replies: The answer objects.
        failures: What was no answer.
    """

    milliseconds: list[float] = field(default_factory=list)
    replies: list[Json] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def answers_while_changing(urls: Sequence[str], seconds: float, seed: int) -> Figure:
    """Ask from many threads while a document is replaced and others come and go."""
    started = time.monotonic()
    idle = Told()
    _ask_from_threads(urls, idle, 1.0 if seconds < 10 else 5.0)  # noqa: PLR2004
    texts: dict[tuple[str, str], str] = {}
    told, stop = Told(), threading.Event()
    with httpx2.Client(base_url=urls[0], timeout=_SECONDS) as client:
        changing = threading.Thread(target=_keep_changing, args=(client, texts, stop, seed))
        changing.start()
        _ask_from_threads(urls, told, seconds)
        while len(texts) < _LEAST and changing.is_alive():  # a slow machine
            _ask_from_threads(urls, told, 1.0)
        stop.set()
        changing.join()
    wrong = [fault for reply in told.replies for fault in _faults(reply, texts)]
    slow, usual = (float(np.percentile(each.milliseconds, 95)) for each in (told, idle))
    return Figure(
        "R10, R13",
        f"{len(told.replies)} questions from {_THREADS} threads while documents changed "
        f"{len(texts)} times (seed {seed})",
        f"{len(told.failures)} failures {told.failures[:1] or ''}, {len(wrong)} wrong citations "
        f"{wrong[:1] or ''}, p95 {slow:.0f} ms (idle {usual:.0f})",
        held=not told.failures and not wrong and slow < _SLOWER * usual and len(texts) >= _LEAST,
        seconds=time.monotonic() - started,
    )


def _ask_from_threads(urls: Sequence[str], told: Told, seconds: float) -> None:
    until = time.monotonic() + seconds

    def ask(url: str) -> None:
        with httpx2.Client(base_url=url, timeout=_SECONDS) as client:
            while time.monotonic() < until:
                begun = time.perf_counter()
                try:
                    told.replies.append(_ask(client, "玄石塔有多高？"))
                except (httpx2.HTTPError, KeyError) as error:
                    told.failures.append(f"{type(error).__name__}: {error}")
                told.milliseconds.append((time.perf_counter() - begun) * 1000)

    threads = [
        threading.Thread(target=ask, args=(url,))
        for url in itertools.islice(itertools.cycle(urls), _THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _keep_changing(
    client: httpx2.Client, texts: dict[tuple[str, str], str], stop: threading.Event, seed: int
) -> None:
    """Replace a document by texts of other lengths; add others and delete them."""
    chance = random.Random(seed)  # noqa: S311  # no secret
    for number in itertools.count():
        text = f"{'序言。' * chance.randrange(40)}玄石塔高{100 + number}尺，建在山上。"
        name = _added(client, "玄石塔", text, source="玄石塔.md")
        held = client.get(f"/api/documents/{name}").raise_for_status().json()
        texts[name, held["version"]] = held["text"]
        other = _added(client, f"过客{number}", f"过客{number}来过又走了。")
        client.delete(f"/api/documents/{other}").raise_for_status()
        if stop.is_set():
            return


def _faults(reply: Json, texts: dict[tuple[str, str], str]) -> Iterator[str]:
    """Yield what is wrong with the citations of the document that was replaced."""
    versions = Counter[str]()
    for citation in reply["citations"]:
        if not citation["view_url"]:
            continue
        version = parse_qs(urlsplit(citation["view_url"]).query)["v"][0]
        text = texts.get((citation["document_id"], version))
        if text is None:
            continue
        versions[version] += 1
        if text[citation["start"] : citation["end"]] != citation["quote"]:
            yield f"{citation['quote']!r} is not at {citation['start']} of version {version}"
    if len(versions) > 1:
        yield f"versions {sorted(versions)} in one answer"


def two_writers(trial: Trial, times: int) -> Figure:
    """Start two changes at once, each time killing a third that has the lock."""
    started, ends = time.monotonic(), Counter[str]()
    for _ in range(times):
        with trial.copy() as data:
            holder = _holding(data)
            processes = [trial.start(change, data) for change in ("ingest", "delete")]
            time.sleep(0.5)
            waited = all(process.poll() is None for process in processes)
            _end(holder)
            statuses = [process.wait(_SECONDS * 5) for process in processes]
            both = len(trial.state(data)[0]) == _BOTH
            ends["both made" if waited and statuses == [0, 0] and both else f"{statuses}"] += 1
    return Figure(
        "R11",
        f"{times} times two changes at once, after a third that had the lock was killed",
        ", ".join(f"{name} {count}" for name, count in ends.items()),
        held=set(ends) == {"both made"},
        seconds=time.monotonic() - started,
    )


_BOTH = 60
"""Documents, after fifty were added to twenty and ten were deleted."""


def writer_that_waits_too_long(trial: Trial) -> Figure:
    """Let a change wait for another that does not end."""
    started = time.monotonic()
    with trial.copy() as data:
        holder = _holding(data)
        status, said = trial.attempt("ingest", data)
        _end(holder)
    return Figure(
        "R11",
        "a change while another one does not end",
        f"status {status}: {said.strip()}",
        held=status == 3 and f"（{holder.pid}）" in said,  # noqa: PLR2004  # busy
        seconds=time.monotonic() - started,
    )


def _holding(data: Path) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-c", _HOLD, str(data / "index" / "default")]
    holder = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own code
    assert holder.stdout  # noqa: S101  # it is a pipe
    holder.stdout.readline()
    return holder


def _end(holder: "subprocess.Popen[str]") -> None:
    holder.kill()
    holder.communicate()


def _ask(client: httpx2.Client, question: str, **more: object) -> Json:
    response = client.post("/api/chat", json={"question": question, **more})
    reply: Json = response.raise_for_status().json()
    return reply


def _keep_asking(url: str, question: str, stop: threading.Event) -> None:
    with httpx2.Client(base_url=url, timeout=_SECONDS) as client:
        while not stop.is_set():
            _ask(client, question)


def _added(client: httpx2.Client, title: str, text: str, **more: str) -> str:
    """Add a text and return the id of its document."""
    response = client.post("/api/documents", json={"title": title, "text": text, **more})
    report: dict[str, list[str]] = response.raise_for_status().json()
    (name,) = report["added"] + report["replaced"] + report["unchanged"]
    return name
