from __future__ import annotations

import pytest
from addresses import WEBNET

from hivelet.network.ledger import ForeignLink, Ledger, LedgerDamaged
from hivelet.network.records import ContainerRecord, ResolverRecord

CONTAINER = ContainerRecord(
    container_id="c1",
    task_id=None,
    addresses={"webnetid": "10.0.1.3"},
    names={"webnetid": ("a", "b")},
)
RESOLVER = ResolverRecord(name="r1", address="169.254.52.1", networks=("webnetid",), forward=False)


@pytest.fixture
def ledger(tmp_path):
    made = Ledger(tmp_path / "network")
    made.prepare()
    return made


def test_what_was_recorded_is_read_again(ledger):
    ledger.put_network(WEBNET)
    ledger.put_container(CONTAINER)
    ledger.put_resolver(RESOLVER)
    assert (ledger.networks(), ledger.containers(), ledger.resolvers()) == (
        [WEBNET],
        [CONTAINER],
        [RESOLVER],
    )
    ledger.drop_network("webnetid")
    ledger.drop_container("c1")
    ledger.drop_resolver("r1")
    ledger.drop_resolver("r1")
    assert (ledger.networks(), ledger.containers(), ledger.resolvers()) == ([], [], [])


def test_a_link_that_was_there_before_its_network_is_remembered(ledger):
    link = ForeignLink(name="br0", addresses=["192.0.2.1"])
    ledger.put_foreign_link("webnetid", link)
    assert ledger.foreign_link("webnetid") == link
    assert ledger.foreign_link("otherid") is None
    ledger.drop_foreign_link("webnetid")
    assert ledger.foreign_link("webnetid") is None


def test_a_damaged_file_is_named(ledger, tmp_path):
    path = tmp_path / "network" / "containers" / "c9.json"
    path.write_text("{")
    with pytest.raises(LedgerDamaged, match=str(path)):
        ledger.containers()


def test_nothing_is_left(ledger, tmp_path):
    ledger.put_network(WEBNET)
    ledger.remove()
    assert list((tmp_path / "network").iterdir()) == []
