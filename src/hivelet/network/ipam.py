"""Addresses: which subnet a network gets, which address a task or a VIP gets. Pure.

Of both families: what is said of a subnet holds for an IPv4 and an IPv6 one, and each is compared with its own kind.
Subnets are chosen first-fit among the pools, never overlapping anything in use (`used`: subnet → who uses it).
Addresses are given in ascending order, and a freed one is not given again before the cursor has come round: callers
of a dead task must not reach its successor by a stale answer. What always holds: the network address, the broadcast
address, the gateway and auxiliary addresses are never given out; an error names both sides and the way out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from hivelet.errors import Conflict, Forbidden, InvalidParameter

IPNetwork = IPv4Network | IPv6Network
IPAddress = IPv4Address | IPv6Address

LOCAL_POOLS: tuple[tuple[str, int], ...] = (
    *((f"172.{second}.0.0/16", 16) for second in range(17, 32)),
    ("192.168.0.0/16", 20),
)
"""Docker's default pools for bridges of one host, each with the prefix length its subnets get."""

NO_POOL = "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network"
"""Docker's sentence for exhausted pools; users search for it, so it stays word for word."""


ROUTE = "route through "
"""How a user of a subnet begins that is a route of the host."""


class PoolExhausted(Forbidden):
    """Every candidate subnet overlaps something in use."""


class PoolOverlaps(Forbidden):
    """The subnet that was asked for overlaps something in use."""


class AddressesExhausted(Conflict):
    """A network has no address left."""


def choose_subnet(
    pools: Iterable[tuple[str, int]], used: Mapping[str, str], *, why: str = ""
) -> str:
    """The first subnet of the pools that overlaps nothing in `used`.

    The cost is in the number of used subnets, not in the size of the pools: a clash skips to the end of the clashing
    subnet at once.

    Raises:
        PoolExhausted: all are taken; says by what, and how to name another one.
    """
    tried: list[str] = []
    for pool_text, prefix in pools:
        pool = parse_subnet(pool_text)
        tried.append(pool_text)
        size = 1 << (pool.max_prefixlen - prefix)
        start, end = int(pool.network_address), int(pool.broadcast_address)
        found = _first_gap(start, end, size, _merge(used, pool.version))
        if found is not None:
            return f"{_address(found, pool.version)}/{prefix}"
    raise PoolExhausted(_exhausted_message(tried, used, why))


def check_subnet(subnet: str, used: Mapping[str, str], *, name: str = "") -> None:
    """Refuse a subnet that overlaps something in use.

    Who names a subnet may take a part of a wider route away from it, as in Docker: the kernel prefers the narrower one, and
    where routes cover all pools there is no other way.

    Raises:
        InvalidParameter: it is no subnet.
        PoolOverlaps: names both sides.
    """
    wanted = parse_subnet(subnet)
    for other, owner in used.items():
        part_of_route = owner.startswith(ROUTE) and wanted.prefixlen > prefix_length(other)
        if _overlap(wanted, other) and not part_of_route:
            raise PoolOverlaps(
                f"Pool overlaps with other one on this address space: {subnet}"
                f"{f' (network {name})' if name else ''} overlaps {other}, in use by {owner}. "
                "Choose another one with --subnet, or remove what uses it."
            )


def parse_subnet(subnet: str) -> IPNetwork:
    """A subnet in CIDR notation as a value.

    Raises:
        InvalidParameter: it is none, or has host bits set.
    """
    try:
        return ip_network(subnet)
    except ValueError as error:
        raise InvalidParameter(f"invalid subnet {subnet}: {error}") from error


def prefix_length(subnet: str) -> int:
    """The prefix length of a subnet; 0 where there is none."""
    return int(subnet.rpartition("/")[2] or 0)


def is_ipv6(text: str) -> bool:
    """Whether an address or a subnet is an IPv6 one."""
    return ":" in text


def choose_gateway(
    subnet: str, *, ip_range: str = "", requested: str = "", auxiliary: Collection[str] = ()
) -> str:
    """The gateway's address: the one asked for, or the first of the range or subnet that is no auxiliary address.

    Raises:
        InvalidParameter: the one asked for is not inside the subnet, or none is left.
    """
    network = parse_subnet(subnet)
    if requested:
        # As the kernel writes it: there are many ways to write an IPv6 address.
        requested = str(_parse_address(requested))
        if _parse_address(requested) not in network:
            raise InvalidParameter(
                f"no matching subnet for gateway {requested}: it is outside of {subnet}"
            )
        return requested
    low, high = usable_span(network, parse_subnet(ip_range) if ip_range else network)
    others = {int(_parse_address(address)) for address in auxiliary}
    # One more than there are others: the first of them that is free, wherever they lie.
    for number in range(low, min(high, low + len(others)) + 1):
        if number not in others:
            return str(_address(number, network.version))
    raise InvalidParameter(
        f"{ip_range or subnet} has no address left for the gateway: name one with --gateway"
    )


def allocate_address(
    subnet: str,
    taken: Collection[str],
    requested: str | None = None,
    *,
    ip_range: str = "",
    after: str = "",
) -> str:
    """One address that is not `taken`: for a single choice. `AddressPool` is the one for many.

    Raises:
        Conflict: the one asked for is taken, or none is left.
    """
    pool = AddressPool(subnet, ip_range=ip_range, after=after)
    for address in taken:
        pool.reserve(address)
    return pool.allocate(requested)


class AddressPool:
    """The addresses of one subnet as integers: what is taken, and a cursor that only moves upward until it wraps.

    Giving an address is O(1) while the subnet is not crowded behind the cursor; the set holds only what is taken.
    """

    def __init__(self, subnet: str, *, ip_range: str = "", after: str = "", name: str = "") -> None:
        self.subnet = subnet
        self._ip_range = ip_range
        self._name = name
        self._network = parse_subnet(subnet)
        window = parse_subnet(ip_range) if ip_range else self._network
        if not contains(self._network, window):
            raise InvalidParameter(f"the ip-range {ip_range} is outside of the subnet {subnet}")
        self._low, self._high = usable_span(self._network, window)
        self._taken: set[int] = set()
        self._inside = 0
        self._cursor = int(ip_address(after)) + 1 if after else self._low

    def reserve(self, address: str) -> None:
        """Count an address as taken; it may lie outside of the range."""
        number = int(_parse_address(address))
        if number not in self._taken:
            self._taken.add(number)
            self._inside += self._low <= number <= self._high

    def release(self, address: str) -> None:
        """Give an address back; it is given out again only after the cursor has come round."""
        number = int(_parse_address(address))
        if number in self._taken:
            self._taken.remove(number)
            self._inside -= self._low <= number <= self._high

    def allocate(self, requested: str | None = None) -> str:
        """Take an address and return it.

        Raises:
            InvalidParameter: the one asked for is not inside the subnet.
            Conflict: the one asked for is taken, or none is left.
        """
        if requested is not None:
            self._check_requested(requested)
            self.reserve(requested)
            return requested
        if self._inside > self._high - self._low:
            raise AddressesExhausted(self._exhausted_message())
        number = self._cursor if self._low <= self._cursor <= self._high else self._low
        while number in self._taken:
            number = self._low if number == self._high else number + 1
        self._cursor = number + 1
        address = str(_address(number, self._network.version))
        self.reserve(address)
        return address

    def _exhausted_message(self) -> str:
        # What is too small is the range, where there is one, however large the subnet around it.
        bounds = f"the range {self._ip_range} of {self.subnet}" if self._ip_range else self.subnet
        network = f" (network {self._name})" if self._name else ""
        option = "--ip-range" if self._ip_range else "--subnet"
        return (
            f"no available IPv{self._network.version} addresses on this network's address pool: all {self._inside} addresses of "
            f"{bounds}{network} are in use. Create the network with a larger {option}."
        )

    def _check_requested(self, requested: str) -> None:
        if _parse_address(requested) not in self._network:
            raise InvalidParameter(
                f"the address {requested} is outside of the subnet {self.subnet}"
            )
        if int(ip_address(requested)) in self._taken:
            raise Conflict(f"Address already in use: {requested} in {self.subnet}")


def contains(network: IPNetwork, part: IPNetwork) -> bool:
    """Whether a subnet is of the same family as another one and lies in it."""
    match network, part:
        case (IPv4Network(), IPv4Network()) | (IPv6Network(), IPv6Network()):
            return part.subnet_of(network)  # type: ignore[arg-type]
        case _:
            return False


def usable_span(network: IPNetwork, window: IPNetwork) -> tuple[int, int]:
    """The first and the last address of a range that a member of the subnet can have."""
    low, high = int(window.network_address), int(window.broadcast_address)
    if network.prefixlen < network.max_prefixlen - 1:
        # The first address is the network's (IPv4) or any router's (IPv6); only IPv4 has broadcasts.
        low = max(low, int(network.network_address) + 1)
        if network.version == 4:
            high = min(high, int(network.broadcast_address) - 1)
    return low, high


def _overlap(network: IPNetwork, other: str) -> bool:
    second = ip_network(other)
    return network.version == second.version and network.overlaps(second)


def _address(number: int, version: int) -> IPAddress:
    return IPv4Address(number) if version == 4 else IPv6Address(number)


def _merge(used: Mapping[str, str], version: int) -> list[tuple[int, int]]:
    spans = sorted(
        (int(net.network_address), int(net.broadcast_address))
        for net in map(ip_network, used)
        if net.version == version
    )
    merged: list[tuple[int, int]] = []
    for low, high in spans:
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return merged


def _first_gap(start: int, end: int, size: int, taken: list[tuple[int, int]]) -> int | None:
    candidate = start
    for low, high in taken:
        if high < candidate:
            continue
        if low > candidate + size - 1:
            break
        # Subnets lie on multiples of their size, so a clash moves the candidate to the next multiple behind it.
        candidate = (high // size + 1) * size
    return candidate if candidate + size - 1 <= end else None


def _exhausted_message(tried: list[str], used: Mapping[str, str], why: str) -> str:
    nets = [parse_subnet(pool) for pool in tried]
    version = nets[0].version if nets else 4
    clashes = [
        f"{subnet} ({owner})"
        for subnet, owner in used.items()
        if any(_overlap(net, subnet) for net in nets)
    ]
    shown = ", ".join(clashes[:6]) + (f" and {len(clashes) - 6} more" if len(clashes) > 6 else "")
    pools = f"{tried[0]} … {tried[-1]}" if len(tried) > 1 else "".join(tried)
    return (
        f"{NO_POOL.replace('IPv4', f'IPv{version}')}{f' {why}' if why else ''}: the pools {pools or '(none)'} are covered by {shown or 'nothing'}. "
        "Free one of these, or create the network yourself with a free --subnet and --gateway."
    )


def _parse_address(address: str) -> IPAddress:
    try:
        return ip_address(address)
    except ValueError as error:
        raise InvalidParameter(f"invalid address {address}: {error}") from error
