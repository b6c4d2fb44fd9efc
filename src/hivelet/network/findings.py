"""What on this host may stand in the way of packets: found, named, never changed by us. Pure.

A verdict of ours cannot overrule another table's drop: each base chain of a hook has its own say. So a forwarding
policy of "drop" that another program has set is reported with the repair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hivelet.network.names import TABLE

_FAMILIES = ("ip", "inet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something on the host that may hinder the network: a stable name, what it means, and the way out."""

    name: str
    meaning: str
    repair: str


def find_forward_drops(chains: Iterable[Mapping[str, Any]]) -> tuple[Finding, ...]:
    """Other tables' forward chains whose policy is to drop; `chains` as `Nft.list_base_chains` gives them."""
    return tuple(
        _forward_drop(f"table {chain['family']} {chain['table']}, chain {chain['name']}")
        for chain in chains
        if chain.get("hook") == "forward"
        and chain.get("type") == "filter"
        and chain.get("policy") == "drop"
        and chain.get("family") in _FAMILIES
        and chain.get("table") != TABLE
    )


def find_legacy_forward_drop(rules: str) -> tuple[Finding, ...]:
    """The same in the words of `iptables-legacy -S FORWARD`."""
    if rules.split("\n", 1)[0].strip() == "-P FORWARD DROP":
        return (_forward_drop("iptables-legacy, chain FORWARD"),)
    return ()


def _forward_drop(where: str) -> Finding:
    return Finding(
        name="forward-policy-drop",
        meaning=(
            f"{where} drops forwarded packets unless one of its rules accepts them (Docker Engine, ufw and firewalld "
            "set this): published ports and service addresses may time out"
        ),
        repair=(
            "let packets of hivelet's bridges pass there; beside Docker Engine: "
            "iptables -I DOCKER-USER -m conntrack --ctstate DNAT,ESTABLISHED,RELATED -j ACCEPT; "
            "iptables -I DOCKER-USER -i hv+ -j ACCEPT; iptables -I DOCKER-USER -i docker_gwbridge -j ACCEPT"
        ),
    )
