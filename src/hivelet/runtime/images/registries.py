"""Which registries may be spoken to without TLS, or with a certificate that nobody vouches for. Pure.

As with Docker: those that the daemon's owner names, by host and port or by network, and those on this host.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from hivelet.errors import InvalidParameter

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOCAL = re.compile(r"(localhost|127(?:\.\d{1,3}){3}|\[::1\])(:\d+)?")
_HOST = re.compile(r"(?:[a-zA-Z0-9.-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?")


@dataclass(frozen=True, slots=True)
class InsecureRegistries:
    """The registries that were named: `hosts` as they were written, and whole `networks`."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[_Network, ...] = ()

    def covers(self, domain: str) -> bool:
        """Whether the registry at `domain` (host and port) needs no TLS."""
        if _LOCAL.fullmatch(domain) or domain in self.hosts:
            return True
        host = domain.rpartition(":")[0] if re.search(r":\d+$", domain) else domain
        try:
            address = ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            return False
        return any(address in network for network in self.networks)


def parse_insecure(entries: Iterable[str]) -> InsecureRegistries:
    """Read `--insecure-registry`s: HOST, HOST:PORT or a network in CIDR notation.

    Raises:
        InvalidParameter: one is none of these.
    """
    hosts, networks = set(), []
    for entry in entries:
        if "/" in entry and "://" not in entry:
            try:
                networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError as error:
                raise InvalidParameter(
                    f"insecure registry {entry} is not valid: {error}"
                ) from error
        elif _HOST.fullmatch(entry):
            hosts.add(entry)
        else:
            raise InvalidParameter(
                f"insecure registry {entry} is not valid: give HOST, HOST:PORT or a network such as 10.0.0.0/8"
            )
    return InsecureRegistries(frozenset(hosts), tuple(networks))
