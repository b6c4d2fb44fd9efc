from __future__ import annotations

import struct

from hivelet.network.netlink import nlmsg


def test_messages_and_attributes_survive_the_wire():
    body = (
        b"\0" * 4
        + nlmsg.text(3, "eth0")
        + nlmsg.number(4, 1500)
        + nlmsg.nested(18, nlmsg.number(1, 7, 1))
    )
    packet = nlmsg.message(16, nlmsg.REQUEST, body, sequence=9) + nlmsg.message(3, 0, b"")
    (kind, sequence, content), (last, _, _) = nlmsg.split_messages(packet)
    assert (kind, sequence, last) == (16, 9, nlmsg.DONE)
    found = nlmsg.split_attributes(content, 4)
    assert found[3] == b"eth0\0"
    assert struct.unpack("=I", found[4]) == (1500,)
    assert nlmsg.split_attributes(found[18]) == {1: b"\x07"}


def test_everything_is_padded_to_four_bytes():
    assert len(nlmsg.text(1, "ab")) == 8
    assert len(nlmsg.message(1, 0, b"abc")) == 20


def test_an_acknowledgement_is_error_zero():
    assert nlmsg.error_number(struct.pack("=i", 0) + b"....") == 0
    assert nlmsg.error_number(struct.pack("=i", -17)) == 17
