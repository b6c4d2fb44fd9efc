"""Addresses, ports and subnets."""

import pytest

from hivelet.errors import Conflict
from hivelet.manager.allocator.book import AddressBook
from hivelet.manager.allocator.networks import NoSubnet, allocate_network, forget_network
from hivelet.manager.allocator.services import (
    PortTaken,
    allocate_endpoint,
    allocate_ports,
    held_ports,
)
from hivelet.manager.allocator.tasks import allocate_tasks, attachment_configs
from hivelet.objects.cluster import Cluster
from hivelet.objects.common import Annotations
from hivelet.objects.network import (
    IpamConfig,
    IpamOptions,
    Network,
    NetworkAttachmentConfig,
    NetworkSpec,
)
from hivelet.objects.service import Endpoint, EndpointSpec, Service, ServiceSpec
from hivelet.objects.task import (
    NetworkAttachment,
    PortConfig,
    Task,
    TaskSpec,
    TaskState,
    TaskStatus,
)
from hivelet.testing.clock import EPOCH


def network(id_, subnet="", gateway="", ask=""):
    ipam = IpamOptions(configs=[IpamConfig(subnet=subnet, gateway=gateway)]) if subnet else None
    asked = IpamOptions(configs=[IpamConfig(subnet=ask)]) if ask else None
    spec = NetworkSpec(annotations=Annotations(name=id_), ipam=asked)
    return Network(id=id_, spec=spec, ipam=ipam)


def service(id_, *ports, networks=(), mode="", endpoint=None, **fields):
    attachments = [NetworkAttachmentConfig(target=n) for n in networks]
    return Service(
        id=id_,
        spec=ServiceSpec(
            name=id_,
            task_template=TaskSpec(networks=attachments),
            endpoint_spec=EndpointSpec(mode=mode, ports=list(ports)),
        ),
        endpoint=endpoint,
        **fields,
    )


def new_task(id_, state="new", *addresses):
    attached = [NetworkAttachment(network_id="net", addresses=list(addresses))]
    return Task(
        id=id_,
        status=TaskStatus(state=TaskState(state)),
        networks=attached if addresses else [],
        desired_state=TaskState.RUNNING,
    )


def book_of(*objects):
    book = AddressBook()
    for obj in objects:
        book.observe(obj)
    return book


def test_a_network_gets_the_first_free_subnet():
    used = {"10.0.0.0/24": "network ingress", "10.0.1.0/24": "route of eth0"}
    (write,) = allocate_network(network("n"), used, Cluster(id="c")).writes
    (given,) = write.update[0].ipam.configs
    assert (given.subnet, given.gateway) == ("10.0.2.0/24", "10.0.2.1")


def test_a_network_gets_what_it_asks_for_or_a_reason():
    (write,) = allocate_network(network("n", ask="192.0.2.0/24"), {}, None).writes
    assert write.update[0].ipam.configs[0].gateway == "192.0.2.1"
    with pytest.raises(NoSubnet, match=r"network n: Pool overlaps .* in use by eth0"):
        allocate_network(network("n", ask="192.0.2.0/24"), {"192.0.2.0/25": "eth0"}, None)


def test_a_removed_network_is_kept_while_a_task_may_be_in_it():
    gone = network("n", "10.0.0.0/24").replaced(pending_delete=True)
    assert not forget_network(gone, [new_task("t", "running")]).writes
    assert forget_network(gone, [new_task("t", "failed")]).writes[0].delete == (gone,)


NET = network("net", "10.0.0.0/29", "10.0.0.1")


def test_addresses_are_given_once_and_come_back_when_a_task_is_down():
    book = book_of(NET)
    wanted = {"net": NetworkAttachmentConfig(target="net", aliases=["w"])}
    plan = allocate_tasks([new_task(str(n)) for n in range(6)], wanted, [], book, EPOCH)
    tasks = {t.id: t for write in plan.writes for t in write.update}
    given = [t.networks[0].addresses[0] for t in tasks.values() if t.networks]
    assert given == [f"10.0.0.{n}/29" for n in range(2, 7)]
    assert tasks["0"].networks[0].aliases == ["w"]
    (short,) = [t for t in tasks.values() if not t.networks]
    assert short.status.state is TaskState.NEW
    assert "all 6 addresses of 10.0.0.0/29 (network net) are in use" in short.status.err
    book.observe(tasks["2"].replaced(status=TaskStatus(state=TaskState.FAILED)))
    plan = allocate_tasks([short], wanted, [], book, EPOCH)
    (late,) = plan.writes[0].update
    assert (late.networks[0].addresses, late.status.err) == (["10.0.0.4/29"], "")


def test_a_network_grows_as_far_as_its_subnet():
    book = book_of(network("net", "10.0.0.0/22", "10.0.0.1"))
    wanted = {"net": NetworkAttachmentConfig(target="net")}
    plan = allocate_tasks([new_task(f"{n:04}") for n in range(1022)], wanted, [], book, EPOCH)
    tasks = [task for write in plan.writes for task in write.update]
    given = [t.networks[0].addresses[0] for t in tasks if t.networks]
    assert len(set(given)) == len(given) == 1021
    assert (given[0], given[-1]) == ("10.0.0.2/22", "10.0.3.254/22")
    (short,) = [t for t in tasks if not t.networks]
    assert "all 1022 addresses of 10.0.0.0/22" in short.status.err


def test_addresses_seen_before_their_network_count():
    book = book_of(new_task("t", "running", "10.0.0.2/29"), NET)
    assert book.give("net", "x") == ["10.0.0.3/29"]


def test_what_was_given_for_nothing_can_be_taken_back():
    book = book_of(NET)
    for n in range(5):
        book.give("net", str(n))
    with pytest.raises(Conflict):
        book.give("net", "x")
    book.take_back("3")
    assert book.give("net", "x") == ["10.0.0.5/29"]


def test_vips_stay_and_follow_the_networks():
    book = book_of(NET)
    first = allocate_endpoint(service("s", networks=["net"]), ["net"], [], book)
    assert [vip.addr for vip in first.virtual_ips] == ["10.0.0.2/29"]
    kept = service("s", networks=["net"], endpoint=first)
    assert allocate_endpoint(kept, ["net"], [], book) is first
    assert allocate_endpoint(kept, [], [], book).virtual_ips == []
    assert (
        allocate_endpoint(
            service("d", networks=["net"], mode="dnsrr"), ["net"], [], book
        ).virtual_ips
        == []
    )


DUAL = NET.replaced(
    ipam=IpamOptions(
        configs=[
            *NET.ipam.configs,
            IpamConfig(subnet="fd01::/64", gateway="fd01::1", auxiliary_addresses={"r": "fd01::2"}),
        ]
    )
)


def test_a_network_with_ipv6_gets_a_subnet_of_each_family():
    cluster = Cluster(id="swarm")
    asked = Network(id="n", spec=NetworkSpec(annotations=Annotations(name="n"), ipv6_enabled=True))
    (write,) = allocate_network(asked, {"10.0.0.0/24": "eth0"}, cluster).writes
    ipv4, ipv6 = write.update[0].ipam.configs
    assert (ipv4.subnet, ipv4.gateway) == ("10.0.1.0/24", "10.0.1.1")
    assert ipv6.subnet.startswith("fd")
    assert ipv6.subnet.endswith("::/64")
    assert ipv6.gateway == ipv6.subnet.removesuffix("/64") + "1"
    (write,) = allocate_network(asked, {ipv6.subnet: "network m"}, cluster).writes
    assert write.update[0].ipam.configs[1].subnet == ipv6.subnet.replace("::/64", ":1::/64")
    taken = network("n", ask="fd01::/64")
    with pytest.raises(NoSubnet, match=r"fd01::/64 .* overlaps fd01::/48, in use by eth1"):
        allocate_network(taken, {"fd01::/48": "eth1"}, cluster)


def test_tasks_and_services_have_an_address_of_each_family():
    book = book_of(DUAL)
    wanted = {"net": NetworkAttachmentConfig(target="net")}
    (write,) = allocate_tasks([new_task("t")], wanted, [], book, EPOCH).writes
    assert write.update[0].networks[0].addresses == ["10.0.0.2/29", "fd01::3/64"]
    endpoint = allocate_endpoint(service("s", networks=["net"]), ["net"], [], book)
    assert [vip.addr for vip in endpoint.virtual_ips] == ["10.0.0.3/29", "fd01::4/64"]
    kept = service("s", networks=["net"], endpoint=endpoint)
    assert allocate_endpoint(kept, ["net"], [], book) is endpoint
    published = allocate_endpoint(service("p"), ["net"], [], book, ingress="net")
    assert [vip.addr for vip in published.virtual_ips] == ["10.0.0.4/29"]


def test_addresses_of_both_families_come_back():
    book = book_of(new_task("t", "running", "10.0.0.2/29", "fd01::3/64"), DUAL)
    assert book.give("net", "x") == ["10.0.0.3/29", "fd01::4/64"]
    book.take_back("x")
    assert book.give("net", "y") == ["10.0.0.4/29", "fd01::5/64"]


WEB = PortConfig(target_port=80, published_port=8000)
OPEN = PortConfig(target_port=80)


def test_ports_without_a_number_get_one_and_keep_it():
    other = service("o", endpoint=Endpoint(ports=[OPEN.replaced(published_port=30000)]))
    held = held_ports([other], "s")
    (given,) = allocate_ports(service("s", OPEN), held)
    assert given.published_port == 30001
    again = service("s", OPEN, WEB, endpoint=Endpoint(ports=[given]))
    assert allocate_ports(again, held) == [given, WEB]


def test_a_taken_port_is_refused_by_name_unless_its_holder_leaves():
    holder = service("o", WEB, endpoint=Endpoint(ports=[WEB]))
    with pytest.raises(
        PortTaken, match=r"port '8000' is already in use by service 'o' \(o\) as an ingress port"
    ):
        allocate_ports(service("s", WEB), held_ports([holder], "s"))
    leaving = holder.replaced(pending_delete=True)
    assert allocate_ports(service("s", WEB), held_ports([leaving], "s")) == [WEB]
    udp = WEB.replaced(protocol="udp")
    assert allocate_ports(service("s", udp), held_ports([holder], "s")) == [udp]


def test_published_ports_bring_the_ingress_network_along():
    assert list(attachment_configs(service("s", networks=["net"]), None)) == ["net"]
    assert list(attachment_configs(service("s", networks=["net"]), "ing")) == ["net", "ing"]
