"""The names of everything the network plane makes in the kernel: links, namespaces, tables, chains. Pure.

What always holds: a link's name has at most 15 characters and begins with `hv` (a bridge whose name the user chose
keeps it, `docker_gwbridge` among them), so that what is ours can be told from what is not without a record.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address

from hivelet.objects.common import ContainerId, NetworkId, ServiceId
from hivelet.objects.endpoint import BridgeNetwork

TABLE = "hivelet"
"""Our nftables table, in each family we use; nothing outside of it is touched but by `hivelet.network.firewall`."""

RESOLVER_SUBNET = "169.254.52.0/22"
"""Link-local addresses of resolvers; clear of the metadata services (169.254.169.254, .170.2) and of node-local DNS
caches (169.254.20.10)."""

EMBEDDED_RESOLVER = "127.0.0.11"
"""Where Docker's embedded resolver listens inside a container; users' files name it (`resolver 127.0.0.11;`)."""

LOCAL_LINK, LOCAL_BACK = "hv-local", "hv-back"
"""The links by which IPv6 connections of the host's loopback reach tasks (`hivelet.network.local6`)."""

LOCAL_SOURCE, LOCAL_CLIENT = "fdbe:44a9:b43d::1", "fdbe:44a9:b43d::2"
"""Their addresses on the way, out of a unique local prefix of ours; the second is the one that applications see."""

LINK_NAME_LIMIT = 15
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_OUR_PORT = re.compile(r"^hv[0-9a-z]{11}_[0-9a-z]$")
_OUR_BRIDGE = re.compile(r"^hv-[0-9a-z]{12}$")
_NOT_CHAIN = re.compile(r"[^A-Za-z0-9_.-]")


def bridge_name(network: BridgeNetwork) -> str:
    """The bridge's link name: the one the user chose, or one made from the network's id."""
    return network.bridge or f"hv-{network.id[:12]}"


def port_name(container_id: ContainerId, ordinal: int) -> str:
    """The host's end of a container's veth pair."""
    return f"hv{container_id[:11]}_{_DIGITS[ordinal]}"


def port_ordinal(port: str) -> int:
    """The number of the interface whose other end a port is."""
    return _DIGITS.index(port[-1])


def is_port_name(name: str) -> bool:
    """Whether a link's name says that it is the host's end of a container's veth pair."""
    return _OUR_PORT.match(name) is not None


def is_bridge_name(name: str) -> bool:
    """Whether a link's name says that it is the bridge of a network of ours."""
    return _OUR_BRIDGE.match(name) is not None


def interface_name(ordinal: int) -> str:
    """The container's end of a veth pair."""
    return f"eth{ordinal}"


def mac_address(address: str) -> str:
    """The MAC that belongs to an IPv4 address, as Docker makes it: an address that moves on keeps its MAC."""
    return "02:42:" + ":".join(f"{byte:02x}" for byte in IPv4Address(address).packed)


def vip_chain(service_id: ServiceId, network_id: NetworkId) -> str:
    """The chain that spreads a service's VIP in one network."""
    return f"vip_{_clean(service_id)}_{_clean(network_id)[:25]}"


def port_chain(service_id: ServiceId, mode: str, protocol: str, target_port: int) -> str:
    """The chain that spreads a service's published port; all published ports of one target port share it."""
    return f"port_{_clean(service_id)}_{mode}_{protocol}_{target_port}"


def _clean(identifier: str) -> str:
    return _NOT_CHAIN.sub("_", identifier)
