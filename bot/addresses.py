"""Which addresses requests may go to: the public network, and what somebody opened on purpose."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Self, TypeAlias

_Network: TypeAlias = IPv4Network | IPv6Network
_TRANSLATED = tuple(map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))
"""IPv6 that stands for some IPv4 address: NAT64, 6to4, Teredo."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Where requests may go beside the public network.

    Attributes:
        hosts: Names, in lower case, that may be at any address.
        networks: Addresses that are open though they are not public.
        ports: That may be asked; any if None.
    """

    hosts: frozenset[str] = frozenset()
    networks: tuple[_Network, ...] = ()
    ports: frozenset[int] | None = None

    @classmethod
    def of(cls, opened: Iterable[str], ports: Iterable[int]) -> Self:
        """Open hosts, addresses and networks such as `wiki.example`, `10.1.2.3`, `10.1.0.0/16`."""
        networks = {each: network(each) for each in opened}
        return cls(
            frozenset(each.lower() for each, found in networks.items() if found is None),
            tuple(found for found in networks.values() if found is not None),
            frozenset(ports),
        )

    def admits(self, host: str, address: str) -> bool:
        """Return whether a request for `host` may go to `address`."""
        if host in self.hosts or is_public(address):
            return True
        at = ip_address(address.partition("%")[0])
        return any(at in each for each in self.networks)


PUBLIC = Reach()
EVERYWHERE = Reach(networks=(IPv4Network("0.0.0.0/0"), IPv6Network("::/0")))


def is_public(address: str) -> bool:
    """Return whether an address is one of the internet at large, and says so plainly."""
    found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if not found.is_global or found.is_multicast:
        return False
    if isinstance(found, IPv4Address):
        return True
    return found.ipv4_mapped is None and not any(found in each for each in _TRANSLATED)


def network(said: str) -> _Network | None:
    """Return the network or the one address that `said` is, None if it is a name.

    Raises:
        ValueError: It is a network with more bits set than it has.
    """
    try:
        return ip_network(said)
    except ValueError:
        if "/" in said:
            raise
        return None
