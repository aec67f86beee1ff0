"""Requests to addresses that somebody set up: only to where they may go, and never further.

A name is resolved once, every address of it is checked, and the connection goes to a checked one:
a name that resolves differently a moment later leads nowhere else.
"""

import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Self
from urllib.parse import urlsplit

import anyio
import httpx2

from bot.errors import PlatformError

TOTAL_SECONDS = 20.0
_TIMEOUT = httpx2.Timeout(TOTAL_SECONDS, connect=5)
_PORTS = {"http": 80, "https": 443}
_TRANSLATED = tuple(map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))
"""IPv6 that stands for some IPv4 address: NAT64, 6to4, Teredo."""

Resolve = Callable[..., Awaitable[Sequence[tuple[Any, ...]]]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request was answered.

    Attributes:
        status: Of HTTP.
        retry_after: As it was said: seconds or a date; "" if nothing was.
    """

    status: int
    retry_after: str = ""

    def retry_seconds(self, now: float) -> float:
        """Return for how long not to try again, 0 if nothing readable was said."""
        if self.retry_after.isascii() and self.retry_after.isdecimal():
            return float(self.retry_after[:9])
        try:
            return max(0.0, parsedate_to_datetime(self.retry_after).timestamp() - now)
        except (ValueError, OverflowError):
            return 0.0


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

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, private: bool
    ) -> Outcome:
        """Send a body, and read nothing but the head of the response.

        Args:
            url: Checked when it was set up.
            body: JSON.
            headers: Beside the usual ones.
            private: Whether it may go to the own network, and without TLS.

        Raises:
            PlatformError: There is no answer, or it may not go there.
        """
        try:
            with anyio.fail_after(TOTAL_SECONDS):
                return await self._post(url, body, headers, private=private)
        except (httpx2.HTTPError, TimeoutError, OSError, UnicodeError) as error:
            message = f"no answer: {type(error).__name__}"
            raise PlatformError(message, arrived=True, retry_seconds=0) from None

    async def _post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, private: bool
    ) -> Outcome:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port or _PORTS[parts.scheme]
        refused: httpx2.HTTPError = httpx2.ConnectError("no address")
        for address in await self._addresses(host, port, private=private):
            shown = f"[{address}]" if ":" in address else address
            request = self._client.build_request(
                "POST",
                parts._replace(netloc=f"{shown}:{port}").geturl(),
                content=body,
                headers={**headers, "host": parts.netloc, "content-type": "application/json"},
                extensions={"sni_hostname": host},
            )
            try:
                response = await self._client.send(request, stream=True)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                refused = error  # it may be reachable at another of its addresses
                continue
            await response.aclose()
            return Outcome(response.status_code, response.headers.get("retry-after", ""))
        raise refused

    async def _addresses(self, host: str, port: int, *, private: bool) -> list[str]:
        found = await self._resolve(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        for address in addresses:
            if not private and not is_public(address):
                message = f"{host} is at {address}, which is not on the public network"
                raise PlatformError(message, arrived=False)
        return addresses


def is_public(address: str) -> bool:
    """Return whether an address is one of the internet at large, and says so plainly."""
    found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if not found.is_global or found.is_multicast:
        return False
    if isinstance(found, IPv4Address):
        return True
    return found.ipv4_mapped is None and not any(found in network for network in _TRANSLATED)
