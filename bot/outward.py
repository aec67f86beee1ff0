"""Requests to addresses that somebody named: only to where they may go, and never further.

A name is resolved once, every address of it is checked, and the connection goes to a checked one:
a name that resolves differently a moment later leads nowhere else. Proxies that the environment
names are not used, since they would resolve the name again.
"""

import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import anyio
import httpx2

from bot.addresses import Reach
from bot.errors import OutwardError

TOTAL_SECONDS = 20.0
_TIMEOUT = httpx2.Timeout(TOTAL_SECONDS, connect=5)
_PORTS = {"http": 80, "https": 443}

Resolve = Callable[..., Awaitable[Sequence[tuple[Any, ...]]]]


class Outward:
    """Sends requests. Nothing is kept between them: no connection, no cookie."""

    def __init__(
        self, resolve: Resolve = anyio.getaddrinfo, trusted: ssl.SSLContext | None = None
    ) -> None:
        """Find addresses by `resolve`, which is like `socket.getaddrinfo`.

        Args:
            resolve: Asked once for each request.
            trusted: Whose certificates are believed; the usual authorities' if None.
        """
        self._resolve = resolve
        # a connection is named by the address, so it must not serve another name at that address
        self._client = httpx2.AsyncClient(
            verify=trusted or ssl.create_default_context(),
            timeout=_TIMEOUT,
            limits=httpx2.Limits(max_keepalive_connections=0),
            trust_env=False,
            follow_redirects=False,
        )

    async def __aenter__(self) -> Self:
        """Be used for the time of a `with` block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close what is open."""
        await self._client.aclose()

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: httpx2.URL,
        headers: Mapping[str, str],
        *,
        reach: Reach,
        body: bytes | None = None,
    ) -> AsyncIterator[httpx2.Response]:
        """Send a request, and yield the response with its body still to come.

        Args:
            method: Of HTTP.
            url: Of http or https, with a host.
            headers: Beside the usual ones.
            reach: Where it may go.
            body: To send.

        Raises:
            OutwardError: It may not go there, or there is no answer, or it breaks off.
        """
        try:
            response = await self._sent(method, url, headers, reach, body)
            try:
                yield response
            finally:
                await response.aclose()
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, OSError, UnicodeError) as error:
            slow = isinstance(error, TimeoutError | httpx2.TimeoutException)
            message = f"no answer: {type(error).__name__}"
            raise OutwardError(message, code="slow" if slow else "unreachable") from None

    async def _sent(
        self,
        method: str,
        url: httpx2.URL,
        headers: Mapping[str, str],
        reach: Reach,
        body: bytes | None,
    ) -> httpx2.Response:
        host = url.raw_host.decode("ascii").rstrip(".").lower()
        port = url.port or _PORTS[url.scheme]
        if reach.ports is not None and port not in reach.ports:
            message = f"port {port} is not open, only {sorted(reach.ports)}"
            raise OutwardError(message, code="closed")
        refused: httpx2.HTTPError = httpx2.ConnectError("no address")
        for address in await self._addresses(host, port, reach):
            request = self._client.build_request(
                method,
                url.copy_with(host=address, port=port),
                content=body,
                headers={**headers, "host": url.netloc.decode("ascii")},
                extensions={"sni_hostname": host},
            )
            try:
                return await self._client.send(request, stream=True)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                refused = error  # it may be reachable at another of its addresses
        raise refused

    async def _addresses(self, host: str, port: int, reach: Reach) -> list[str]:
        found = await self._resolve(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        for address in addresses:
            if not reach.admits(host, address):
                message = f"{host} is not on the public network"  # where it is, is told to nobody
                raise OutwardError(message, code="closed")
        return addresses
