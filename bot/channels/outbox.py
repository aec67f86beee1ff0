"""What endpoints are to be told, in the database until they have taken it.

A row is written in the transaction of what it tells of, so that neither is ever there without the
other. It names its subject and holds none of its words: what is sent is read when it is sent, so
an answer that was deleted meanwhile is not told any more.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from sqlalchemy import JSON, Float, Integer, String, Text, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from bot.channels.endpoints import Endpoint, Event
from bot.conversations import new_id
from bot.errors import DeliveryNotFoundError
from bot.wire import Json
from index.database import Base, Database, stamp
from index.library import IngestReport

Fate: TypeAlias = Literal["waiting", "delivered", "dead"]

Attempt: TypeAlias = Literal["delivered", "failed", "dead"]
"""How a try went; `dead` is the last one, or one after which none is of use."""

PAUSES: tuple[float, ...] = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds after each failure, of Standard Webhooks; one try more than there are pauses."""
JITTER = 0.2
"""A pause is longer by up to this share: what failed together is not tried together."""
LONGEST_PAUSE = 86_400.0
_MOST_IDS = 100
_LEASE_SECONDS = 30.0
"""Longer than a try can take. Who does not tell how it went by then is taken for dead."""


class DeliveryRow(Base):
    """An event on its way to one endpoint."""

    __tablename__ = "webhook_deliveries"
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    event_id: Mapped[str] = mapped_column(String(64))
    endpoint: Mapped[str] = mapped_column(String(64))
    event: Mapped[str] = mapped_column(String(40))
    subject: Mapped[Json] = mapped_column(JSON)
    created_at: Mapped[float] = mapped_column(Float, index=True)
    fate: Mapped[Fate] = mapped_column(String(10), default="waiting")
    tries: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[float] = mapped_column(Float)
    status: Mapped[int | None]
    reason: Mapped[str] = mapped_column(Text, default="")


class GoneRow(Base):
    """An endpoint that answered by 410: it wants nothing more at this address."""

    __tablename__ = "webhook_gone"
    endpoint: Mapped[str] = mapped_column(String(64), primary_key=True)
    url: Mapped[str] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way to one endpoint.

    Attributes:
        position: Counts deliveries, and names one.
        event_id: The same at every try.
        endpoint: Its name.
        event: What happened.
        subject: To what.
        created_at: When, Unix time.
        fate: Whether it arrived, still may, or never will.
        tries: Made so far.
        due_at: Of the next one, Unix time.
        status: Of the last response; None if there was none.
        reason: Why the last try failed; "" if it did not.
    """

    position: int
    event_id: str
    endpoint: str
    event: str
    subject: Json
    created_at: float
    fate: Fate
    tries: int
    due_at: float
    status: int | None
    reason: str


class Outbox:
    """The deliveries of all processes on one database. Safe to use from many threads."""

    def __init__(
        self,
        database: Database,
        endpoints: Mapping[str, Endpoint],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Keep them in `database`; `clock` tells Unix time."""
        self.endpoints = endpoints
        self._database = database
        self._clock = clock

    def tell(self, session: Session, event: Event, subject: Json) -> None:
        """Have every endpoint told that wants to know, once what `session` writes is committed."""
        told = [name for name, endpoint in self.endpoints.items() if event in endpoint.events]
        self._add(session, told, event, subject)

    def tell_of_documents(self, collection: str, session: Session, report: IngestReport) -> None:
        """Have every endpoint told that wants to know of a change of a collection, likewise."""
        subject = {"collection": collection, "passages": report.passages}
        if report.added or report.replaced:
            lists = _shortened(added=report.added, replaced=report.replaced)
            self.tell(session, "document.indexed", {**subject, **lists})
        if report.deleted:
            self.tell(
                session, "document.deleted", {**subject, **_shortened(deleted=report.deleted)}
            )

    def reply(self, session: Session, endpoint: str, subject: Json) -> None:
        """Have an endpoint told the answer to its question, likewise."""
        self._add(session, [endpoint], "chat.reply", subject)

    def _add(self, session: Session, told: Sequence[str], event: str, subject: Json) -> None:
        now, event_id = self._clock(), f"msg_{new_id()}"
        session.add_all(
            DeliveryRow(
                event_id=event_id,
                endpoint=name,
                event=event,
                subject=subject,
                created_at=now,
                due_at=now,
            )
            for name in told
        )

    def take(self, endpoint: str) -> Delivery | None:
        """Claim the oldest delivery to an endpoint that is due; nobody else gets it for a while."""
        now = self._clock()
        due = (
            DeliveryRow.endpoint == endpoint,
            DeliveryRow.fate == "waiting",
            DeliveryRow.due_at <= now,
        )
        oldest = select(DeliveryRow.position).where(*due).order_by(DeliveryRow.position).limit(1)
        with self._database.read() as session:
            if session.scalar(oldest) is None:  # as mostly: no writer is held up
                return None
        free = oldest.with_for_update(skip_locked=True).scalar_subquery()
        claim = (
            update(DeliveryRow)
            .where(DeliveryRow.position == free)
            .values(due_at=now + _LEASE_SECONDS, tries=DeliveryRow.tries + 1)
            .returning(DeliveryRow)
        )
        with self._database.write() as session:
            row = session.scalar(claim)
            return _delivery(row) if row else None

    def delivered(self, delivery: Delivery, status: int) -> None:
        """Note that it was taken."""
        self._settle(delivery, fate="delivered", status=status, reason="")
        with self._database.write() as session:
            session.execute(delete(GoneRow).where(GoneRow.endpoint == delivery.endpoint))

    def failed(
        self, delivery: Delivery, reason: str, *, status: int | None, retry_seconds: float
    ) -> Fate:
        """Note that it was not taken, and return whether there will be another try.

        Args:
            delivery: As it was given out.
            reason: For who reads the log of deliveries.
            status: Of the response, if there was one.
            retry_seconds: Not to be tried before; what the schedule says if that is later.
        """
        if delivery.tries > len(PAUSES):
            return self.give_up(delivery, reason, status=status)
        pause = PAUSES[delivery.tries - 1] * random.uniform(1, 1 + JITTER)  # noqa: S311  # no secret
        due_at = self._clock() + max(pause, min(retry_seconds, LONGEST_PAUSE))
        self._settle(delivery, due_at=due_at, status=status, reason=reason)
        return "waiting"

    def give_up(self, delivery: Delivery, reason: str, *, status: int | None = None) -> Fate:
        """Note that it was not taken and will not be tried again, unless somebody says so."""
        self._settle(delivery, fate="dead", status=status, reason=reason)
        return "dead"

    def gone(self, delivery: Delivery, url: str) -> None:
        """Note that the endpoint wants nothing more: what waits for it is dead."""
        with self._database.write(alone=f"gone {delivery.endpoint}") as session:
            session.merge(GoneRow(endpoint=delivery.endpoint, url=url))
        self.give_up(delivery, "the endpoint is gone", status=410)

    def is_gone(self, endpoint: str) -> bool:
        """Return whether an endpoint wants nothing more at the address that is set up now."""
        with self._database.read() as session:
            row = session.get(GoneRow, endpoint)
        return row is not None and row.url == self.endpoints[endpoint].url

    def _settle(self, delivery: Delivery, **values: object) -> None:
        # only who was given this try may say how it went
        this = (DeliveryRow.position == delivery.position, DeliveryRow.tries == delivery.tries)
        with self._database.write() as session:
            session.execute(update(DeliveryRow).where(*this).values(**values))

    def log(
        self,
        *,
        fate: Fate | None = None,
        endpoint: str | None = None,
        before: int | None = None,
        most: int = 50,
    ) -> list[Delivery]:
        """Return deliveries, newest first, from before a position if one is given."""
        query = select(DeliveryRow).order_by(DeliveryRow.position.desc()).limit(most)
        if fate is not None:
            query = query.where(DeliveryRow.fate == fate)
        if endpoint is not None:
            query = query.where(DeliveryRow.endpoint == endpoint)
        if before is not None:
            query = query.where(DeliveryRow.position < before)
        with self._database.read() as session:
            return [_delivery(row) for row in session.scalars(query)]

    def replay(self, position: int) -> Delivery:
        """Begin a delivery anew, now, with all its tries; also to an endpoint that was gone.

        Raises:
            DeliveryNotFoundError: There is none.
        """
        with self._database.write() as session:
            row = session.get(DeliveryRow, position, with_for_update=True)
            if row is None:
                raise DeliveryNotFoundError(position)
            session.execute(delete(GoneRow).where(GoneRow.endpoint == row.endpoint))
            row.fate, row.tries, row.due_at = "waiting", 0, self._clock()
            row.status, row.reason = None, ""
            return _delivery(row)

    def purge(self, before: datetime) -> None:
        """Forget what happened before then, wherever it has come by now."""
        old = DeliveryRow.created_at < before.timestamp()
        with self._database.write() as session:
            session.execute(delete(DeliveryRow).where(old))


def _shortened(**lists: Sequence[str]) -> Json:
    """Return the first ids of each list, with how many there are: a message has its limits."""
    first = {name: list(ids[:_MOST_IDS]) for name, ids in lists.items()}
    return {**first, **{f"{name}_count": len(ids) for name, ids in lists.items()}}


def delivery_json(delivery: Delivery) -> Json:
    """Return what a list shows of a delivery; times in UTC."""
    return {
        "id": delivery.position,
        "event_id": delivery.event_id,
        "endpoint": delivery.endpoint,
        "event": delivery.event,
        "created_at": _stamp(delivery.created_at),
        "state": delivery.fate,
        "tries": delivery.tries,
        "next_try_at": _stamp(delivery.due_at) if delivery.fate == "waiting" else None,
        "status": delivery.status,
        "reason": delivery.reason,
    }


def _stamp(seconds: float) -> str:
    return stamp(datetime.fromtimestamp(seconds, UTC))


def _delivery(row: DeliveryRow) -> Delivery:
    return Delivery(**{name: getattr(row, name) for name in Delivery.__slots__})
