"""What a real engine answered, read into objects and written again, must be what the real engine answered.

`recorded/` is made by `record.py`. Differences that are meant are named where they are allowed for, with the reason.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from hivelet.api.errors import message_of, status_of
from hivelet.convert import (
    container,
    event,
    image,
    network,
    node,
    secret,
    service,
    swarm,
    system,
    task,
    volume,
)
from hivelet.convert.body import convert_json
from hivelet.convert.query import log_options, object_version
from hivelet.convert.shape import drop_nulls, parse_json
from hivelet.convert.versions import ApiVersion
from hivelet.errors import HiveletError, NotASwarmManager, OutOfSequence
from hivelet.objects.cluster import Cluster, ClusterSpec, JoinTokens
from hivelet.objects.common import Annotations, Driver, Meta, Platform, Version
from hivelet.objects.container import ContainerConfig, ContainerState, HostConfig
from hivelet.objects.engine import (
    Container,
    EndpointSettings,
    EngineInfo,
    EngineVersion,
    MountPoint,
    NetworkContainer,
    NodeNetwork,
    RuntimeInfo,
)
from hivelet.objects.event import Event
from hivelet.objects.image import Image, ImageHistory, ImageRemoval
from hivelet.objects.network import IpamConfig, IpamOptions, Network, NetworkSpec
from hivelet.objects.node import ManagerStatus, Node, NodeDescription, NodeStatus
from hivelet.objects.secret import Config, Secret
from hivelet.objects.service import Endpoint, JobStatus, Service, ServiceMode, UpdateStatus
from hivelet.objects.swarm import RemoteManager, SwarmStatus
from hivelet.objects.task import ContainerStatus, NetworkAttachment, PortStatus, Task, TaskStatus
from hivelet.objects.volume import Volume

RECORDED = Path(__file__).parent / "recorded"
Json = dict[str, Any]


def load(scene: str) -> Json:
    # Objects keep microseconds, Go nanoseconds: the last three digits are no difference.
    text = (RECORDED / f"{scene}.json").read_text()
    return json.loads(re.sub(r"(T[\d:]{8}\.\d{6})\d{3}", r"\1", text))


def answers(scene: str, *kinds: str) -> list[Any]:
    """Each object of the successful answers whose request path matches one of the kinds."""
    found = []
    for name, entry in load(scene).items():
        if entry.get("status") != 200 or entry["request"]["method"] != "GET":
            continue
        path = entry["request"]["path"].partition("?")[0]
        if not any(re.fullmatch(rf"/v1\.41/{kind}", path) for kind in kinds):
            continue
        values = entry["answer"] if isinstance(entry["answer"], list) else [entry["answer"]]
        found += [pytest.param(v, id=f"{scene}-{name}-{i}") for i, v in enumerate(values)]
    return found


def moment(text: str) -> datetime | None:
    return None if text.startswith("0001-") else datetime.fromisoformat(text)


def meta(data: Json) -> Meta:
    return Meta(
        version=convert_json(data["Version"], Version),
        created_at=moment(data["CreatedAt"]),
        updated_at=moment(data["UpdatedAt"]),
    )


def read_service(data: Json) -> Service:
    previous = data.get("PreviousSpec")
    endpoint = convert_json(data["Endpoint"], Endpoint)
    return Service(
        id=data["ID"],
        meta=meta(data),
        spec=service.parse_service_spec(data["Spec"]),
        previous_spec=None if previous is None else service.parse_service_spec(previous),
        endpoint=None if data["Endpoint"] == {"Spec": {}} else endpoint,
        update_status=convert_json(data.get("UpdateStatus", {}), UpdateStatus),
        job_status=convert_json(data["JobStatus"], JobStatus) if "JobStatus" in data else None,
    )


SERVICES = [
    *answers("services", "services", "services/[^/]+"),
    *answers("kinds", "services", "services/[^/]+"),
    *answers("updates", "services", "services/[^/]+"),
    *answers("files", "services/[^/]+"),
]


@pytest.mark.parametrize("data", SERVICES)
def test_services(data):
    counts = None
    if status := data.get("ServiceStatus"):
        counts = service.ServiceCounts(
            running=status["RunningTasks"],
            desired=status["DesiredTasks"],
            completed=status["CompletedTasks"],
        )
    defaults = "RollbackConfig" in data["Spec"]
    # Docker leaves out a placement that was never sent, on which `docker service update --replicas-max-per-node` panics.
    for spec in ("Spec", "PreviousSpec"):
        if spec in data:
            data[spec]["TaskTemplate"].setdefault("Placement", {})
    assert service.encode_service(read_service(data), counts=counts, defaults=defaults) == data


def read_network_of_task(data: Json) -> Network:
    spec = data["Spec"]
    return Network(
        id=data["ID"],
        meta=meta(data),
        spec=NetworkSpec(
            annotations=Annotations(name=spec["Name"], labels=spec["Labels"]),
            driver_configuration=convert_json(data["DriverState"], Driver),
            internal=spec.get("Internal", False),
            attachable=spec.get("Attachable", False),
            ingress=spec.get("Ingress", False),
            ipam=convert_json(spec["IPAMOptions"], IpamOptions) if "IPAMOptions" in spec else None,
        ),
        ipam=convert_json(data["IPAMOptions"], IpamOptions),
    )


def read_task(data: Json) -> tuple[Task, dict[str, Network]]:
    networks = {
        a["Network"]["ID"]: read_network_of_task(a["Network"])
        for a in data.get("NetworksAttachments", [])
    }
    status = data["Status"]
    container_status = status.get("ContainerStatus")
    return (
        Task(
            id=data["ID"],
            meta=meta(data),
            service_id=data["ServiceID"],
            # Docker counts the slots of a job from 0.
            slot=data.get("Slot", 0) + ("JobIteration" in data),
            node_id=data.get("NodeID", ""),
            spec=service.parse_service_spec({"TaskTemplate": data["Spec"]}).task_template,
            status=TaskStatus(
                timestamp=moment(status["Timestamp"]),
                state=status["State"],
                message=status.get("Message", ""),
                err=status.get("Err", ""),
                container_status=convert_json(container_status, ContainerStatus)
                if container_status
                else None,
                port_status=convert_json(status["PortStatus"], PortStatus),
            ),
            desired_state=data["DesiredState"],
            networks=[
                NetworkAttachment(network_id=a["Network"]["ID"], addresses=a["Addresses"])
                for a in data.get("NetworksAttachments", [])
            ],
            job_iteration=Version() if "JobIteration" in data else None,
        ),
        networks,
    )


TASKS = [
    *answers("services", "tasks", "tasks/[^/]+"),
    *answers("kinds", "tasks"),
    *answers("updates", "tasks"),
]


@pytest.mark.parametrize("data", TASKS)
def test_tasks(data):
    written = task.encode_task(*read_task(data))
    for side in (written, data):
        for attachment in side.get("NetworksAttachments", []):
            # What a network was asked to be and how its driver fares are one here: nobody has seen a client read them.
            attachment["Network"]["Spec"].pop("DriverConfiguration")
            attachment["Network"]["Spec"].pop("IPAMOptions", None)
    assert written == data


@pytest.mark.parametrize("data", answers("swarm", "nodes", "nodes/[^/]+"))
def test_nodes(data):
    one = Node(
        id=data["ID"],
        meta=meta(data),
        spec=node.parse_node_spec(data["Spec"]),
        description=convert_json(data["Description"], NodeDescription),
        status=convert_json(data["Status"], NodeStatus),
        manager_status=convert_json(data["ManagerStatus"], ManagerStatus),
    )
    assert node.encode_node(one) == data


def read_cluster(data: Json) -> Cluster:
    return Cluster(
        id=data["ID"],
        meta=meta(data),
        spec=convert_json(data["Spec"], ClusterSpec),
        join_tokens=convert_json(data.get("JoinTokens", {}), JoinTokens),
        trust_root=data["TLSInfo"]["TrustRoot"],
        default_addr_pool=tuple(data["DefaultAddrPool"]),
        subnet_size=data["SubnetSize"],
        data_path_port=data["DataPathPort"],
    )


def without_issuer(data: Json) -> Json:
    # hivelet has no certificates to show yet.
    data["TLSInfo"] = {"TrustRoot": data["TLSInfo"]["TrustRoot"]}
    return data


@pytest.mark.parametrize("data", answers("swarm", "swarm"))
def test_the_cluster(data):
    assert swarm.encode_cluster(read_cluster(data), tokens=True) == without_issuer(data)


@pytest.mark.parametrize("data", [*answers("engine", "info"), *answers("swarm", "info")])
def test_info(data):
    own = data["Swarm"]
    status = SwarmStatus(
        local_node_state=own["LocalNodeState"],
        node_id=own["NodeID"],
        node_addr=own["NodeAddr"],
        control_available=own["ControlAvailable"],
        error=own["Error"],
        remote_managers=convert_json(own["RemoteManagers"] or [], list[RemoteManager]),
        nodes=own.get("Nodes", 0),
        managers=own.get("Managers", 0),
        cluster=read_cluster(own["Cluster"]) if "Cluster" in own else None,
    )
    if "Cluster" in own:
        without_issuer(own["Cluster"])
    runtimes = {name: RuntimeInfo(path=one["path"]) for name, one in data["Runtimes"].items()}
    written = system.encode_info(
        EngineInfo(runtimes=runtimes, driver_status=[("a", "b")]),
        swarm.encode_status(status),
        datetime.fromisoformat(data["SystemTime"]),
    )
    assert written["Swarm"] == own
    assert shape_of(written) == shape_of(data)


def shape_of(value: Any) -> Any:
    """The keys and the kinds of values; null and empty are of any kind."""
    if isinstance(value, dict):
        return {key: shape_of(part) for key, part in value.items()}
    if isinstance(value, list):
        return "list"
    if value is None:
        return "list"
    return type(value).__name__


@pytest.mark.parametrize("data", answers("engine", "version"))
def test_version(data):
    written = system.encode_version(EngineVersion(version="x", components={"runc": "1"}))
    assert written.keys() == data.keys()
    assert written["Components"][0].keys() == data["Components"][0].keys()
    assert written["Components"][0]["Details"].keys() == data["Components"][0]["Details"].keys()
    assert written["Components"][1].keys() == data["Components"][1].keys()


def read_ipam(data: Json) -> IpamOptions:
    return IpamOptions(
        driver=Driver(name=data["Driver"], options=data["Options"] or {}),
        configs=convert_json(data["Config"], list[IpamConfig]),
    )


NETWORKS = [
    *answers("networks", "networks", "networks/[^/]+"),
    *answers("swarm_networks", "networks", "networks/[^/]+"),
    *answers("services", "networks/[^/]+"),
]


@pytest.mark.parametrize("data", NETWORKS)
def test_networks(data):
    containers = convert_json(data["Containers"] or {}, dict[str, NetworkContainer])
    if data["Scope"] == "local":
        one = NodeNetwork(
            id=data["Id"],
            name=data["Name"],
            created=moment(data["Created"]),
            driver=data["Driver"],
            ipam=read_ipam(data["IPAM"]),
            internal=data["Internal"],
            attachable=data["Attachable"],
            options=data["Options"],
            labels=data["Labels"],
            containers=containers,
        )
        assert network.encode_node_network(one) == data
        return
    spec = NetworkSpec(
        annotations=Annotations(name=data["Name"], labels=data["Labels"] or {}),
        driver_configuration=Driver(name=data["Driver"], options=data["Options"] or {}),
        internal=data["Internal"],
        attachable=data["Attachable"],
        ingress=data["Ingress"],
    )
    one = Network(
        id=data["Id"],
        meta=Meta(created_at=moment(data["Created"])),
        spec=spec,
        ipam=read_ipam(data["IPAM"]),
    )
    data.pop("Peers", None)  # there is no gossip between nodes
    data.pop("Services", None)  # has a test of its own, with tasks
    data["Labels"] = data["Labels"] or None  # Docker writes now {} and now null
    assert network.with_containers(network.encode_network(one), containers) == data


def read_container(data: Json) -> Container:
    state = data["State"]
    return Container(
        id=data["Id"],
        name=data["Name"].removeprefix("/"),
        created=moment(data["Created"]),
        path=data["Path"],
        args=data["Args"],
        image=data["Config"]["Image"],
        image_id=data["Image"],
        config=convert_json(drop_nulls(data["Config"]), ContainerConfig),
        host_config=convert_json(drop_nulls(data["HostConfig"]), HostConfig),
        state=ContainerState(
            status=state["Status"],
            pid=state["Pid"],
            exit_code=state["ExitCode"],
            started_at=moment(state["StartedAt"]),
            finished_at=moment(state["FinishedAt"]),
        ),
        networks={n: read_endpoint(e) for n, e in data["NetworkSettings"]["Networks"].items()},
        mounts=convert_json(data["Mounts"], list[MountPoint]),
        restart_count=data["RestartCount"],
        log_path=data["LogPath"],
        resolv_conf_path=data["ResolvConfPath"],
        hostname_path=data["HostnamePath"],
        hosts_path=data["HostsPath"],
        sandbox_id=data["NetworkSettings"]["SandboxID"],
        sandbox_key=data["NetworkSettings"]["SandboxKey"],
        storage_driver=data["Driver"],
        directories=data["GraphDriver"]["Data"],
        size_rw=data.get("SizeRw", -1),
        size_root_fs=data.get("SizeRootFs", -1),
    )


def read_endpoint(data: Json) -> EndpointSettings:
    asked = (data["IPAMConfig"] or {}).get("IPv4Address", "")
    return convert_json(drop_nulls(data), EndpointSettings).replaced(ipv4_requested=asked)


RECORDED_WITH = ApiVersion(1, 41)


@pytest.mark.parametrize("data", answers("services", "containers/[^/]+/json"))
def test_containers(data):
    assert container.encode_container(read_container(data), RECORDED_WITH) == data


@pytest.mark.parametrize("data", answers("services", "containers/json"))
def test_container_list(data):
    name = data["Names"][0]
    whole = next(
        e["answer"] for e in load("services").values()
        if isinstance(e.get("answer"), dict) and e["answer"].get("Name") == "/web.1" + name[6:]
    ) if name.startswith("/web.1") else None  # fmt: skip
    if whole is None:
        return
    one = read_container(whole).replaced(size_root_fs=data.get("SizeRootFs", -1), size_rw=-1)
    written = container.encode_summary(one, datetime.fromisoformat(whole["Created"]), RECORDED_WITH)
    assert written == data


def read_image(data: Json) -> Image:
    return Image(
        id=data["Id"],
        repo_tags=data["RepoTags"],
        repo_digests=data["RepoDigests"],
        parent=data["Parent"],
        comment=data["Comment"],
        author=data["Author"],
        created=moment(data["Created"]),
        last_tagged=moment(data["Metadata"]["LastTagTime"]),
        config=convert_json(drop_nulls(data["Config"]), ContainerConfig),
        platform=Platform(architecture=data["Architecture"], os=data["Os"]),
        size=data["Size"],
        layers=data["RootFS"]["Layers"],
        directories=data["GraphDriver"]["Data"],
    )


@pytest.mark.parametrize("data", answers("images", "images/.+/json"))
def test_images(data):
    data["DockerVersion"] = ""  # not Docker's
    assert image.encode_image(read_image(data), virtual_size=True) == data


@pytest.mark.parametrize("data", answers("images", "images/json"))
def test_image_list(data):
    one = Image(
        id=data["Id"],
        repo_tags=data["RepoTags"],
        created=datetime.fromtimestamp(data["Created"]).astimezone(),
        size=data["Size"],
    )
    assert image.encode_summary(one, virtual_size=True) == data


@pytest.mark.parametrize("data", answers("images", "images/.+/history"))
def test_image_history(data):
    step = ImageHistory(
        id=data["Id"],
        comment=data["Comment"],
        created=datetime.fromtimestamp(data["Created"]).astimezone(),
        size=data["Size"],
        tags=data["Tags"],
    )
    assert image.encode_history(step) == data


def test_image_removals():
    entry = load("images")["delete-image"]
    removals = [convert_json(part, ImageRemoval) for part in entry["answer"]]
    assert [image.encode_removal(removal) for removal in removals] == entry["answer"]


@pytest.mark.parametrize("noun", ["secret", "config"])
def test_secrets_and_configs(noun):
    for entry in load("files").values():
        if not (
            entry["status"] == 200 and f"/{noun}s" in entry["request"]["path"] and entry["answer"]
        ):
            continue
        values = entry["answer"] if isinstance(entry["answer"], list) else [entry["answer"]]
        for data in values:
            if noun == "secret":
                one = Secret(
                    id=data["ID"], meta=meta(data), spec=secret.parse_secret_spec(data["Spec"])
                )
                assert secret.encode_secret(one) == data
            else:
                two = Config(
                    id=data["ID"], meta=meta(data), spec=secret.parse_config_spec(data["Spec"])
                )
                assert secret.encode_config(two) == data


@pytest.mark.parametrize("name", ["volume-create", "volume-inspect", "volume-create-anonymous"])
def test_volumes(name):
    data = load("engine")[name]["answer"]
    one = Volume(
        name=data["Name"],
        mountpoint=data["Mountpoint"],
        created_at=moment(data["CreatedAt"]),
        labels=data["Labels"] or {},
    )
    assert volume.encode_volume(one) == data


EVENTS = load("events")["life"]["answer"]


@pytest.mark.parametrize("data", EVENTS, ids=[f"{e['Type']}-{e['Action']}" for e in EVENTS])
def test_events(data):
    one = Event(
        type=data["Type"],
        action=data["Action"],
        actor_id=data["Actor"]["ID"],
        attributes=data["Actor"]["Attributes"],
        scope=data["scope"],
        at=datetime.fromtimestamp(data["time"]).astimezone(),
    )
    written = event.encode_event(one)
    written["timeNano"] = data["timeNano"]
    assert written == data


def told(make: Any) -> tuple[int, Any]:
    """An error of ours as the API would answer it."""
    with pytest.raises(HiveletError) as caught:
        make()
    return status_of(caught.value), {"message": message_of(caught.value)}


def fail(error: HiveletError) -> Any:
    def run() -> None:
        raise error

    return run


@pytest.mark.parametrize(
    ("scene", "name", "make"),
    [
        ("not_a_manager", "services-list", fail(NotASwarmManager())),
        ("services", "update-bad-version", fail(OutOfSequence())),
        ("services", "update-no-version", lambda: object_version({}, "service")),
        ("services", "update-text-version", lambda: object_version({"version": "x"}, "service")),
        ("swarm", "node-update-no-version", lambda: object_version({}, "node")),
        ("swarm", "update-no-version", lambda: object_version({}, "swarm")),
        ("services", "create-two-modes", lambda: service.parse_service_spec(
            {"Mode": {"Replicated": {}, "Global": {}}})),
        ("services", "create-bad-restart", lambda: service.parse_service_spec(
            {"TaskTemplate": {"RestartPolicy": {"Condition": "x"}}})),
        ("services", "create-bad-order", lambda: service.parse_service_spec({"UpdateConfig": {"Order": "x"}})),
        ("swarm", "node-update-bad-role", lambda: node.parse_node_spec({"Role": "king"})),
    ],
)  # fmt: skip
def test_errors(scene, name, make):
    entry = load(scene)[name]
    assert told(make) == (entry["status"], entry["answer"])


@pytest.mark.parametrize(
    ("scene", "name", "make"),
    [
        # Docker answers these with 500; a request that is wrong as it stands is 400 here, in the same words.
        ("services", "logs-no-stream", lambda: log_options({})),
    ],
)
def test_messages(scene, name, make):
    assert told(make)[1] == load(scene)[name]["answer"]


@pytest.mark.parametrize("scene", sorted(path.stem for path in RECORDED.glob("*.json")))
def test_every_recorded_service_spec_is_read(scene):
    for entry in load(scene).values():
        request = entry.get("request", {})
        if request.get("path") == "/v1.41/services/create" and entry["status"] == 201:
            spec = service.parse_service_spec(
                drop_nulls(parse_json(json.dumps(request["body"]).encode()))
            )
            assert spec.mode != ServiceMode()


def test_the_recorded_engine_is_the_one_that_we_know():
    assert load("engine")["version"]["answer"]["ApiVersion"] == str(ApiVersion(1, 41))
