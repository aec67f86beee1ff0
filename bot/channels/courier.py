"""Brings events to their endpoints, each in its own time: one that hangs holds up no other."""

import logging
import time
from collections.abc import Callable
from http import HTTPStatus

import anyio
from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError

from bot.channels.events import encoded, message_of
from bot.channels.outbox import Attempt, Delivery, Outbox
from bot.channels.outward import post
from bot.channels.signing import signed
from bot.errors import PlatformError, SessionNotFoundError, TurnNotFoundError
from bot.outward import Outward
from bot.runtime import Runtime

_AT_ONCE = 4
"""Deliveries to one endpoint."""
_IDLE_SECONDS = 1.0
_BUSY = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_log = logging.getLogger("wenqu")


class Courier:
    """Empties the outbox of a runtime."""

    def __init__(
        self,
        runtime: Runtime,
        outward: Outward,
        count: Callable[[Attempt], None],
        *,
        clock: Callable[[], float] = time.time,
        idle_seconds: float = _IDLE_SECONDS,
    ) -> None:
        """Send by `outward`.

        Args:
            runtime: Has the outbox, and what is told of.
            outward: Sends.
            count: Told how each try went.
            clock: Tells Unix time.
            idle_seconds: Between looks whether something is due.
        """
        self._runtime = runtime
        self._outbox: Outbox = runtime.outbox
        self._outward = outward
        self._count = count
        self._clock = clock
        self._idle_seconds = idle_seconds

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with anyio.create_task_group() as tasks:
            for name, endpoint in self._outbox.endpoints.items():
                if endpoint.url:
                    tasks.start_soon(self._serve, name)

    async def _serve(self, name: str) -> None:
        room = anyio.Semaphore(_AT_ONCE)
        async with anyio.create_task_group() as tasks:
            while True:
                await room.acquire()
                tasks.start_soon(self._hand_over, await self._next(name), room)

    async def _next(self, name: str) -> Delivery:
        while True:
            try:
                delivery = await to_thread.run_sync(self._outbox.take, name)
            except SQLAlchemyError:  # the database may come back
                _log.exception("the deliveries to %s cannot be read", name)
                delivery = None
            if delivery is not None:
                return delivery
            await anyio.sleep(self._idle_seconds)

    async def _hand_over(self, delivery: Delivery, room: anyio.Semaphore) -> None:
        try:
            await self.deliver(delivery)
        except Exception:  # noqa: BLE001  # one delivery must not end the others; it is due again after its lease
            _log.exception("delivery %s failed unexpectedly", delivery.position)
        finally:
            room.release()

    async def deliver(self, delivery: Delivery) -> None:
        """Try once to bring a delivery that was taken, and write down how it went."""
        outbox = self._outbox
        endpoint = outbox.endpoints[delivery.endpoint]
        try:
            if await to_thread.run_sync(outbox.is_gone, delivery.endpoint):
                await to_thread.run_sync(outbox.give_up, delivery, "the endpoint is gone")
                return
            message = await to_thread.run_sync(message_of, self._runtime, delivery)
        except (SessionNotFoundError, TurnNotFoundError):
            await to_thread.run_sync(outbox.give_up, delivery, "what it tells of was deleted")
            return
        body = encoded(message)
        headers = signed(endpoint.secrets[0], delivery.event_id, body, self._clock())
        try:
            outcome = await post(
                self._outward, endpoint.url, body.encode(), headers, private=endpoint.private
            )
        except PlatformError as error:
            await self._failed(delivery, str(error))
            return
        if outcome.status // 100 == 2:  # noqa: PLR2004  # the class of success
            await to_thread.run_sync(outbox.delivered, delivery, outcome.status)
            self._count("delivered")
        elif outcome.status == HTTPStatus.GONE:
            _log.warning("endpoint %s is gone: it is told of nothing more", delivery.endpoint)
            await to_thread.run_sync(outbox.gone, delivery, endpoint.url)
            self._count("dead")
        else:
            slow = outcome.status in _BUSY
            pause = outcome.retry_seconds(self._clock()) if slow else 0
            reason = f"HTTP {outcome.status}"
            await self._failed(delivery, reason, status=outcome.status, retry_seconds=pause)

    async def _failed(
        self,
        delivery: Delivery,
        reason: str,
        *,
        status: int | None = None,
        retry_seconds: float = 0,
    ) -> None:
        fate = await to_thread.run_sync(
            lambda: self._outbox.failed(
                delivery, reason, status=status, retry_seconds=retry_seconds
            )
        )
        self._count("dead" if fate == "dead" else "failed")
        if fate == "dead":
            _log.error(
                "delivery %s to %s is given up after %s tries: %s",
                delivery.position,
                delivery.endpoint,
                delivery.tries,
                reason,
            )
