"""Packets that are no answers, or half of one: read as far as they go, and never for ever."""

from __future__ import annotations

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hivelet.network.dns.query import build_query, parse_address
from hivelet.network.netlink import nlmsg

ANSWER = (
    struct.pack(">6H", 7, 0x8180, 1, 1, 0, 0)
    + build_query(7, "web.local")[12:]
    + b"\xc0\x0c"
    + struct.pack(">HHIH", 1, 1, 60, 4)
    + bytes([10, 0, 0, 9])
)


@given(st.binary(max_size=120))
@example(b"")
@example(ANSWER[:11] + b"\xff" * 3)
@example(ANSWER[:12] + b"\x3f" * 100)
def test_any_bytes_are_an_answer_or_none(packet: bytes) -> None:
    assert parse_address(packet) is None or len(packet) >= 27


@pytest.mark.parametrize("end", range(len(ANSWER)))
def test_an_answer_that_is_cut_off_has_no_address(end: int) -> None:
    assert parse_address(ANSWER) == "10.0.0.9"
    assert parse_address(ANSWER[:end]) is None


@given(st.binary(max_size=200))
@example(bytes(16))
@example(b"\x08\0\0\0" + bytes(20))
def test_any_bytes_are_messages_and_attributes_or_none(packet: bytes) -> None:
    messages = list(nlmsg.split_messages(packet))
    assert len(messages) <= len(packet) // 16 + 1
    for _, _, body in messages:
        nlmsg.split_attributes(body)
    assert sum(map(len, nlmsg.split_attributes(packet).values())) <= len(packet)
