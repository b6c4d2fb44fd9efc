"""Unchanged means untouched."""

import pytest

from hivelet.objects.common import Version
from hivelet.objects.dirty import is_task_dirty
from hivelet.objects.network import NetworkAttachmentConfig
from hivelet.objects.service import EndpointSpec, ReplicatedMode, Service, ServiceMode, ServiceSpec
from hivelet.objects.task import (
    ContainerSpec,
    Limit,
    Placement,
    PortConfig,
    ResourceRequirements,
    RestartPolicy,
    Task,
    TaskSpec,
)

BASE = TaskSpec(
    container_spec=ContainerSpec(image="web", env=["A=1", "B=2"]),
    networks=[NetworkAttachmentConfig(target="a"), NetworkAttachmentConfig(target="b")],
)
PORTS = [PortConfig(target_port=80, published_port=8000)]


def verdict(template=BASE, ports=PORTS, *, made_from=BASE, held=PORTS, same_version=False, **spec):
    service = Service(
        id="s",
        spec=ServiceSpec(task_template=template, endpoint_spec=EndpointSpec(ports=ports), **spec),
        spec_version=Version(index=2),
    )
    version = Version(index=2 if same_version else 1)
    return is_task_dirty(service, Task(id="t", spec=made_from, ports=held, spec_version=version))


CONTAINER = BASE.container_spec


@pytest.mark.parametrize(
    "template",
    [
        pytest.param(BASE, id="same"),
        pytest.param(BASE.replaced(restart_policy=RestartPolicy(condition="any")), id="restart"),
        pytest.param(
            BASE.replaced(resources=ResourceRequirements(limits=Limit())), id="empty-resources"
        ),
        pytest.param(BASE.replaced(placement=Placement()), id="empty-placement"),
        pytest.param(BASE.replaced(networks=BASE.networks[::-1]), id="order-of-networks"),
        pytest.param(
            BASE.replaced(container_spec=CONTAINER.replaced(stop_grace_period=10**10)),
            id="default-grace",
        ),
        pytest.param(
            BASE.replaced(
                container_spec=CONTAINER.replaced(isolation="default"), runtime="container"
            ),
            id="words-for-nothing",
        ),
    ],
)
def test_clean(template):
    assert not verdict(template)


@pytest.mark.parametrize(
    "template",
    [
        pytest.param(BASE.replaced(force_update=1), id="force"),
        pytest.param(BASE.replaced(container_spec=CONTAINER.replaced(image="web:2")), id="image"),
        pytest.param(
            BASE.replaced(container_spec=CONTAINER.replaced(env=["B=2", "A=1"])), id="order-of-env"
        ),
        pytest.param(BASE.replaced(networks=[]), id="networks"),
        pytest.param(BASE.replaced(placement=Placement(constraints=["a==b"])), id="placement"),
        pytest.param(
            BASE.replaced(resources=ResourceRequirements(limits=Limit(memory_bytes=1))), id="limits"
        ),
    ],
)
def test_dirty(template):
    assert verdict(template)
    assert not verdict(template, same_version=True)


def test_what_is_not_of_the_task_does_not_count():
    assert not verdict(labels={"a": "b"}, mode=ServiceMode(replicated=ReplicatedMode(replicas=7)))


def test_ports():
    open_port = [PortConfig(target_port=80)]
    assert not verdict(ports=open_port)
    assert verdict(ports=[])
    assert verdict(ports=[PortConfig(target_port=80, published_port=8001)])
    assert verdict(ports=[PortConfig(target_port=81)])
