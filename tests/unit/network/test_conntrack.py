from __future__ import annotations

import pytest

from hivelet.network.conntrack import Connection


@pytest.mark.parametrize(
    ("protocol", "state", "translated", "counts"),
    [
        pytest.param(6, 3, True, True, id="established-through-the-balancer"),
        pytest.param(6, 3, False, False, id="established-directly"),
        pytest.param(6, 7, True, False, id="time-wait"),
        pytest.param(17, 0, True, False, id="udp-has-no-end"),
    ],
)
def test_what_holds_up_a_drain(protocol, state, translated, counts):
    connection = Connection(protocol, "10.0.1.9", 40000, "10.0.1.2", 80, state, translated, True)
    assert connection.counts is counts


@pytest.mark.parametrize(
    ("protocol", "answered", "waits"), [(17, False, True), (17, True, False), (6, False, False)]
)
def test_who_waits_for_a_datagram(protocol, answered, waits):
    connection = Connection(
        protocol, "10.0.1.9", 40000, "10.0.1.2", 80, 0, True, False, "10.0.1.3", answered
    )
    assert connection.is_unanswered is waits
