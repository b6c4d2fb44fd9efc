"""Which subnets a network gets, one of each family that it has, and when a removed one is forgotten. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_interface

from hivelet.errors import HiveletError
from hivelet.manager.allocator.book import AddressBook, holder_of
from hivelet.network.pools import asked_pools, complete_pool, ula_pools
from hivelet.objects.cluster import Cluster
from hivelet.objects.defaults import DEFAULT_ADDRESS_POOL, SUBNET_SIZE
from hivelet.objects.network import IpamOptions, Network, NodeAttachment
from hivelet.objects.plan import NOTHING, Plan, Write
from hivelet.objects.task import Task


class NoSubnet(HiveletError):
    """The network can't have addresses; the message says why and the way out."""


def used_subnets(networks: Iterable[Network], tasks: Iterable[Task] = ()) -> dict[str, str]:
    """The subnets that the cluster's networks have, each with who uses it."""
    used: dict[str, str] = {}
    for network in networks:
        if network.ipam is not None:
            used.update((c.subnet, f"network {network.spec.name}") for c in network.ipam.configs)
    for task in tasks:
        for attachment in task.networks:
            used.update(
                (str(ip_interface(address).network), f"task {task.id}")
                for address in attachment.addresses
            )
    return used


def allocate_network(network: Network, used: Mapping[str, str], cluster: Cluster | None) -> Plan:
    """Give the network the subnets it asks for, or the first free ones of the cluster's pools.

    Raises:
        NoSubnet: there is none.
    """
    ipv4, ipv6 = asked_pools(network.spec)
    pools = cluster.default_addr_pool if cluster else (DEFAULT_ADDRESS_POOL,)
    size = cluster.subnet_size if cluster else SUBNET_SIZE
    name = network.spec.name
    try:
        given = [complete_pool(ipv4, [(pool, size) for pool in pools], used, name)]
        if ipv6 is not None:
            given.append(complete_pool(ipv6, ula_pools(cluster.id if cluster else ""), used, name))
    except HiveletError as error:
        raise NoSubnet(f"network {name}: {error.message}") from error
    ipam = IpamOptions(
        driver=network.spec.ipam.driver if network.spec.ipam else IpamOptions().driver,
        configs=given,
    )
    why = f"network {name} gets {' and '.join(config.subnet for config in given)}"
    return Plan(writes=(Write(update=(network.replaced(ipam=ipam),), why=why),), why=why)


def allocate_attachments(network: Network, book: AddressBook) -> Plan:
    """Give the containers that were joined by hand their addresses; one that can't have what it wants is told why."""
    if not any(_waits(place) for place in network.attachments):
        return NOTHING
    places = [
        _allocate_place(network, place, book) if _waits(place) else place
        for place in network.attachments
    ]
    why = f"places in network {network.spec.name}"
    return Plan(writes=(Write(update=(network.replaced(attachments=places),), why=why),), why=why)


def _waits(place: NodeAttachment) -> bool:
    return not place.addresses and not place.err


def _allocate_place(network: Network, place: NodeAttachment, book: AddressBook) -> NodeAttachment:
    holder = holder_of(network.id, place)
    book.take_back(holder)  # nothing may have come of an earlier decision
    try:
        given = book.give(network.id, holder, wanted=place.wanted)
    except HiveletError as error:
        return place.replaced(err=error.message)
    return place.replaced(addresses=given)


def forget_network(network: Network, tasks: Iterable[Task]) -> Plan:
    """Delete a removed network once none of these tasks that are attached to it can be running."""
    if any(not task.status.state.terminal for task in tasks):
        return NOTHING
    why = f"network {network.spec.name} has no task left"
    return Plan(writes=(Write(delete=(network,), why=why),), why=why)
