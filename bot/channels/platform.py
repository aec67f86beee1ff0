"""Calls to the HTTP interface of a platform, with its access token, its errors and its pauses."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

import anyio
import httpx2

from bot.channels.access import Access
from bot.errors import PlatformError
from bot.wire import Json

PAUSES: tuple[float, ...] = (0.5, 3, 15)
"""Seconds before the second try and those after it."""
_LONGEST_PAUSE = 60.0
_TIMEOUT = httpx2.Timeout(10, connect=3)
_BUSY = frozenset({"-1", "45009", "130101", "230020", "99991400"})
"""企业微信: busy, too many calls; 钉钉: too many messages a minute; 飞书: too many, twice."""

_T = TypeVar("_T")


def client_of(base_url: str) -> httpx2.AsyncClient:
    """Return a client for one host: no redirects, and nothing that the environment says."""
    return httpx2.AsyncClient(
        base_url=base_url, timeout=_TIMEOUT, trust_env=False, follow_redirects=False
    )


async def call(client: httpx2.AsyncClient, method: str, url: str, **more: Any) -> Json:  # noqa: ANN401  # as httpx2 has it
    """Send a request and return the object it is answered with.

    Errors tell no address: 企业微信 wants secrets in it.

    Raises:
        PlatformError: It is not answered, or by an error.
    """
    try:
        response = await client.request(method, url, **more)
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
        message = f"no connection: {type(error).__name__}"
        raise PlatformError(message, arrived=False, retry_seconds=0) from None
    except httpx2.HTTPError as error:
        message = f"no answer: {type(error).__name__}"
        raise PlatformError(message, arrived=True, retry_seconds=0) from None
    status = response.status_code
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        seconds = response.headers.get("retry-after", "")
        pause = float(seconds[:6]) if seconds.isdecimal() else 0
        message = f"HTTP {status}"
        raise PlatformError(message, arrived=False, retry_seconds=pause)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        message = f"HTTP {status}"
        raise PlatformError(message, arrived=True, retry_seconds=0)
    return _accepted(status, response)


def _accepted(status: int, response: httpx2.Response) -> Json:
    try:
        found = response.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        message = f"HTTP {status}, no JSON object"
        raise PlatformError(message, arrived=True)
    code = found.get("errcode", found.get("code"))
    if status < HTTPStatus.MULTIPLE_CHOICES and code in (None, 0):  # no set: it may be a list
        return found
    said = str(found.get("errmsg") or found.get("msg") or found.get("message") or "")
    message = f"HTTP {status}, code {code}: {said[:200]}"
    retry = 0 if str(code) in _BUSY else None
    raise PlatformError(message, code=str(code), arrived=False, retry_seconds=retry)


@dataclass(frozen=True, slots=True)
class Platform:
    """The HTTP interface of a platform to one application.

    Attributes:
        client: For its host.
        access: The application's access token.
        stale: Codes of the errors that a fresh token mends.
        pauses: Seconds between tries; one try more than there are pauses.
    """

    client: httpx2.AsyncClient
    access: Access
    stale: Collection[str]
    pauses: tuple[float, ...] = PAUSES

    async def send(
        self,
        method: str,
        url: str,
        authorize: Callable[[str], Mapping[str, Any]],
        *,
        repeatable: bool = False,
        **more: Any,  # noqa: ANN401  # as httpx2 has it
    ) -> Json:
        """Call, with a token that is renewed if it has to be, and again where that is of use.

        Args:
            method: Of HTTP.
            url: Below the client's.
            authorize: Token to the arguments of the request that carry it.
            repeatable: Whether the platform takes the same request twice as one.
            more: Arguments of the request.

        Raises:
            PlatformError: It did not work, however often it was tried.
        """

        async def authorized() -> Json:
            token = await self.access.token()
            try:
                return await call(self.client, method, url, **authorize(token), **more)
            except PlatformError as error:
                if error.code not in self.stale:
                    raise
            self.access.drop(token)
            fresh = authorize(await self.access.token())
            return await call(self.client, method, url, **fresh, **more)

        return await insist(authorized, self.pauses, repeatable=repeatable)


async def insist(
    send: Callable[[], Awaitable[_T]], pauses: tuple[float, ...], *, repeatable: bool
) -> _T:
    """Try until it works; what may have arrived is only sent again if it is `repeatable`.

    Raises:
        PlatformError: The last try failed, or another one is of no use.
    """
    for pause in pauses:
        try:
            return await send()
        except PlatformError as error:
            if error.retry_seconds is None or (error.arrived and not repeatable):
                raise
            await anyio.sleep(min(max(pause, error.retry_seconds), _LONGEST_PAUSE))
    return await send()
