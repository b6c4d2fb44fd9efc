"""What the kernel keeps with rules, chains and sets for who lists them: comments, byte orders, of what a set's keys are made. Pure."""

from __future__ import annotations

import struct

from hivelet.network.nfwire import uapi
from hivelet.network.nfwire.unspoken import NotSpoken

_COMMENT_LIMIT = 128
"""NFTNL_UDATA_COMMENT_MAXLEN, with the zero at the end."""

ARP_SADDR_IP = (
    uapi.EXPR_PAYLOAD,
    (
        (uapi.NFTNL_UDATA_PAYLOAD_DESC, uapi.PROTO_DESC_ARP),
        (uapi.NFTNL_UDATA_PAYLOAD_TYPE, uapi.ARPHDR_SADDR_IP),
    ),
)
IP6_SADDR = (
    uapi.EXPR_PAYLOAD,
    (
        (uapi.NFTNL_UDATA_PAYLOAD_DESC, uapi.PROTO_DESC_IP6),
        (uapi.NFTNL_UDATA_PAYLOAD_TYPE, uapi.IP6HDR_SADDR),
    ),
)
"""Expressions whose values are a set's keys: each by its number, and the numbers of what it loads."""

TypeOf = tuple[int, tuple[tuple[int, int], ...]]


def comment(words: str) -> bytes:
    """The comment of a rule or a chain."""
    value = words.encode() + b"\0"
    if len(value) > _COMMENT_LIMIT:
        raise NotSpoken(words)
    return _put(uapi.NFTNL_UDATA_RULE_COMMENT, value)


def of_set(type_of: TypeOf, *, intervals: bool = False) -> bytes:
    """Of a set whose keys are an expression's values, which come from the packet as it is."""
    kind, loads = type_of
    described = _number(uapi.NFTNL_UDATA_SET_TYPEOF_EXPR, kind) + _put(
        uapi.NFTNL_UDATA_SET_TYPEOF_DATA, b"".join(_number(*one) for one in loads)
    )
    return (
        _number(uapi.NFTNL_UDATA_SET_KEYBYTEORDER, uapi.BYTEORDER_BIG_ENDIAN)
        + (_number(uapi.NFTNL_UDATA_SET_MERGE_ELEMENTS, 1) if intervals else b"")
        + _put(uapi.NFTNL_UDATA_SET_KEY_TYPEOF, described)
    )


def of_map(data_order: int) -> bytes:
    """Of a map from numbers."""
    return (
        _number(uapi.NFTNL_UDATA_SET_KEYBYTEORDER, uapi.BYTEORDER_HOST_ENDIAN)
        + _number(uapi.NFTNL_UDATA_SET_DATABYTEORDER, data_order)
        + _number(uapi.NFTNL_UDATA_SET_DATA_INTERVAL, 0)
    )


def _number(kind: int, value: int) -> bytes:
    return _put(kind, struct.pack("=I", value))


def _put(kind: int, value: bytes) -> bytes:
    return bytes([kind, len(value)]) + value
