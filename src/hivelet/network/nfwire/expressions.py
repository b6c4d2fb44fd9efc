"""The expressions that our rules consist of, each as an element of a rule's list. Pure.

The attributes stand in the order in which libnftnl writes them; the kernel does not care. Made once is what has
few forms.
"""

from __future__ import annotations

from functools import cache

from hivelet.network.netlink.nlmsg import attribute, big_number, nested, text
from hivelet.network.nfwire import uapi


@cache
def meta(key: int) -> bytes:
    """Load what is known of the packet beside its bytes."""
    return _expression(
        "meta",
        big_number(uapi.NFTA_META_KEY, key),
        big_number(uapi.NFTA_META_DREG, uapi.NFT_REG_1),
    )


def payload(base: int, offset: int, size: int, *, register: int = uapi.NFT_REG_1) -> bytes:
    """Load bytes of one of the packet's headers."""
    return _expression(
        "payload",
        big_number(uapi.NFTA_PAYLOAD_DREG, register),
        big_number(uapi.NFTA_PAYLOAD_BASE, base),
        big_number(uapi.NFTA_PAYLOAD_OFFSET, offset),
        big_number(uapi.NFTA_PAYLOAD_LEN, size),
    )


def compare(value: bytes, operator: int = uapi.NFT_CMP_EQ) -> bytes:
    """Go on only if what was loaded is (or is not) this."""
    return _expression(
        "cmp",
        big_number(uapi.NFTA_CMP_SREG, uapi.NFT_REG_1),
        big_number(uapi.NFTA_CMP_OP, operator),
        nested(uapi.NFTA_CMP_DATA, attribute(uapi.NFTA_DATA_VALUE, value)),
    )


def mask(value: bytes) -> bytes:
    """Keep these bits only of what was loaded."""
    return _expression(
        "bitwise",
        big_number(uapi.NFTA_BITWISE_SREG, uapi.NFT_REG_1),
        big_number(uapi.NFTA_BITWISE_DREG, uapi.NFT_REG_1),
        big_number(uapi.NFTA_BITWISE_LEN, len(value)),
        nested(uapi.NFTA_BITWISE_MASK, attribute(uapi.NFTA_DATA_VALUE, value)),
        nested(uapi.NFTA_BITWISE_XOR, attribute(uapi.NFTA_DATA_VALUE, bytes(len(value)))),
    )


def immediate(register: int, value: bytes) -> bytes:
    """Load a constant."""
    return _expression(
        "immediate",
        big_number(uapi.NFTA_IMMEDIATE_DREG, register),
        nested(uapi.NFTA_IMMEDIATE_DATA, attribute(uapi.NFTA_DATA_VALUE, value)),
    )


@cache
def verdict(code: int) -> bytes:
    """End the way through the chain."""
    return _expression(
        "immediate",
        big_number(uapi.NFTA_IMMEDIATE_DREG, uapi.NFT_REG_VERDICT),
        nested(
            uapi.NFTA_IMMEDIATE_DATA,
            nested(uapi.NFTA_DATA_VERDICT, big_number(uapi.NFTA_VERDICT_CODE, code)),
        ),
    )


def lookup(name: str, set_id: int | None = None, *, into: int | None = None) -> bytes:
    """Go on only if a set has what was loaded; a map gives what it leads to. `set_id` is that of a set of the same transaction."""
    number = [] if set_id is None else [big_number(uapi.NFTA_LOOKUP_SET_ID, set_id)]
    target = [] if into is None else [big_number(uapi.NFTA_LOOKUP_DREG, into)]
    return _expression(
        "lookup",
        big_number(uapi.NFTA_LOOKUP_SREG, uapi.NFT_REG_1),
        *target,
        text(uapi.NFTA_LOOKUP_SET, name),
        *number,
    )


def in_turn(modulus: int) -> bytes:
    """A number of a counter that all packets which come here share."""
    return _expression(
        "numgen",
        big_number(uapi.NFTA_NG_DREG, uapi.NFT_REG_1),
        big_number(uapi.NFTA_NG_MODULUS, modulus),
        big_number(uapi.NFTA_NG_TYPE, uapi.NFT_NG_INCREMENTAL),
        big_number(uapi.NFTA_NG_OFFSET, 0),
    )


def jenkins_hash(register: int, size: int, modulus: int, seed: int) -> bytes:
    """A number made of what was loaded into that register."""
    return _expression(
        "hash",
        big_number(uapi.NFTA_HASH_SREG, register),
        big_number(uapi.NFTA_HASH_DREG, uapi.NFT_REG_1),
        big_number(uapi.NFTA_HASH_LEN, size),
        big_number(uapi.NFTA_HASH_MODULUS, modulus),
        big_number(uapi.NFTA_HASH_SEED, seed),
        big_number(uapi.NFTA_HASH_OFFSET, 0),
        big_number(uapi.NFTA_HASH_TYPE, uapi.NFT_HASH_JENKINS),
    )


@cache
def dnat(family: int, *, port_register: int | None = None, port_given: bool = False) -> bytes:
    """Translate the destination to the address in the first register and, where there is one, to a port."""
    port = [] if port_register is None else [big_number(uapi.NFTA_NAT_REG_PROTO_MIN, port_register)]
    flags = [big_number(uapi.NFTA_NAT_FLAGS, uapi.NF_NAT_RANGE_PROTO_SPECIFIED)]
    return _expression(
        "nat",
        big_number(uapi.NFTA_NAT_TYPE, uapi.NFT_NAT_DNAT),
        big_number(uapi.NFTA_NAT_FAMILY, family),
        big_number(uapi.NFTA_NAT_REG_ADDR_MIN, uapi.NFT_REG_1),
        *port,
        *(flags if port_given else []),
    )


@cache
def reject(kind: int, code: int) -> bytes:
    """Refuse, and say so."""
    return _expression(
        "reject",
        big_number(uapi.NFTA_REJECT_TYPE, kind),
        attribute(uapi.NFTA_REJECT_ICMP_CODE, bytes([code])),
    )


def _expression(name: str, *attributes: bytes) -> bytes:
    return nested(
        uapi.NFTA_LIST_ELEM,
        text(uapi.NFTA_EXPR_NAME, name),
        nested(uapi.NFTA_EXPR_DATA, *attributes),
    )
