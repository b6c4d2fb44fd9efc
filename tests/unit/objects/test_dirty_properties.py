"""Unchanged means untouched, for any template: through JSON and back, with defaults spelled out, in another order."""

import hypothesis.strategies as st
import msgspec
from hypothesis import given, settings

from hivelet.objects.common import Version
from hivelet.objects.container import Healthcheck, Mount
from hivelet.objects.dirty import is_task_dirty, normalise_template
from hivelet.objects.network import NetworkAttachmentConfig
from hivelet.objects.service import Service, ServiceSpec
from hivelet.objects.task import (
    ContainerSpec,
    DnsConfig,
    Limit,
    Placement,
    ResourceRequirements,
    Resources,
    RestartPolicy,
    SecretReference,
    SecretReferenceFile,
    Task,
    TaskSpec,
)

words = st.sampled_from(["a", "b", "c", "d"])
maybe = st.none() | st.integers(0, 3)
containers = st.builds(
    ContainerSpec,
    image=words,
    env=st.lists(words, max_size=3),
    labels=st.dictionaries(words, words, max_size=2),
    args=st.lists(words, max_size=2),
    stop_grace_period=maybe,
    healthcheck=st.none() | st.builds(Healthcheck, test=st.lists(words, max_size=2)),
    mounts=st.lists(st.builds(Mount, source=words, target=words), max_size=2),
    dns_config=st.none() | st.builds(DnsConfig, nameservers=st.lists(words, max_size=1)),
    secrets=st.lists(
        st.builds(
            SecretReference,
            secret_id=words,
            secret_name=words,
            file=st.builds(SecretReferenceFile, name=words),
        ),
        max_size=3,
    ),
)
templates = st.builds(
    TaskSpec,
    container_spec=containers,
    resources=st.none()
    | st.builds(
        ResourceRequirements,
        limits=st.none() | st.builds(Limit, memory_bytes=st.integers(0, 1)),
        reservations=st.none() | st.just(Resources()),
    ),
    restart_policy=st.none()
    | st.builds(RestartPolicy, condition=st.sampled_from(["", "any", "none"]), delay=maybe),
    placement=st.none() | st.builds(Placement, constraints=st.lists(words, max_size=3)),
    networks=st.lists(st.builds(NetworkAttachmentConfig, target=words), max_size=3),
    force_update=st.integers(0, 1),
)


def dirty(now, made_from):
    service = Service(id="s", spec=ServiceSpec(task_template=now), spec_version=Version(index=2))
    return is_task_dirty(service, Task(id="t", spec=made_from, spec_version=Version(index=1)))


@settings(max_examples=60)
@given(templates)
def test_a_redeploy_is_clean(template):
    again = msgspec.json.decode(msgspec.json.encode(template), type=TaskSpec)
    assert not dirty(again, template)
    assert not dirty(normalise_template(template), template)
    assert not dirty(template.replaced(networks=template.networks[::-1]), template)


@settings(max_examples=60)
@given(templates, templates)
def test_dirty_is_symmetric_and_force_is_always_dirty(one, other):
    assert dirty(one, other) == dirty(other, one)
    assert dirty(one.replaced(force_update=one.force_update + 1), one)
