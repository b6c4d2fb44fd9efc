"""The host's network: address pools, other firewalls, name servers. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network

from hivelet.doctor.finding import Finding, Repair
from hivelet.errors import HiveletError
from hivelet.network.firewall.passes import Step
from hivelet.network.ipam import LOCAL_POOLS, choose_subnet
from hivelet.objects.defaults import DEFAULT_ADDRESS_POOL, SUBNET_SIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFacts:
    """`subnets`: in use, each with whose it is; `firewalls`: what would let our bridges pass; `bridges`: ours."""

    subnets: Mapping[str, str] = field(default_factory=dict)
    firewalls: tuple[Step, ...] | None = ()
    bridges: int = 0
    resolv_conf: str | None = ""


def check_network(facts: NetworkFacts) -> Iterator[Finding]:
    """Pools, firewalls, names."""
    yield _pool("services", ((DEFAULT_ADDRESS_POOL, SUBNET_SIZE),), facts.subnets)
    yield _pool("bridges", LOCAL_POOLS, facts.subnets)
    yield from _firewalls(facts)
    yield _names(facts.resolv_conf)


def _pool(name: str, pools: tuple[tuple[str, int], ...], used: Mapping[str, str]) -> Finding:
    try:
        first = choose_subnet(pools, used)
    except HiveletError as error:
        return Finding(
            name=f"addresses-{name}",
            seen="no subnet is free in the default pools",
            level="serious",
            meaning=error.message,
            way_out="hivelet swarm init --default-addr-pool with a range that is free, or --subnet for each network; or "
            "remove the route that takes it all (ip route)",
        )
    ranges = [ip_network(pool) for pool, _ in pools]
    taken = [
        subnet
        for subnet in map(ip_network, used)
        # Subnets of the two families are not compared: a network may have one of each.
        if any(pool.version == subnet.version and pool.overlaps(subnet) for pool in ranges)
    ]
    return Finding(
        name=f"addresses-{name}",
        seen=f"the next subnet for {name} is {first}; {len(taken)} in use in the default pools",
    )


def _firewalls(facts: NetworkFacts) -> Iterator[Finding]:
    if facts.firewalls is None:
        yield Finding(
            name="firewalls",
            seen="other firewalls could not be looked at: not root",
            level="note",
            meaning="whether one drops packets of services is not known",
            way_out="run it as root: sudo hivelet doctor",
        )
        return
    closed = [step for step in facts.firewalls if step.adds]
    if not closed:
        yield Finding(name="firewalls", seen="no firewall of this host drops packets of services")
    for step in closed:
        if not facts.bridges:
            # hiveletd does this itself as soon as there is a network, and would undo it before.
            yield Finding(
                name="firewalls",
                seen=f"{step.place} drops what it does not know; hiveletd adds its rules there with its first network",
            )
            continue
        yield Finding(
            name="firewalls",
            seen=f"{step.place} drops packets of hivelet's bridges",
            level="serious",
            meaning="published ports, service addresses, names and the way out may time out; hiveletd was told to leave "
            'firewalls alone (firewall = "report"), does not run, or failed to add its rules',
            repairs=(Repair(argv=step.argv, script=step.script),),
        )


def _names(resolv_conf: str | None) -> Finding:
    servers = [
        line.split()[1]
        for line in (resolv_conf or "").splitlines()
        if line.startswith("nameserver") and len(line.split()) > 1
    ]
    if servers:
        return Finding(name="name-servers", seen=f"names outside are asked of {', '.join(servers)}")
    return Finding(
        name="name-servers",
        seen="there is no /etc/resolv.conf"
        if resolv_conf is None
        else "no name server in /etc/resolv.conf",
        level="note",
        meaning="services find each other, but no name outside: images cannot be pulled by name either",
        way_out="put a line `nameserver ADDRESS` into /etc/resolv.conf",
    )
