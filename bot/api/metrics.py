"""What is counted, for Prometheus. Labels are closed sets: no question, id or address in them."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from bot.answer import Answer

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 120)

CONTENT_TYPE = CONTENT_TYPE_LATEST


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
        self._stages = Histogram(
            "wenqu_stage_seconds", "Time that a stage of an answer took.", ["stage"],
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip

    def count_request(self, *, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request; `route` is the pattern that matched, never the path."""
        self._requests.labels(route, method, status).inc()
        self._seconds.labels(route).observe(seconds)

    def count_answer(self, answer: Answer) -> None:
        """Count an answer and the time of each of its stages."""
        self._answers.labels(answer.kind).inc()
        for stage, milliseconds in answer.timings.items():
            self._stages.labels(stage).observe(milliseconds / 1000)

    def text(self) -> bytes:
        """Return all counters as Prometheus reads them."""
        return generate_latest(self._registry)
