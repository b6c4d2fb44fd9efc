from __future__ import annotations

import pytest

from hivelet.network.connections import (
    State,
    TcpSocket,
    Traffic,
    count_traffic,
    is_busy,
    select_incoming,
)

CLIENT, SERVER = bytes([10, 0, 1, 9]), bytes([10, 0, 1, 3])


def connection(state=State.ESTABLISHED, **fields):
    """A kept-alive connection: ten requests, the last one answered 40 ms after it came, five seconds ago."""
    values = {
        "local_port": 80,
        "local": SERVER,
        "peer": CLIENT,
        "since_received": 5040,
        "since_sent": 5000,
        "since_heard": 5000,
        "parts_received": 10,
        "parts_sent": 10,
    } | fields
    return TcpSocket(state=state, **values)


LISTENER = TcpSocket(state=State.LISTEN, local_port=80)
TICK = {"since_sent": 3000, "since_received": 3000, "since_heard": 3000}


@pytest.mark.parametrize(
    ("found", "busy"),
    [
        pytest.param(connection(), False, id="kept-alive"),
        pytest.param(connection(since_sent=900, since_received=950), True, id="spoke-just-now"),
        pytest.param(connection(since_received=4000), True, id="a-request-is-worked-on"),
        pytest.param(
            connection(since_received=3_600_000, since_sent=3_700_000), True, id="long-poll"
        ),
        pytest.param(
            connection(since_sent=60_000, since_received=60_000, parts_sent=0, parts_received=1),
            True,
            id="the-first-request-came-with-the-connection",
        ),
        pytest.param(
            connection(**TICK, parts_sent=3, parts_received=1),
            False,
            id="one-quick-request-answered",
        ),
        pytest.param(connection(**TICK), True, id="both-spoke-in-one-tick"),
        pytest.param(
            connection(since_sent=5004, since_received=5004, since_heard=5004),
            False,
            id="both-in-one-tick-long-ago",
        ),
        pytest.param(
            connection(**(TICK | {"since_heard": 2960})),
            False,
            id="the-answer-was-acknowledged-later",
        ),
        pytest.param(
            connection(**(TICK | {"since_heard": 1000})),
            True,
            id="a-keep-alive-probe-is-no-answer's-end",
        ),
        pytest.param(connection(parts_sent=0, parts_received=0), False, id="connected-in-advance"),
        pytest.param(
            connection(since_sent=20, since_received=20, parts_sent=0, parts_received=0),
            True,
            id="connected-just-now",
        ),
        pytest.param(connection(parts_received=0), False, id="only-the-server-ever-spoke"),
        pytest.param(connection(unsent=1), True, id="the-answer-is-on-its-way"),
        pytest.param(connection(unread=1), True, id="a-request-waits-to-be-read"),
        pytest.param(connection(State.SYN_RECV), True, id="being-opened"),
        pytest.param(connection(State.CLOSE_WAIT, unread=1), False, id="the-client-has-hung-up"),
        pytest.param(
            connection(State.CLOSE_WAIT, since_received=4000),
            True,
            id="half-closed-after-a-request",
        ),
        pytest.param(connection(State.FIN_WAIT1, unsent=1), False, id="closed-by-the-server"),
        pytest.param(
            connection(State.FIN_WAIT1, unsent=900), True, id="closed-with-data-on-its-way"
        ),
        pytest.param(connection(State.LAST_ACK, unsent=1, unread=1), False, id="closed-by-both"),
    ],
)
def test_whether_somebody_may_be_waiting(found, busy):
    assert is_busy(found, idle_after=1.0) is busy


def test_the_silence_that_makes_it_idle_can_be_longer():
    assert is_busy(connection(), idle_after=10.0)


def test_only_what_came_from_outside_to_a_listened_port_counts():
    outgoing = connection(local_port=40000)
    own_check = connection(peer=SERVER)
    loopback = connection(local=b"\x7f\0\0\1", peer=b"\x7f\0\0\1")
    loopback6 = connection(local=bytes(15) + b"\1", peer=bytes(15) + b"\1")
    direct6 = connection(local=b"\xfd" + bytes(15), peer=b"\xfd" + bytes(14) + b"\x09")
    found = [LISTENER, outgoing, own_check, loopback, loopback6, connection(), direct6]
    assert select_incoming(found) == [connection(), direct6]


def test_traffic_is_told_apart():
    found = [LISTENER, connection(), connection(), connection(unsent=4)]
    assert count_traffic(found, 1.0) == Traffic(busy=1, idle=2)
    assert count_traffic(found, 1.0).total == 3
