import pytest

from hivelet.agent.exec.listening import awaited_ports, is_listening, ready_limit
from hivelet.network.listeners import OpenPorts
from hivelet.objects.common import Annotations, TaskId
from hivelet.objects.defaults import READY_TIMEOUT_LABEL
from hivelet.objects.task import PortConfig, Task


def test_published_tcp_ports_are_waited_for_inside_the_container():
    ports = [
        PortConfig(target_port=80, published_port=8080),
        PortConfig(target_port=53, protocol="udp"),
    ]
    assert awaited_ports(Task(id=TaskId("t"), ports=ports)) == {80}
    assert awaited_ports(Task(id=TaskId("t"))) == frozenset()


@pytest.mark.parametrize(
    ("ports", "found", "ready"),
    [
        pytest.param("80/tcp 81/tcp", OpenPorts(ipv4={80}, ipv6={81}), True, id="all-of-tcp"),
        pytest.param("80/tcp 81/tcp", OpenPorts(ipv4={80}), False, id="a-part-of-tcp"),
        pytest.param("53/udp", OpenPorts(udp={53}), True, id="udp"),
        pytest.param("53/udp", OpenPorts(ipv4={53}), False, id="tcp-in-place-of-udp"),
        pytest.param("53/tcp", OpenPorts(udp={53}), False, id="udp-in-place-of-tcp"),
        pytest.param("53/tcp 53/udp", OpenPorts(ipv4={53}, udp={53}), True, id="both"),
        pytest.param("53/tcp 53/udp", OpenPorts(ipv4={53}), False, id="one-of-both"),
        pytest.param("5060/udp 10000/udp", OpenPorts(udp={5060}), True, id="a-range-for-media"),
        pytest.param("9100/sctp", OpenPorts(), True, id="what-nothing-tells-of"),
        pytest.param("", OpenPorts(), True, id="nothing-published"),
    ],
)
def test_who_listens_on_all_of_tcp_and_some_of_udp_is_ready(ports, found, ready):
    published = [
        PortConfig(target_port=int(number), protocol=protocol)
        for number, protocol in (word.split("/") for word in ports.split())
    ]
    assert is_listening(Task(id=TaskId("t"), ports=published), found) is ready


@pytest.mark.parametrize(
    ("labels", "seconds"),
    [
        ({}, 60),
        ({READY_TIMEOUT_LABEL: "5m"}, 300),
        ({READY_TIMEOUT_LABEL: "0s"}, 0),
        ({READY_TIMEOUT_LABEL: "?"}, 60),
    ],
)
def test_the_services_label_sets_the_limit(labels, seconds):
    task = Task(id=TaskId("t"), service_annotations=Annotations(name="s", labels=labels))
    assert ready_limit(task) == seconds
