"""Where a webhook may go. An address of others is asked for by us, from inside our network, so it must not lead back into it.

A name is resolved once, every address it has is judged, and the connection is made to one that was judged, not to the name:
an answer that changes in between changes nothing (OWASP, "Server-Side Request Forgery Prevention").
"""

import asyncio
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from httpcore2 import SOCKET_OPTION, AnyIOBackend, AsyncNetworkBackend, AsyncNetworkStream, ConnectError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
LONGEST_URL_CHARACTERS: Final = 2_000
# Addresses that carry one of the other kind inside: what counts is where they lead.
_NAT64: Final = ip_network("64:ff9b::/96")
_COMPATIBLE: Final = ip_network("::/96")
# Python's own judgement differs by release on these; none of them is a place of others.
_NOWHERE: Final = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "100.64.0.0/10",
            "192.0.0.0/24",
            "192.88.99.0/24",
            "198.18.0.0/15",
            "240.0.0.0/4",
            "64:ff9b:1::/48",
        ),
    )
)


class TargetForbidden(Exception):
    """The address leads to where webhooks may not go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Where webhooks may go: public addresses, and these networks. `https_only` in production."""

    networks: tuple[Network, ...] = ()
    https_only: bool = True

    @classmethod
    def of(cls, networks: str | None, *, https_only: bool) -> "Targets":
        """From the setting's text, networks apart by spaces."""
        return cls(networks=tuple(ip_network(each) for each in (networks or "").split()), https_only=https_only)

    def admits(self, address: Address) -> bool:
        """Whether a connection to this address may be made."""
        return any(address in network for network in self.networks) or _is_public(address)

    def problem(self, url: str) -> str | None:
        """What is wrong with an endpoint's address as it is written; None when nothing is. Names are not resolved."""
        if len(url) > LONGEST_URL_CHARACTERS or not all("!" <= letter <= "~" for letter in url):
            return f"must be an address in ASCII without spaces, of at most {LONGEST_URL_CHARACTERS} characters."
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
            host_is_written = bool(host and host.encode("idna"))
        except ValueError:
            host, host_is_written, parts = None, False, urlsplit("")
        schemes = {"https"} if self.https_only else {"https", "http"}
        if parts.scheme not in schemes or not host_is_written:
            return f"must begin with {' or '.join(f'{each}://' for each in sorted(schemes))} and name a host."
        if parts.username is not None or parts.password is not None:
            return "must not hold a user or password; the signature says who sends."
        if parts.fragment:
            return "must not have a fragment."
        address = _literal(str(host))
        if str(host).rstrip(".").lower() == "localhost":
            address = ip_address("127.0.0.1")
        if address is not None and not self.admits(address):
            return "must not lead into a private network; CDP_WEBHOOK_NETWORKS names those that it may."
        return None


class GuardedBackend(AsyncNetworkBackend):
    """Connects to addresses that were judged, and to no others. Raises TargetForbidden when the name leads elsewhere too."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._backend = AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 — the interface's
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """A connection to the first of the name's addresses that takes it."""
        async with asyncio.timeout(timeout):
            addresses = await _resolved(host, port)
            if not all(self._targets.admits(each) for each in addresses):
                raise TargetForbidden
            for each in addresses[:-1]:
                try:
                    return await self._backend.connect_tcp(str(each), port, None, local_address, socket_options)
                except ConnectError:
                    continue
            return await self._backend.connect_tcp(str(addresses[-1]), port, None, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


async def _resolved(host: str, port: int) -> Sequence[Address]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConnectError("the name is not known") from error
    return [ip_address(str(each[4][0]).partition("%")[0]) for each in found]


def _is_public(address: Address) -> bool:
    inside = _inside(address)
    if inside is not None:
        return _is_public(inside)
    is_special = address.is_multicast or address.is_reserved or address.is_loopback or address.is_link_local
    return address.is_global and not is_special and not any(address in network for network in _NOWHERE)


def _inside(address: Address) -> IPv4Address | None:
    """The address of the old kind that one of the new kind stands for."""
    if isinstance(address, IPv4Address):
        return None
    embedded = IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 or address in _COMPATIBLE else None
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None) or embedded


def _literal(host: str) -> Address | None:
    """The address that a host is by itself, in any spelling that the system's resolver takes for one."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))  # 127.1, 0x7f000001, 2130706433
    except (OSError, UnicodeError):
        return None
