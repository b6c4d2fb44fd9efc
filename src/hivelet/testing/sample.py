"""A small world for tests of the API and its clients: one node in a swarm, a service with two tasks, and what goes with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hivelet.objects.cluster import Cluster, JoinTokens
from hivelet.objects.common import (
    Annotations,
    ContainerId,
    Driver,
    NetworkId,
    NodeId,
    Platform,
    ServiceId,
    TaskId,
)
from hivelet.objects.container import ContainerConfig, ContainerState, PortBinding
from hivelet.objects.engine import Container, EndpointSettings, NodeNetwork
from hivelet.objects.image import Image
from hivelet.objects.network import (
    IpamConfig,
    IpamOptions,
    Network,
    NetworkAttachmentConfig,
    NetworkSpec,
)
from hivelet.objects.node import (
    EngineDescription,
    ManagerStatus,
    Node,
    NodeDescription,
    NodeSpec,
    NodeStatus,
)
from hivelet.objects.service import (
    Endpoint,
    EndpointSpec,
    EndpointVirtualIP,
    ReplicatedMode,
    Service,
    ServiceMode,
    ServiceSpec,
)
from hivelet.objects.task import (
    ContainerSpec,
    ContainerStatus,
    NetworkAttachment,
    PortConfig,
    Resources,
    Task,
    TaskSpec,
    TaskState,
    TaskStatus,
)
from hivelet.testing.engine_backend.engine import FakeEngine
from hivelet.testing.swarm_backend import FakeSwarm

MOMENT = datetime(2024, 5, 6, 7, 8, 9, 123456, UTC)
"""When everything in the sample was made."""

NODE = NodeId("node1aaaaaaaaaaaaaaaaaaaa")
NETWORK = NetworkId("net1aaaaaaaaaaaaaaaaaaaaa")
SERVICE = ServiceId("service1aaaaaaaaaaaaaaaaa")
TASKS = (TaskId("task1aaaaaaaaaaaaaaaaaaaa"), TaskId("task2aaaaaaaaaaaaaaaaaaaa"))
CONTAINERS = (ContainerId("c1" * 32), ContainerId("c2" * 32))
PORT = PortConfig(target_port=8000, published_port=8000)


def make_world() -> tuple[FakeSwarm, FakeEngine]:
    """The sample: service `web` with the tasks web.1 (running) and web.2 (rejected), network `myapp_webnet`."""
    swarm, engine = FakeSwarm(MOMENT), FakeEngine(MOMENT)
    _add_cluster(swarm)
    _add_service(swarm)
    _add_engine(engine)
    return swarm, engine


def make_task(slot: int, state: TaskState = TaskState.RUNNING, *, err: str = "") -> Task:
    """The task of a slot of the sample's service."""
    status = TaskStatus(
        timestamp=MOMENT,
        state=state,
        message="started",
        err=err,
        container_status=ContainerStatus(container_id=CONTAINERS[slot - 1], pid=100 + slot),
    )
    return Task(
        id=TASKS[slot - 1],
        service_id=SERVICE,
        service_annotations=Annotations(name="web", labels={"com.docker.stack.namespace": "myapp"}),
        slot=slot,
        node_id=NODE,
        spec=TaskSpec(container_spec=ContainerSpec(image="myweb:latest")),
        status=status,
        desired_state=TaskState.RUNNING,
        networks=[NetworkAttachment(network_id=NETWORK, addresses=[f"10.0.1.{slot + 2}/24"])],
    )


def make_container(slot: int) -> Container:
    """The container of a slot of the sample's service, running for five minutes."""
    name = f"web.{slot}.{TASKS[slot - 1]}"
    return Container(
        id=CONTAINERS[slot - 1],
        name=name,
        created=MOMENT - timedelta(minutes=5, seconds=slot),
        path="python",
        args=["manage.py", "runserver"],
        image="myweb:latest",
        image_id="sha256:" + "ab" * 32,
        config=ContainerConfig(
            image="myweb:latest",
            labels={
                "com.docker.swarm.task.id": TASKS[slot - 1],
                "com.docker.swarm.task.name": name,
            },
        ),
        state=ContainerState(
            status="running", pid=100 + slot, started_at=MOMENT - timedelta(minutes=5)
        ),
        networks={
            "myapp_webnet": EndpointSettings(network_id=NETWORK, ip_address=f"10.0.1.{slot + 2}")
        },
        ports={"8000/tcp": [PortBinding(host_ip="0.0.0.0", host_port=str(8000 + slot))]},
    )


def _add_cluster(swarm: FakeSwarm) -> None:
    swarm.cluster = Cluster(
        id="cluster1aaaaaaaaaaaaaaaaa",
        meta=swarm.meta(),
        join_tokens=JoinTokens(worker="SWMTKN-1-w", manager="SWMTKN-1-m"),
    )
    swarm.nodes[NODE] = Node(
        id=NODE,
        meta=swarm.meta(),
        spec=NodeSpec(role="manager"),
        description=NodeDescription(
            hostname="node-1",
            platform=Platform(architecture="x86_64", os="linux"),
            resources=Resources(nano_cpus=2 * 10**9, memory_bytes=1 << 30),
            engine=EngineDescription(engine_version="0.1.0"),
        ),
        status=NodeStatus(state="ready", addr="192.0.2.1"),
        manager_status=ManagerStatus(leader=True, addr="192.0.2.1:2377"),
    )
    ipam = IpamOptions(configs=[IpamConfig(subnet="10.0.1.0/24", gateway="10.0.1.1")])
    swarm.networks[NETWORK] = Network(
        id=NETWORK,
        meta=swarm.meta(),
        spec=NetworkSpec(
            annotations=Annotations(
                name="myapp_webnet", labels={"com.docker.stack.namespace": "myapp"}
            ),
            driver_configuration=Driver(name="overlay"),
        ),
        ipam=ipam,
    )


def _add_service(swarm: FakeSwarm) -> None:
    spec = ServiceSpec(
        name="web",
        labels={"com.docker.stack.namespace": "myapp", "com.docker.stack.image": "myweb:latest"},
        task_template=TaskSpec(
            container_spec=ContainerSpec(image="myweb:latest"),
            networks=[NetworkAttachmentConfig(target=NETWORK, aliases=["web"])],
        ),
        mode=ServiceMode(replicated=ReplicatedMode(replicas=2)),
        endpoint_spec=EndpointSpec(mode="vip", ports=[PORT]),
    )
    swarm.services[SERVICE] = Service(
        id=SERVICE,
        meta=swarm.meta(),
        spec=spec,
        endpoint=Endpoint(
            spec=EndpointSpec(mode="vip", ports=[PORT]),
            ports=[PORT],
            virtual_ips=[EndpointVirtualIP(network_id=NETWORK, addr="10.0.1.2/24")],
        ),
    )
    swarm.put_task(make_task(1))
    swarm.put_task(make_task(2, TaskState.REJECTED, err="No such image: myweb:latest"))


def _add_engine(engine: FakeEngine) -> None:
    engine.containers = {CONTAINERS[slot - 1]: make_container(slot) for slot in (1, 2)}
    image = Image(
        id="sha256:" + "ab" * 32,
        repo_tags=["myweb:latest"],
        created=MOMENT - timedelta(days=3),
        size=123_000_000,
    )
    engine.images = {image.id: image}
    for name, driver in (("bridge", "bridge"), ("host", "host"), ("none", "null")):
        identity = NetworkId(name.ljust(64, "0"))
        engine.networks[identity] = NodeNetwork(
            id=identity, name=name, driver=driver, created=MOMENT
        )
