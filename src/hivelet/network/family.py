"""The two families of addresses, IPv4 and IPv6: what differs between them in rules, and where each has its values. Pure.

There is one table of rules for each family, made by the same builders; a builder asks its family for addresses, and finds
none where a network, a service or a task has none of that kind. The frames below them have a table as well, which is
written, compared and mended with the others; what is in it is the affair of `hivelet.network.rules.frames` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hivelet.network.names import TABLE
from hivelet.objects.common import NetworkId
from hivelet.objects.endpoint import Backend, BridgeNetwork, ServiceEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A family in nft's words."""

    version: int
    word: str
    """Of the table and of addresses in rules: `ip daddr`, `ip6 daddr`."""
    address_type: str
    icmp: str
    unreachable: str
    loopback: str

    @property
    def tracks(self) -> bool:
        """Whether its packets belong to connections."""
        return self is not FRAMES

    @property
    def table(self) -> str:
        """Our table in this family."""
        return f"{self.word} {TABLE}"

    def subnet(self, network: BridgeNetwork) -> str:
        """The network's subnet, "" where it has none of this family."""
        return network.subnet if self.version == 4 else network.subnet6

    def vips(self, entry: ServiceEntry) -> Mapping[NetworkId, str]:
        """The service's VIPs by network."""
        return entry.vips if self.version == 4 else entry.vips6

    def addresses(self, backend: Backend) -> Mapping[NetworkId, str]:
        """The task's addresses by network."""
        return backend.addresses if self.version == 4 else backend.addresses6

    def target(self, address: str, port: int) -> str:
        """An address with a port, as `dnat to` takes it."""
        return f"{address}:{port}" if self.version == 4 else f"[{address}]:{port}"

    def publishes(self, host_ip: str) -> bool:
        """Whether a port bound to this address of the host ("" for all) is reached by this family."""
        return not host_ip or (":" in host_ip) is (self.version == 6)


IPV4 = Family(
    version=4,
    word="ip",
    address_type="ipv4_addr",
    icmp="icmp",
    unreachable="reject with icmp port-unreachable",
    loopback="127.0.0.0/8",
)
IPV6 = Family(
    version=6,
    word="ip6",
    address_type="ipv6_addr",
    icmp="ipv6-icmp",
    unreachable="reject with icmpv6 port-unreachable",
    loopback="::1",
)
FRAMES = Family(
    version=2,
    word="bridge",
    address_type="ether_addr",
    icmp="",
    unreachable="drop",
    loopback="",
)
"""Not a family of addresses but the link layer, by its number: no builder of the others is asked for it."""
