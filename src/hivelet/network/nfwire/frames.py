"""The rules of a port that speaks for nobody but its container (`hivelet.network.rules.frames`), as expressions. Pure."""

from __future__ import annotations

import re
import struct
from ipaddress import IPv6Network

from hivelet.network.nfwire import expressions as ex
from hivelet.network.nfwire import uapi, userdata
from hivelet.network.nfwire.datatypes import IPV4_ADDR, IPV6_ADDR, pack_mac
from hivelet.network.nfwire.sets import element, interval_end
from hivelet.network.nfwire.statements import Reading, Statement, give_verdict, statement
from hivelet.network.nfwire.unspoken import NotSpoken

_LINK, _NETWORK = uapi.NFT_PAYLOAD_LL_HEADER, uapi.NFT_PAYLOAD_NETWORK_HEADER
_TRANSPORT = uapi.NFT_PAYLOAD_TRANSPORT_HEADER
_ETHER_SADDR, _ETHER_TYPE = 6, 12
_IP_SADDR, _IP6_SADDR = 12, 8
_ARP_SADDR_ETHER, _ARP_SADDR_IP = 8, 14


def _not_from(rule: Reading, match: re.Match[str]) -> None:
    rule.expressions += (
        ex.payload(_LINK, _ETHER_SADDR, 6),
        ex.compare(pack_mac(match[1]), uapi.NFT_CMP_NEQ),
    )


def _from_address(rule: Reading, match: re.Match[str]) -> None:
    rule.expressions += (
        *_is_protocol(uapi.ETH_P_IP),
        ex.payload(_NETWORK, _IP_SADDR, 4),
        ex.compare(IPV4_ADDR.pack(match[1])),
    )


def _claims(rule: Reading, match: re.Match[str]) -> None:
    elements = [element(IPV4_ADDR.pack(word)) for word in match[2].split(", ")]
    about = userdata.of_set(userdata.ARP_SADDR_IP)
    made = rule.add_set(IPV4_ADDR, elements, about)
    rule.expressions += (
        *_is_type(uapi.ETH_P_ARP),
        ex.payload(_NETWORK, _ARP_SADDR_ETHER, 6),
        ex.compare(pack_mac(match[1])),
        ex.payload(_NETWORK, _ARP_SADDR_IP, 4),
        ex.lookup(made.name, made.id),
    )


def _advertises(rule: Reading, match: re.Match[str]) -> None:
    rule.expressions += (
        *_is_type(uapi.ETH_P_IPV6),
        ex.meta(uapi.NFT_META_L4PROTO),
        ex.compare(bytes([uapi.IPPROTO_ICMPV6])),
        ex.payload(_TRANSPORT, 0, 1),
        ex.compare(bytes([uapi.NDISC_NEIGHBOUR_ADVERTISEMENT])),
    )
    for bits, value in ((match[1], match[2]), (match[3], match[4])):
        if bits:
            size = int(bits) // 8
            rule.expressions += (
                ex.payload(_TRANSPORT, 8, size),
                ex.compare(_whole(value, size), uapi.NFT_CMP_NEQ),
            )


def _from_addresses6(rule: Reading, match: re.Match[str]) -> None:
    """Addresses and prefixes, each as the interval from its first address to the one behind its last."""
    elements: list[bytes] = []
    reached = -1
    for network in sorted(map(_network, match[1].split(", "))):
        first, behind = int(network.network_address), int(network.broadcast_address) + 1
        # What touches is one interval to nft, and the last address has nothing behind it.
        if first <= reached or behind >> 128:
            raise NotSpoken(match[0])
        if first and not elements:
            raise NotSpoken(match[0])
        reached = behind
        elements += (element(first.to_bytes(16, "big")), interval_end(behind.to_bytes(16, "big")))
    about = userdata.of_set(userdata.IP6_SADDR, intervals=True)
    made = rule.add_set(IPV6_ADDR, elements, about, flags=uapi.NFT_SET_INTERVAL)
    rule.expressions += (
        *_is_protocol(uapi.ETH_P_IPV6),
        ex.payload(_NETWORK, _IP6_SADDR, 16),
        ex.lookup(made.name, made.id),
    )


def _network(words: str) -> IPv6Network:
    try:
        return IPv6Network(words)
    except ValueError as error:
        raise NotSpoken(words) from error


def _whole(digits: str, size: int) -> bytes:
    value = int(digits, 16)
    if value >> size * 8:
        raise NotSpoken(digits)
    return value.to_bytes(size, "big")


def _is_protocol(number: int) -> tuple[bytes, bytes]:
    """As nft makes sure before it looks at an address."""
    return ex.meta(uapi.NFT_META_PROTOCOL), ex.compare(struct.pack(">H", number))


def _is_type(number: int) -> tuple[bytes, bytes]:
    """As nft makes sure before it looks at ARP, and at ICMP: in the frame itself."""
    return ex.payload(_LINK, _ETHER_TYPE, 2), ex.compare(struct.pack(">H", number))


_MAC = r"([0-9a-f:]{17})"
_OTHER_TARGET = r"@th,64,(16|128) != 0x([0-9a-f]+)"

FRAME_RULES: tuple[Statement, ...] = (
    statement(rf"ether saddr != {_MAC}(?= drop$)", _not_from),
    statement(r"ip saddr ([0-9.]+)(?= accept$)", _from_address),
    statement(rf"arp saddr ether {_MAC} arp saddr ip \{{ ([0-9., ]+) \}}(?= accept$)", _claims),
    statement(
        rf"icmpv6 type nd-neighbor-advert {_OTHER_TARGET}(?: {_OTHER_TARGET})?(?= drop$)",
        _advertises,
    ),
    statement(r"ip6 saddr \{ ([0-9a-f:./, ]+) \}(?= accept$)", _from_addresses6),
    statement(r"(accept|drop)", give_verdict),
)
"""What the rules of a port's chain are made of; each condition stands alone in its rule."""
