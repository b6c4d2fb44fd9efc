"""What users of the simulated cluster may ask for: generated service specs, and how the images of the tests behave."""

import hypothesis.strategies as st

from hivelet.objects.network import NetworkAttachmentConfig
from hivelet.objects.service import (
    DEPENDS_ON_LABEL,
    EndpointSpec,
    GlobalJobMode,
    GlobalMode,
    ReplicatedJobMode,
    ReplicatedMode,
    ServiceMode,
    ServiceSpec,
    UpdateConfig,
)
from hivelet.objects.task import (
    ContainerSpec,
    Placement,
    PlacementPreference,
    PortConfig,
    ResourceRequirements,
    Resources,
    RestartPolicy,
    SpreadOver,
    TaskSpec,
)
from hivelet.testing.runtime import Script

NAMES = ("rabbit", "web", "celery", "api")
"""In the order in which they may depend on one another."""

GOOD = {"good:1": Script(), "good:2": Script(stop=3.0), "slow:1": Script(prepare=4.0, start=1.0)}
BAD = {
    "crash:1": Script(exits_after=0.4, exit_code=1),
    "none:1": Script(missing=True),
    "hang:1": Script(hangs_in_start=True),
    "done:1": Script(exits_after=1.0, exit_code=0),
    "flaky:1": Script(flaky_prepares=2, failing_starts=3),
}

SECOND = 10**9
MIB = 2**20

NODE = Resources(nano_cpus=4 * SECOND, memory_bytes=1024 * MIB)
"""What each simulated node has."""

images = st.sampled_from([*GOOD, *GOOD, *BAD])
replicas = st.integers(0, 4)

updates = st.builds(
    UpdateConfig,
    parallelism=st.integers(0, 3),
    delay=st.sampled_from([0, 0, 2 * SECOND]),
    failure_action=st.sampled_from(["", "pause", "continue", "rollback"]),
    monitor=st.sampled_from([None, 0, SECOND]),
    order=st.sampled_from(["", "stop-first", "start-first"]),
    max_failure_ratio=st.sampled_from([0.0, 0.5]),
)

policies = st.builds(
    RestartPolicy,
    condition=st.sampled_from(["", "any", "any", "on-failure", "none"]),
    delay=st.sampled_from([None, None, 0, 3 * SECOND]),
    max_attempts=st.sampled_from([None, None, 2]),
    window=st.sampled_from([None, 10 * SECOND]),
)

placements = st.builds(
    Placement,
    constraints=st.sampled_from(
        [[], [], [], ["node.labels.zone==a"], ["node.role!=manager"], ["node.hostname==nowhere"]]
    ),
    preferences=st.sampled_from(
        [[], [PlacementPreference(spread=SpreadOver(spread_descriptor="node.labels.zone"))]]
    ),
    max_replicas=st.sampled_from([0, 0, 0, 2]),
)

resources = st.sampled_from(
    [
        None,
        None,
        ResourceRequirements(reservations=Resources(memory_bytes=300 * MIB)),
        ResourceRequirements(reservations=Resources(nano_cpus=3 * SECOND)),
    ]
)

ports = st.sampled_from(
    [
        [],
        [],
        [PortConfig(target_port=80, published_port=8000)],
        [PortConfig(target_port=80, published_port=9000, publish_mode="host")],
        [PortConfig(target_port=80)],
    ]
)

modes = st.one_of(
    st.builds(ServiceMode, replicated=st.builds(ReplicatedMode, replicas=replicas)),
    st.builds(ServiceMode, replicated=st.builds(ReplicatedMode, replicas=replicas)),
    st.just(ServiceMode(global_=GlobalMode())),
    st.just(ServiceMode(global_job=GlobalJobMode())),
    st.builds(
        ServiceMode,
        replicated_job=st.builds(
            ReplicatedJobMode,
            max_concurrent=st.sampled_from([None, 1, 2]),
            total_completions=st.sampled_from([None, 1, 3]),
        ),
    ),
)


def is_job(mode):
    return mode.replicated_job is not None or mode.global_job is not None


@st.composite
def services(draw):
    """A service's spec but for its name, and by place in NAMES the services it waits for."""
    mode = draw(modes)
    job = is_job(mode)
    template = TaskSpec(
        container_spec=ContainerSpec(image=draw(images)),
        resources=draw(resources),
        restart_policy=draw(policies),
        placement=draw(placements),
        networks=[NetworkAttachmentConfig(target="net")] if draw(st.booleans()) else [],
    )
    published = [] if job else draw(ports)
    spec = ServiceSpec(
        task_template=template,
        mode=mode,
        update_config=None if job else draw(updates),
        rollback_config=None if job else draw(updates).replaced(failure_action=""),
        endpoint_spec=EndpointSpec(ports=published) if published else None,
    )
    return spec, draw(st.sampled_from([0, 0, 0, 1, 2]))


def named(spec, name, awaits):
    """The spec with a name, waiting for so many of the services that come before it."""
    earlier = NAMES[: NAMES.index(name)] if name in NAMES else ()
    labels = {DEPENDS_ON_LABEL: ",".join(earlier[:awaits])} if awaits and earlier else {}
    return spec.replaced(name=name, labels=labels)


def healed(spec):
    """The spec with nothing left in it that could keep its tasks from running."""
    container = spec.task_template.container_spec
    image = "done:1" if is_job(spec.mode) else "good:1"
    template = spec.task_template.replaced(
        restart_policy=None,
        placement=None,
        resources=None,
        container_spec=container.replaced(image=image),
    )
    # Several tasks of one service can't hold one port of one node.
    endpoint = spec.endpoint_spec
    held = endpoint is not None and any(port.publish_mode == "host" for port in endpoint.ports)
    job = is_job(spec.mode)
    return spec.replaced(
        task_template=template,
        endpoint_spec=None if held else endpoint,
        update_config=None if job else UpdateConfig(),
        rollback_config=None,
    )
