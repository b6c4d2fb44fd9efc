"""What a network's driver options ask of its bridge: its MTU, its name, where its members publish ports. Pure.

They are read here alone, when a network is created and when a node builds it, so that what was accepted can be built.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address

from hivelet.errors import InvalidParameter
from hivelet.network.names import LINK_NAME_LIMIT, is_port_name

MTU = "com.docker.network.driver.mtu"
"""The option that says how long a packet of the network may be."""

BRIDGE_NAME = "com.docker.network.bridge.name"
"""The option that names a network's link."""

HOST_BINDING = "com.docker.network.bridge.host_binding_ipv4"
"""The option that says at which address of the host ports are published for which none is named."""

DEFAULT_MTU = 1500

_SHORTEST, _SHORTEST_IPV6, _LONGEST = 68, 1280, 65535
_DIGITS = re.compile(r"[0-9]{1,9}", re.ASCII)
_LINK_NAME = re.compile(rf"[A-Za-z0-9_.-]{{1,{LINK_NAME_LIMIT}}}")
_OURS = "hv-"
_RESERVED = (".", "..", "lo", "all", "default")
"""No name of a link, the loopback's, and two that mean every link in `/proc/sys/net`."""


def read_mtu(options: Mapping[str, str], *, ipv6: bool) -> int:
    """The MTU that a network asks for, Ethernet's where it asks for none.

    Raises:
        InvalidParameter: it is no number, or no packet of the network's families would fit.
    """
    text = options.get(MTU, "")
    if text == "":
        return DEFAULT_MTU
    shortest = _SHORTEST_IPV6 if ipv6 else _SHORTEST
    if not _DIGITS.fullmatch(text) or not shortest <= int(text) <= _LONGEST:
        raise InvalidParameter(
            f'invalid option {MTU} "{text}": give a number from {shortest} to {_LONGEST}'
            f"{', IPv6 needs that much' if ipv6 else ''}"
        )
    return int(text)


def read_host_binding(options: Mapping[str, str]) -> str:
    """The host's address at which a network's members publish ports by default; "" is all.

    Raises:
        InvalidParameter: it is no IPv4 address.
    """
    text = options.get(HOST_BINDING, "")
    try:
        return "" if not text or IPv4Address(text).is_unspecified else text
    except ValueError:
        raise InvalidParameter(
            f'invalid option {HOST_BINDING} "{text}": give an IPv4 address'
        ) from None


def read_bridge_name(options: Mapping[str, str]) -> str:
    """The link name that a network asks for; "" where it asks for none.

    Raises:
        InvalidParameter: the kernel, or a rule, could not have it.
    """
    name = options.get(BRIDGE_NAME, "")
    if name.startswith(_OURS) or is_port_name(name):
        raise InvalidParameter(
            f'invalid option {BRIDGE_NAME} "{name}": such names are for the links that hivelet makes itself'
        )
    if name and (name in _RESERVED or not _LINK_NAME.fullmatch(name)):
        raise InvalidParameter(
            f'invalid option {BRIDGE_NAME} "{name}": a link has 1 to {LINK_NAME_LIMIT} of the characters '
            f"A-Z a-z 0-9 _ . - and is none of {', '.join(_RESERVED)}"
        )
    return name
