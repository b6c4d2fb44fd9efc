"""Places in attachable networks: asked for by an engine, given by the allocator, and given back."""

import asyncio

import pytest

from hivelet.errors import Conflict, Forbidden, InvalidParameter, NotFound, System
from hivelet.manager.allocator.book import AddressBook
from hivelet.manager.allocator.loop import allocator
from hivelet.manager.allocator.networks import allocate_attachments
from hivelet.manager.controlapi import ControlApi, attachments
from hivelet.objects.common import Annotations
from hivelet.objects.network import (
    IpamConfig,
    IpamOptions,
    Network,
    NetworkSpec,
    NodeAttachment,
)
from hivelet.objects.swarm import SwarmInit
from hivelet.store import Store
from hivelet.store.invariants import check_store
from hivelet.store.journal import MemoryJournal
from hivelet.testing.clock import ManualClock


class Host:
    hostname = "box"
    without_ipv6 = ""

    def address(self, asked):
        return asked or "192.0.2.1"

    async def used_subnets(self):
        return {}

    async def joined(self, node_id):
        pass


@pytest.fixture
async def store():
    made = Store(ManualClock(), MemoryJournal())
    await made.open()
    return made


@pytest.fixture
async def api(store):
    made = ControlApi(store, Host())
    await made.init_swarm(SwarmInit())
    running = asyncio.ensure_future(allocator(store, dict).run())
    yield made
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def spec(name, *, attachable=True, third=0):
    pool = IpamConfig(subnet=f"10.9.{third}.0/29", gateway=f"10.9.{third}.1")
    ipam = IpamOptions(configs=[pool])
    return NetworkSpec(annotations=Annotations(name=name), attachable=attachable, ipam=ipam)


def given(network, container):
    return next(p.addresses for p in network.attachments if p.container_id == container)


async def test_places_are_given_held_and_given_back(api, store):
    identity = await api.create_network(spec("net"))
    first = await api.attach_container(identity, "c1", "n1", [])
    again = await api.attach_container(identity, "c1", "n1", [])
    assert given(first, "c1") == given(again, "c1") == ["10.9.0.2/29"]
    second = await api.attach_container(identity, "c2", "n1", ["10.9.0.5"])
    assert given(second, "c2") == ["10.9.0.5/29"]
    assert list(store.view(check_store)) == []
    with pytest.raises(InvalidParameter, match=f"network {identity} is in use by container c1"):
        await api.remove_network("net")
    with pytest.raises(Conflict, match="Address already in use"):
        await api.attach_container(identity, "c3", "n1", ["10.9.0.5"])
    await api.detach_container("c2")
    third = await api.attach_container(identity, "c3", "n1", ["10.9.0.5"])
    assert [place.container_id for place in third.attachments] == ["c1", "c3"]
    await api.detach_container("c1", [identity])
    await api.detach_container("c1")
    await api.detach_container("c3", ["another"])
    await api.detach_container("c3")
    await api.remove_network("net")
    with pytest.raises(NotFound):
        await api.attach_container(identity, "c1", "n1", [])


async def test_a_network_that_is_not_attachable_is_not_joined(api):
    identity = await api.create_network(spec("net", attachable=False))
    with pytest.raises(Forbidden, match="network net not manually attachable"):
        await api.attach_container(identity, "c1", "n1", [])


async def test_what_a_crash_left_is_given_back(api):
    identity = await api.create_network(spec("net"))
    for container, node in (("c1", "n1"), ("c2", "n1"), ("c3", "n2")):
        await api.attach_container(identity, container, node, [])
    other = await api.create_network(spec("other", third=1))
    await api.attach_container(other, "c2", "n1", [])
    await api.keep_attachments("n1", [("c2", identity), ("c4", other)])
    network = await api.get_network("net")
    assert [place.container_id for place in network.attachments] == ["c2", "c3"]
    # It had a place in another one, which its node knows nothing of.
    assert (await api.get_network("other")).attachments == []


async def test_a_full_network_says_so(api):
    identity = await api.create_network(spec("net"))
    for number in range(5):
        await api.attach_container(identity, f"c{number}", "n1", [])
    with pytest.raises(Conflict, match="no available IPv4 addresses"):
        await api.attach_container(identity, "late", "n1", [])
    assert len((await api.get_network("net")).attachments) == 5


async def test_without_an_answer_nothing_is_left(store, monkeypatch):
    monkeypatch.setattr(attachments, "PATIENCE", 0.01)
    api = ControlApi(store, Host())  # no allocator
    await api.init_swarm(SwarmInit())
    identity = await api.create_network(spec("net"))
    with pytest.raises(System, match="no address was given"):
        await api.attach_container(identity, "c1", "n1", [])
    assert (await api.get_network("net")).attachments == []


def test_a_decision_that_came_to_nothing_is_taken_again():
    config = IpamConfig(subnet="10.9.0.0/29", gateway="10.9.0.1")
    place = NodeAttachment(container_id="c1", node_id="n1", wanted=["10.9.0.4"])
    network = Network(
        id="net", spec=spec("net"), ipam=IpamOptions(configs=[config]), attachments=[place]
    )
    book = AddressBook()
    book.observe(network)
    for _ in range(2):
        (write,) = allocate_attachments(network, book).writes
        assert given(write.update[0], "c1") == ["10.9.0.4/29"]
    book.observe(write.update[0])
    assert allocate_attachments(write.update[0], book).writes == ()
    book.observe(write.update[0].replaced(attachments=[]))
    assert "10.9.0.4/29" in [book.give("net", f"t{n}")[0] for n in range(5)]
