"""What the database holds and what waits in it, counted when somebody looks at the metrics."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from bot.channels.jobs import ChannelJobRow
from bot.channels.outbox import DeliveryRow
from index.database import CollectionRow, Database, DocumentRow

_FATES = ("waiting", "dead")


@dataclass(frozen=True, slots=True)
class Stock:
    """Numbers of one moment.

    Attributes:
        documents: Of each collection.
        passages: Likewise.
        changed: When each collection was changed last, Unix time.
        jobs: Messages of each channel that wait for an answer, or never get one, by state.
        deliveries: Webhooks that wait, or are given up, by state.
    """

    documents: dict[str, int]
    passages: dict[str, int]
    changed: dict[str, float]
    jobs: dict[tuple[str, str], int]
    deliveries: dict[str, int]


def take_stock(database: Database) -> Stock:
    """Count.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: The database does not answer.
    """
    held = select(DocumentRow.collection, func.count(), func.sum(DocumentRow.passages)).group_by(
        DocumentRow.collection
    )
    changed = select(CollectionRow.name, CollectionRow.changed_at)
    jobs = (
        select(ChannelJobRow.channel, ChannelJobRow.state, func.count())
        .where(ChannelJobRow.state.in_(_FATES))
        .group_by(ChannelJobRow.channel, ChannelJobRow.state)
    )
    deliveries = (
        select(DeliveryRow.fate, func.count())
        .where(DeliveryRow.fate.in_(_FATES))
        .group_by(DeliveryRow.fate)
    )
    with database.read() as session:
        rows = session.execute(held).all()
        return Stock(
            documents={name: count for name, count, _ in rows},
            passages={name: int(passages or 0) for name, _, passages in rows},
            changed={
                name: datetime.fromisoformat(at).timestamp()
                for name, at in session.execute(changed)
            },
            jobs={(channel, state): n for channel, state, n in session.execute(jobs)},
            deliveries=dict.fromkeys(_FATES, 0) | dict(session.execute(deliveries).all()),
        )


class Shelf(Collector):
    """Shows the stock that was taken last, and nothing before the first."""

    def __init__(self) -> None:
        """Begin empty."""
        self.stock: Stock | None = None

    def collect(self) -> Iterable[Metric]:
        """Yield its numbers."""
        if self.stock is not None:
            yield from _metrics(self.stock)


def _metrics(stock: Stock) -> Iterator[Metric]:
    for name, help_text, values in (
        ("wenqu_documents", "Documents of a collection.", stock.documents),
        ("wenqu_passages", "Passages of a collection.", stock.passages),
        ("wenqu_index_changed_timestamp_seconds", "When it was changed last.", stock.changed),
    ):
        family = GaugeMetricFamily(name, help_text, labels=["collection"])
        for collection, value in values.items():
            family.add_metric([collection], value)
        yield family
    jobs = GaugeMetricFamily(
        "wenqu_channel_jobs", "Messages that wait, or are given up.", labels=["channel", "state"]
    )
    for labels, value in stock.jobs.items():
        jobs.add_metric(labels, value)
    yield jobs
    outbox = GaugeMetricFamily(
        "wenqu_outbox", "Webhook deliveries that wait, or are given up.", labels=["state"]
    )
    for state, value in stock.deliveries.items():
        outbox.add_metric([state], value)
    yield outbox
