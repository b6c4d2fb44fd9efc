from __future__ import annotations

import pytest

from hivelet.network.findings import find_forward_drops, find_legacy_forward_drop

DOCKER = {
    "family": "ip",
    "table": "filter",
    "name": "FORWARD",
    "type": "filter",
    "hook": "forward",
    "prio": 0,
    "policy": "drop",
}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        pytest.param({}, 1, id="docker"),
        pytest.param({"family": "inet", "table": "firewalld"}, 1, id="firewalld"),
        pytest.param({"policy": "accept"}, 0, id="accepts"),
        pytest.param({"hook": "input"}, 0, id="another-hook"),
        pytest.param({"family": "bridge"}, 0, id="another-family"),
        pytest.param({"table": "hivelet"}, 0, id="our-own"),
    ],
)
def test_forward_policy(change, found):
    findings = find_forward_drops([DOCKER | change])
    assert len(findings) == found
    for finding in findings:
        assert (DOCKER | change)["table"] in finding.meaning
        assert finding.repair


def test_legacy():
    assert len(find_legacy_forward_drop("-P FORWARD DROP\n-A FORWARD -j X\n")) == 1
    assert find_legacy_forward_drop("-P FORWARD ACCEPT\n") == ()
