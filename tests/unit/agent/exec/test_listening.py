import pytest

from hivelet.agent.exec.listening import awaited_ports, ready_limit
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
