"""What is counted, for Prometheus. Labels are closed sets: no question, id or address in them."""

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Literal, TypeAlias

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from bot.answer import Answer
from bot.channels.outbox import Attempt
from bot.counters import Outcome, Verdict

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 120)

CONTENT_TYPE = CONTENT_TYPE_LATEST

Refusal: TypeAlias = Literal[
    "connections", "deadline", "overloaded", "rate_limited", "shutting_down", "slow_body",
    "too_large",
]  # fmt: skip
"""Why a request was turned away, or given up, though nothing need be wrong with it."""


class Metrics:
    """The counters of one application, apart from those of any other in the process."""

    def __init__(self) -> None:
        """Start at zero."""
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "wenqu_requests", "HTTP requests.", ["route", "method", "status"],
            registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "wenqu_request_seconds", "Time until the answer was sent.", ["route"],
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._answers = Counter(
            "wenqu_answers", "Answers by kind.", ["kind"], registry=self._registry
        )
        self._fallbacks = Counter(
            "wenqu_llm_fallbacks", "Answers that a language model did not finish, by reason.",
            ["reason", "mode"], registry=self._registry,
        )  # fmt: skip
        self._calls = Counter(
            "wenqu_llm_calls", "Calls to a language model by outcome.", ["outcome"],
            registry=self._registry,
        )  # fmt: skip
        self._sentences = Counter(
            "wenqu_llm_sentences", "Sentences of a language model by verdict.", ["verdict"],
            registry=self._registry,
        )  # fmt: skip
        self._deliveries = Counter(
            "wenqu_webhook_deliveries", "Tries to tell an endpoint of an event, by how they went.",
            ["attempt"], registry=self._registry,
        )  # fmt: skip
        self._stages = Histogram(
            "wenqu_stage_seconds", "Time that a stage of an answer took.", ["stage"],
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip

        self._refusals = Counter(
            "wenqu_refusals", "Requests turned away or given up, by reason.", ["reason"],
            registry=self._registry,
        )  # fmt: skip
        self._streams = Gauge(
            "wenqu_streams", "Answers that are being streamed.", registry=self._registry
        )
        build = Gauge(
            "wenqu_build_info", "Always 1.", ["version", "python"], registry=self._registry
        )
        build.labels(version("wenqu"), platform.python_version()).set(1)
        ProcessCollector(registry=self._registry)

    def show(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        """Have `read` called for the value of a gauge whenever somebody looks."""
        Gauge(name, help_text, registry=self._registry).set_function(read)

    def add(self, collector: Collector) -> None:
        """Have a collector asked as well whenever somebody looks."""
        self._registry.register(collector)

    def count_request(self, *, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request; `route` is the pattern that matched, never the path."""
        self._requests.labels(route, method, status).inc()
        self._seconds.labels(route).observe(seconds)

    def count_answer(self, answer: Answer) -> None:
        """Count an answer and the time of each of its stages."""
        self._answers.labels(answer.kind).inc()
        if answer.fallback:
            self._fallbacks.labels(answer.fallback, answer.mode).inc()
        for stage, milliseconds in answer.timings.items():
            self._stages.labels(stage).observe(milliseconds / 1000)

    def count_llm_call(self, outcome: Outcome) -> None:
        """Count a call to a language model."""
        self._calls.labels(outcome).inc()

    def count_sentence(self, verdict: Verdict) -> None:
        """Count a sentence of a language model."""
        self._sentences.labels(verdict).inc()

    def count_delivery(self, attempt: Attempt) -> None:
        """Count a try to tell an endpoint of an event."""
        self._deliveries.labels(attempt).inc()

    def count_refusal(self, reason: Refusal) -> None:
        """Count a request that was turned away or given up."""
        self._refusals.labels(reason).inc()

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Count a stream for as long as it is sent."""
        with self._streams.track_inprogress():
            yield

    def text(self) -> bytes:
        """Return all counters as Prometheus reads them."""
        return generate_latest(self._registry)
