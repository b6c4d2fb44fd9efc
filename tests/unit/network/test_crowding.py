import pytest

from hivelet.network.crowding import Crowding, read_crowding


@pytest.mark.parametrize(
    ("used", "before", "crowded", "full"),
    [
        (0, False, False, False),
        (900, False, False, False),
        (901, False, True, False),
        (801, True, True, False),
        (801, False, False, False),
        (800, True, False, False),
        (980, False, True, True),
        (1000, True, True, True),
    ],
)
def test_it_is_crowded_before_it_is_full_and_a_while_after(used, before, crowded, full):
    found = Crowding(used=used, limit=1000)
    assert (found.is_crowded(before=before), found.full) == (crowded, full)


def test_it_says_how_to_make_room():
    finding = Crowding(used=950, limit=1000).describe()
    assert "950 of 1000 connections" in finding.meaning
    assert "sysctl -w net.netfilter.nf_conntrack_max=2000" in finding.repair


def test_this_machine_tells_or_does_not():
    found = read_crowding()
    assert found is None or 0 <= found.used <= found.limit
