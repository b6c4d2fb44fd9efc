"""New placement alone moves no task that satisfies it."""

import pytest

from hivelet.manager.dirty import is_dirty, present_spec
from hivelet.objects.common import Version
from hivelet.objects.node import Node, NodeSpec
from hivelet.objects.service import EndpointSpec, Service, ServiceSpec
from hivelet.objects.task import ContainerSpec, Placement, PortConfig, Task, TaskSpec

FAST = Node(id="n", spec=NodeSpec(labels={"disk": "fast"}))
SLOW = Node(id="n", spec=NodeSpec(labels={"disk": "slow"}))
WANTS_FAST = Placement(constraints=["node.labels.disk==fast"])


def spec(image="web", **placement):
    return TaskSpec(container_spec=ContainerSpec(image=image), placement=Placement(**placement))


def service(template, ports=()):
    endpoint = EndpointSpec(ports=list(ports))
    return Service(
        id="s",
        spec=ServiceSpec(name="web", task_template=template, endpoint_spec=endpoint),
        spec_version=Version(index=2),
    )


TASK = Task(id="t", service_id="s", node_id="n", spec=spec(), spec_version=Version(index=1))


@pytest.mark.parametrize(
    ("on", "node", "dirty"),
    [
        pytest.param(service(spec()), None, False, id="the-same"),
        pytest.param(service(spec(constraints=WANTS_FAST.constraints)), FAST, False, id="met"),
        pytest.param(service(spec(constraints=WANTS_FAST.constraints)), SLOW, True, id="not-met"),
        pytest.param(service(spec(constraints=WANTS_FAST.constraints)), None, True, id="no-node"),
        pytest.param(service(spec(max_replicas=3)), SLOW, False, id="another-limit"),
        pytest.param(
            service(spec("other", constraints=WANTS_FAST.constraints)), FAST, True, id="image-too"
        ),
        pytest.param(
            service(spec(constraints=WANTS_FAST.constraints), [PortConfig(target_port=80)]),
            FAST,
            True,
            id="ports-too",
        ),
    ],
)
def test_is_dirty(on, node, dirty):
    assert is_dirty(on, TASK, node) is dirty


def test_the_constraints_that_hold_are_the_services_where_nothing_else_differs():
    wanted = spec(constraints=WANTS_FAST.constraints)
    assert present_spec(service(wanted), TASK) is wanted
    other = spec("other", constraints=WANTS_FAST.constraints)
    assert present_spec(service(other), TASK) is TASK.spec
