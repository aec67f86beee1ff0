"""Clients that ask a service as fast as it answers."""

import http.client
import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Pressed:
    """What came of it.

    Attributes:
        per_second: Questions answered, a second.
        milliseconds: Of each answer, sorted.
        failed: Answers other than 200, and broken connections.
    """

    per_second: float
    milliseconds: tuple[float, ...]
    failed: int


def press(
    port: int, questions: Iterator[str], *, clients: int, seconds: float, path: str = "/api/search"
) -> Pressed:
    """Have `clients` threads ask, each over a connection of its own, for some seconds.

    Args:
        port: On loopback.
        questions: Shared by all; none should come twice, lest the service remember it.
        clients: At the same time.
        seconds: After which no further question is asked.
        path: Of the endpoint; the question is its parameter `q`.
    """
    lock, spent, failed = threading.Lock(), list[float](), list[str]()
    end = time.perf_counter() + seconds

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while time.perf_counter() < end:
            with lock:
                question = next(questions)
            started = time.perf_counter()
            try:
                connection.request("GET", f"{path}?q={quote(question)}")
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException) as error:
                failed.append(repr(error))
                connection.close()
                continue
            if response.status == HTTPStatus.OK:
                spent.append((time.perf_counter() - started) * 1000)
            else:
                failed.append(str(response.status))
        connection.close()

    started = time.perf_counter()
    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    passed = time.perf_counter() - started
    return Pressed(len(spent) / passed, tuple(sorted(spent)), len(failed))


def never_twice(questions: Sequence[str]) -> Iterator[str]:
    """Yield questions for ever, from the second round on with a number before them."""
    yield from questions
    for number in itertools.count(2):
        for question in questions:
            yield f"{number} {question}"
