"""Ask a real Docker Engine what `recorded/` holds. Run as root: `python tests/conformance/record.py [PROGRAMS]`.

PROGRAMS is a directory with dockerd, containerd and docker-proxy, where these are not on the PATH. Takes about two
minutes; the records are masked, so a second run with the same engine changes next to nothing.
"""

from __future__ import annotations

import io
import sys
import tarfile
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parent))
from oracle import Oracle, Recorder, ask

RECORDED = Path(__file__).parent / "recorded"
SLEEP = ["/bin/sleep", "100000"]


def filters(**wanted: Any) -> str:
    """`filters=…` for a query."""
    import json

    renamed = {
        k.replace("_", "-")
        if not k.startswith("_")
        else k.replace("_up_to", "_up-to").replace("to_date", "to-date"): v
        for k, v in wanted.items()
    }
    return "filters=" + quote(json.dumps(renamed))


def busybox() -> bytes:
    """A root file system with nothing but busybox."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add("/bin/busybox", "bin/busybox")
        for name in ("sh", "sleep", "echo", "false", "ls", "cat"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return buffer.getvalue()


def until(look: Callable[[], Any], seconds: float = 40) -> Any:
    """The first true answer of `look`."""
    deadline = time.monotonic() + seconds
    while True:
        if found := look():
            return found
        if time.monotonic() > deadline:
            raise RuntimeError("the engine did not get there in time")
        time.sleep(0.05)


def spec(
    name: str, *, image: str = "bb:latest", command: list[str] | None = None, **more: Any
) -> dict[str, Any]:
    """A service as the docker CLI would ask for it, with as little as can be said."""
    container = {"Image": image, "Command": command or SLEEP, **more.pop("ContainerSpec", {})}
    return {
        "Name": name,
        "TaskTemplate": {"ContainerSpec": container, **more.pop("TaskTemplate", {})},
        **more,
    }


class Session:
    """The scenes, each saved to a file of its own."""

    def __init__(self, recorder: Recorder) -> None:
        self.r = recorder

    def tasks(self, service: str) -> list[Any]:
        found = self.r.ask("GET", "/tasks?" + filters(service=[service]))
        return found if isinstance(found, list) else []

    def running(self, service: str, count: int) -> Callable[[], Any]:
        def look() -> Any:
            found = [
                t
                for t in self.tasks(service)
                if t["Status"]["State"] == t["DesiredState"] == "running"
            ]
            return found if len(found) == count else None

        return look

    def engine(self) -> None:
        r = self.r
        r.record("ping", "GET", "/_ping")
        r.record("ping-head", "HEAD", "/_ping")
        r.record("ping-unversioned", "GET", "//_ping")
        r.record("version", "GET", "/version")
        r.record("version-1.24", "GET", "/v1.24/version")
        r.record("info-inactive", "GET", "/info")
        r.record("too-new", "GET", "/v1.99/version")
        r.record("too-old", "GET", "/v1.11/version")
        r.record("no-such-page", "GET", "/nope")
        r.record("wrong-method", "DELETE", "/version")
        r.record(
            "volume-bad-json",
            "POST",
            "/volumes/create",
            b"{bad",
            {"Content-Type": "application/json"},
        )
        r.record(
            "volume-text-body", "POST", "/volumes/create", b"{}", {"Content-Type": "text/plain"}
        )
        r.record("volume-create", "POST", "/volumes/create", {"Name": "data", "Labels": {"a": "b"}})
        r.record("volume-create-again", "POST", "/volumes/create", {"Name": "data"})
        r.record("volume-create-anonymous", "POST", "/volumes/create", {})
        r.record("volume-bad-name", "POST", "/volumes/create", {"Name": "/x"})
        r.record("volume-list", "GET", "/volumes")
        r.record("volume-list-filtered", "GET", "/volumes?" + filters(name=["nothing"]))
        r.record("volume-inspect", "GET", "/volumes/data")
        r.record("volume-unknown", "GET", "/volumes/nope")
        r.record("volume-delete", "DELETE", "/volumes/data")
        r.record("volume-delete-unknown", "DELETE", "/volumes/data")
        r.record("volume-delete-unknown-force", "DELETE", "/volumes/data?force=1")
        r.record("volume-prune", "POST", "/volumes/prune")
        r.save("engine")

    def not_a_manager(self) -> None:
        r = self.r
        for noun in (
            "services",
            "tasks",
            "nodes",
            "secrets",
            "configs",
            "swarm",
            "swarm/unlockkey",
        ):
            r.record(f"{noun}-list", "GET", f"/{noun}")
        r.record("service-create", "POST", "/services/create", spec("web"))
        r.record(
            "service-create-bad-json",
            "POST",
            "/services/create",
            b"{bad",
            {"Content-Type": "application/json"},
        )
        r.record("service-update", "POST", "/services/x/update?version=1", spec("web"))
        r.record("service-update-no-version", "POST", "/services/x/update", spec("web"))
        r.record("service-inspect", "GET", "/services/x")
        r.record("service-logs", "GET", "/services/x/logs?stdout=1")
        r.record("node-inspect", "GET", "/nodes/self")
        r.record("leave", "POST", "/swarm/leave")
        r.record("leave-force", "POST", "/swarm/leave?force=1")
        r.record("network-overlay", "POST", "/networks/create", {"Name": "o", "Driver": "overlay"})
        r.record("swarm-update", "POST", "/swarm/update?version=1", {})
        r.record(
            "join-nowhere",
            "POST",
            "/swarm/join",
            {"RemoteAddrs": ["192.168.77.9:2377"], "JoinToken": "x"},
        )
        r.save("not_a_manager")

    def images(self) -> None:
        r = self.r
        r.record("list-empty", "GET", "/images/json")
        r.record("import", "POST", "/images/create?fromSrc=-&repo=bb&tag=latest", busybox())
        r.record(
            "import-with-changes",
            "POST",
            "/images/create?fromSrc=-&repo=bb&tag=env&message=hello&changes="
            + quote("ENV A=b")
            + "&changes="
            + quote('CMD ["/bin/sh"]'),
            busybox(),
        )
        r.record("list", "GET", "/images/json")
        r.record("list-1.24", "GET", "/v1.24/images/json")
        r.record("list-reference", "GET", "/images/json?" + filters(reference=["bb:l*"]))
        r.record("list-dangling", "GET", "/images/json?" + filters(dangling=["true"]))
        r.record("list-bad-filter", "GET", "/images/json?" + filters(foo=["x"]))
        r.record("list-bad-json", "GET", "/images/json?filters=%7Bbad")
        r.record("list-bad-dangling", "GET", "/images/json?" + filters(dangling=["maybe"]))
        r.record("inspect", "GET", "/images/bb:env/json")
        r.record("inspect-unknown", "GET", "/images/nope/json")
        r.record("history", "GET", "/images/bb:env/history")
        r.record("tag", "POST", "/images/bb:latest/tag?repo=registry.example:5000/a/bb&tag=1")
        r.record("tag-unknown", "POST", "/images/nope/tag?repo=a")
        r.record("tag-invalid", "POST", "/images/bb/tag?repo=A%20B")
        r.record("list-tagged", "GET", "/images/json")
        r.record("delete-tag", "DELETE", "/images/registry.example:5000/a/bb:1")
        r.record("delete-image", "DELETE", "/images/bb:env")
        r.record("delete-unknown", "DELETE", "/images/nope")
        r.record("pull-unreachable", "POST", "/images/create?fromImage=registry.example&tag=1")
        r.record("distribution-unreachable", "GET", "/distribution/bb:latest/json")
        r.record("distribution-invalid", "GET", "/distribution/A%20B/json")
        r.record("prune", "POST", "/images/prune")
        r.record("system-df-no-containers", "GET", "/system/df")
        r.record(
            "auth-unreachable",
            "POST",
            "/auth",
            {"username": "u", "password": "p", "serveraddress": "registry.invalid"},
        )
        r.save("images")

    def networks(self) -> None:
        r = self.r
        r.record("list", "GET", "/networks")
        r.record("inspect-bridge", "GET", "/networks/bridge")
        r.record("inspect-host", "GET", "/networks/host")
        r.record("inspect-unknown", "GET", "/networks/nope")
        r.record("create", "POST", "/networks/create", {
            "Name": "mine", "CheckDuplicate": True, "Driver": "bridge", "Labels": {"a": "b"},
            "IPAM": {"Driver": "default", "Config": [{"Subnet": "172.29.0.0/20", "Gateway": "172.29.0.1"}]},
            "Options": {"com.docker.network.bridge.enable_icc": "false"},
        })  # fmt: skip
        r.record("inspect-created", "GET", "/networks/mine")
        r.record(
            "create-duplicate", "POST", "/networks/create", {"Name": "mine", "CheckDuplicate": True}
        )
        r.record(
            "create-overlap",
            "POST",
            "/networks/create",
            {"Name": "mine2", "IPAM": {"Config": [{"Subnet": "172.29.1.0/24"}]}},
        )
        r.record("create-no-name", "POST", "/networks/create", {})
        r.record(
            "create-bad-subnet",
            "POST",
            "/networks/create",
            {"Name": "mine3", "IPAM": {"Config": [{"Subnet": "nonsense"}]}},
        )
        r.record(
            "create-bad-driver", "POST", "/networks/create", {"Name": "mine4", "Driver": "nonsense"}
        )
        r.record("create-default", "POST", "/networks/create", {"Name": "plain"})
        r.record("inspect-default", "GET", "/networks/plain")
        r.record("list-filter-name", "GET", "/networks?" + filters(name=["mi"]))
        r.record("list-filter-bad", "GET", "/networks?" + filters(foo=["mi"]))
        r.record("list-filter-type", "GET", "/networks?" + filters(type=["custom"]))
        r.record("delete-bridge", "DELETE", "/networks/bridge")
        r.record("delete", "DELETE", "/networks/mine")
        r.record("delete-unknown", "DELETE", "/networks/mine")
        r.record("prune", "POST", "/networks/prune")
        r.save("networks")

    def swarm(self) -> None:
        r = self.r
        r.record(
            "init",
            "POST",
            "/swarm/init",
            {
                "ListenAddr": "0.0.0.0:2377",
                "AdvertiseAddr": "",
                "ForceNewCluster": False,
                "Spec": {
                    "Labels": None,
                    "Orchestration": {},
                    "Raft": {"ElectionTick": 0, "HeartbeatTick": 0},
                    "Dispatcher": {},
                    "CAConfig": {},
                    "TaskDefaults": {},
                    "EncryptionConfig": {"AutoLockManagers": False},
                },
                "AutoLockManagers": False,
                "Availability": "",
            },
        )
        r.record("init-again", "POST", "/swarm/init", {"ListenAddr": "0.0.0.0:2377"})
        r.record(
            "join-again",
            "POST",
            "/swarm/join",
            {"RemoteAddrs": ["192.168.77.9:2377"], "JoinToken": "x"},
        )
        swarm = r.record("inspect", "GET", "/swarm")
        r.record("unlockkey", "GET", "/swarm/unlockkey")
        r.record("leave-not-forced", "POST", "/swarm/leave")
        r.record("update-bad-version", "POST", "/swarm/update?version=1", swarm["Spec"])
        r.record(
            "update-rotate",
            "POST",
            f"/swarm/update?version={swarm['Version']['Index']}&rotateWorkerToken=true",
            swarm["Spec"],
        )
        r.record("update-no-version", "POST", "/swarm/update", swarm["Spec"])
        until(lambda: r.ask("GET", "/nodes")[0]["Status"]["State"] == "ready")
        until(lambda: "ManagerStatus" in r.ask("GET", "/nodes")[0])
        r.record("info-active", "GET", "/info")
        r.record("ping-active", "GET", "/_ping")
        nodes = r.record("nodes", "GET", "/nodes")
        node = nodes[0]
        r.record("nodes-filter-role", "GET", "/nodes?" + filters(role=["worker"]))
        r.record("nodes-filter-bad", "GET", "/nodes?" + filters(foo=["worker"]))
        r.record("nodes-filter-bad-role", "GET", "/nodes?" + filters(role=["king"]))
        r.record("node-self", "GET", "/nodes/self")
        r.record("node-by-hostname", "GET", "/nodes/" + node["Description"]["Hostname"])
        r.record("node-unknown", "GET", "/nodes/nope")
        r.record(
            "node-update-bad-version",
            "POST",
            f"/nodes/{node['ID']}/update?version=1",
            {"Role": "manager", "Availability": "active"},
        )
        r.record(
            "node-update-no-version",
            "POST",
            f"/nodes/{node['ID']}/update",
            {"Role": "manager", "Availability": "active"},
        )
        r.record(
            "node-update-bad-role",
            "POST",
            f"/nodes/{node['ID']}/update?version={node['Version']['Index']}",
            {"Role": "king", "Availability": "active"},
        )
        r.record(
            "node-demote-last",
            "POST",
            f"/nodes/{node['ID']}/update?version={node['Version']['Index']}",
            {"Role": "worker", "Availability": "active"},
        )
        r.record("node-delete-self", "DELETE", f"/nodes/{node['ID']}")
        r.record("node-delete-self-force", "DELETE", f"/nodes/{node['ID']}?force=1")
        version = r.ask("GET", f"/nodes/{node['ID']}")["Version"]["Index"]
        r.record(
            "node-update",
            "POST",
            f"/nodes/{node['ID']}/update?version={version}",
            {"Role": "manager", "Availability": "active", "Labels": {"zone": "a"}},
        )
        r.record("node-labelled", "GET", f"/nodes/{node['ID']}")
        r.save("swarm")

    def swarm_networks(self) -> None:
        r = self.r
        until(lambda: len(r.ask("GET", "/networks")) >= 5)
        r.record("list", "GET", "/networks")
        r.record("inspect-ingress", "GET", "/networks/ingress")
        r.record("inspect-gwbridge", "GET", "/networks/docker_gwbridge")
        r.record(
            "create",
            "POST",
            "/networks/create",
            {
                "Name": "over",
                "CheckDuplicate": True,
                "Driver": "overlay",
                "Labels": {"com.docker.stack.namespace": "s"},
            },
        )
        r.record(
            "create-attachable",
            "POST",
            "/networks/create",
            {
                "Name": "attach",
                "Driver": "overlay",
                "Attachable": True,
                "Internal": True,
                "IPAM": {"Config": [{"Subnet": "10.77.0.0/24"}]},
                "Options": {"encrypted": ""},
            },
        )
        r.record(
            "create-duplicate",
            "POST",
            "/networks/create",
            {"Name": "over", "CheckDuplicate": True, "Driver": "overlay"},
        )
        r.record(
            "create-second-ingress",
            "POST",
            "/networks/create",
            {"Name": "ing", "Driver": "overlay", "Ingress": True},
        )
        r.record("inspect-overlay", "GET", "/networks/over")
        r.record("inspect-attachable", "GET", "/networks/attach")
        r.record("inspect-scope-local", "GET", "/networks/over?scope=local")
        r.record("list-filter-driver", "GET", "/networks?" + filters(driver=["overlay"]))
        r.record("list-filter-scope", "GET", "/networks?" + filters(scope=["swarm"]))
        r.record(
            "list-filter-label",
            "GET",
            "/networks?" + filters(label=["com.docker.stack.namespace=s"]),
        )
        r.save("swarm_networks")

    def services(self) -> None:
        r = self.r
        web = spec(
            "web",
            Labels={"com.docker.stack.namespace": "s"},
            TaskTemplate={"Networks": [{"Target": "over", "Aliases": ["w"]}], "ForceUpdate": 0},
            Mode={"Replicated": {"Replicas": 2}},
            EndpointSpec={
                "Ports": [
                    {
                        "Protocol": "tcp",
                        "TargetPort": 80,
                        "PublishedPort": 8000,
                        "PublishMode": "ingress",
                    }
                ]
            },
            ContainerSpec={"Env": ["A=b"], "Labels": {"l": "1"}},
        )
        created = r.record("create", "POST", "/services/create", web)
        r.record("inspect-at-once", "GET", "/services/web")
        r.record("tasks-at-once", "GET", "/tasks?" + filters(service=["web"]))
        tasks = until(self.running("web", 2))
        r.record("inspect", "GET", "/services/web")
        r.record("inspect-by-prefix", "GET", f"/services/{created['ID'][:10]}")
        r.record("inspect-defaults", "GET", "/services/web?insertDefaults=true")
        r.record("list", "GET", "/services")
        r.record("list-status", "GET", "/services?status=true")
        r.record("list-filter-mode", "GET", "/services?" + filters(mode=["global"]))
        r.record(
            "list-filter-label",
            "GET",
            "/services?" + filters(label=["com.docker.stack.namespace=s"]),
        )
        r.record("list-filter-name", "GET", "/services?" + filters(name=["we"]))
        r.record("list-filter-bad", "GET", "/services?" + filters(foo=["we"]))
        r.record("tasks", "GET", "/tasks?" + filters(service=["web"]))
        r.record(
            "tasks-up-to-date",
            "GET",
            "/tasks?" + filters(service=["web"], _up_to_date=["true"]),
        )
        r.record("tasks-filter-desired", "GET", "/tasks?" + filters(desired_state=["shutdown"]))
        r.record("tasks-filter-bad", "GET", "/tasks?" + filters(foo=["x"]))
        r.record("tasks-filter-bad-state", "GET", "/tasks?" + filters(desired_state=["x"]))
        r.record("tasks-filter-unknown-service", "GET", "/tasks?" + filters(service=["nope"]))
        r.record("task-inspect", "GET", f"/tasks/{tasks[0]['ID']}")
        r.record("task-unknown", "GET", "/tasks/nope")
        r.record("containers", "GET", "/containers/json")
        r.record(
            "containers-size",
            "GET",
            "/containers/json?size=1&"
            + filters(label=[f"com.docker.swarm.task.id={tasks[0]['ID']}"]),
        )
        r.record("containers-filter-bad", "GET", "/containers/json?" + filters(foo=["x"]))
        r.record("containers-filter-status-bad", "GET", "/containers/json?" + filters(status=["x"]))
        container = tasks[0]["Status"]["ContainerStatus"]["ContainerID"]
        r.record("container-inspect", "GET", f"/containers/{container}/json")
        r.record("container-inspect-size", "GET", f"/containers/{container}/json?size=1")
        r.record("container-top", "GET", f"/containers/{container}/top")
        r.record("container-stats", "GET", f"/containers/{container}/stats?stream=0")
        r.record("network-inspect-verbose", "GET", "/networks/over?verbose=true")
        r.record("network-inspect-used", "GET", "/networks/over")
        r.record("gwbridge-inspect-used", "GET", "/networks/docker_gwbridge")
        r.record("network-delete-used", "DELETE", "/networks/over")
        r.record("create-duplicate", "POST", "/services/create", spec("web"))
        r.record("create-no-name", "POST", "/services/create", spec(""))
        r.record("create-bad-name", "POST", "/services/create", spec("a b"))
        r.record("create-no-image", "POST", "/services/create", spec("x", image=""))
        r.record("create-bad-image", "POST", "/services/create", spec("x", image="A B"))
        r.record(
            "create-port-conflict",
            "POST",
            "/services/create",
            spec("x", EndpointSpec={"Ports": [{"TargetPort": 81, "PublishedPort": 8000}]}),
        )
        r.record(
            "create-duplicate-port",
            "POST",
            "/services/create",
            spec(
                "x",
                EndpointSpec={
                    "Ports": [
                        {"TargetPort": 81, "PublishedPort": 8001},
                        {"TargetPort": 82, "PublishedPort": 8001},
                    ]
                },
            ),
        )
        r.record(
            "create-unknown-network",
            "POST",
            "/services/create",
            spec("x", TaskTemplate={"Networks": [{"Target": "nope"}]}),
        )
        r.record(
            "create-local-network",
            "POST",
            "/services/create",
            spec("x", TaskTemplate={"Networks": [{"Target": "bridge"}]}),
        )
        r.record(
            "create-bad-replicas",
            "POST",
            "/services/create",
            spec("x", Mode={"Replicated": {"Replicas": -1}}),
        )
        r.record(
            "create-replicas-text",
            "POST",
            "/services/create",
            spec("x", Mode={"Replicated": {"Replicas": "two"}}),
        )
        r.record(
            "create-bad-constraint",
            "POST",
            "/services/create",
            spec("x", TaskTemplate={"Placement": {"Constraints": ["node.role=manager"]}}),
        )
        r.record(
            "create-bad-restart",
            "POST",
            "/services/create",
            spec("x", TaskTemplate={"RestartPolicy": {"Condition": "x"}}),
        )
        r.record(
            "create-bad-mount",
            "POST",
            "/services/create",
            spec(
                "x", ContainerSpec={"Mounts": [{"Type": "bind", "Source": "rel", "Target": "/x"}]}
            ),
        )
        r.record(
            "create-unknown-secret",
            "POST",
            "/services/create",
            spec(
                "x",
                ContainerSpec={
                    "Secrets": [
                        {
                            "SecretID": "nope",
                            "SecretName": "nope",
                            "File": {"Name": "n", "UID": "0", "GID": "0", "Mode": 292},
                        }
                    ]
                },
            ),
        )
        r.record(
            "create-bad-order", "POST", "/services/create", spec("x", UpdateConfig={"Order": "x"})
        )
        r.record(
            "create-bad-template",
            "POST",
            "/services/create",
            spec("x", ContainerSpec={"Hostname": "{{.Nope}}"}),
        )
        r.record(
            "create-two-modes",
            "POST",
            "/services/create",
            spec("x", Mode={"Replicated": {"Replicas": 1}, "Global": {}}),
        )
        r.record(
            "create-memory-small",
            "POST",
            "/services/create",
            spec("x", TaskTemplate={"Resources": {"Limits": {"MemoryBytes": 1}}}),
        )
        r.record("unknown", "GET", "/services/nope")
        r.record("update-unknown", "POST", "/services/nope/update?version=1", spec("nope"))
        r.record("update-bad-version", "POST", "/services/web/update?version=1", web)
        r.record("update-no-version", "POST", "/services/web/update", web)
        r.record("update-text-version", "POST", "/services/web/update?version=x", web)
        version = r.ask("GET", "/services/web")["Version"]["Index"]
        r.record(
            "update-rename",
            "POST",
            f"/services/{created['ID']}/update?version={version}",
            {**web, "Name": "other"},
        )
        r.record(
            "update-mode",
            "POST",
            f"/services/{created['ID']}/update?version={version}",
            {**web, "Mode": {"Global": {}}},
        )
        r.record(
            "rollback-nothing",
            "POST",
            f"/services/{created['ID']}/update?version={version}&rollback=previous",
            web,
        )
        r.record("delete-unknown", "DELETE", "/services/nope")
        r.record("logs-unknown", "GET", "/services/nope/logs?stdout=1")
        r.record("logs-no-stream", "GET", "/services/web/logs")
        r.save("services")

    def kinds(self) -> None:
        """What other services look like: missing images, failing commands, global mode, host ports, jobs."""
        r = self.r
        r.record(
            "create-missing-image", "POST", "/services/create", spec("missing", image="nope:latest")
        )
        r.record(
            "create-failing",
            "POST",
            "/services/create",
            spec(
                "failing",
                command=["/bin/false"],
                TaskTemplate={"RestartPolicy": {"Condition": "none"}},
            ),
        )
        r.record(
            "create-no-command",
            "POST",
            "/services/create",
            spec(
                "nocommand",
                command=["/nope"],
                TaskTemplate={"RestartPolicy": {"Condition": "none"}},
            ),
        )
        r.record(
            "create-global",
            "POST",
            "/services/create",
            spec(
                "global",
                Mode={"Global": {}},
                EndpointSpec={
                    "Ports": [{"TargetPort": 80, "PublishedPort": 8090, "PublishMode": "host"}]
                },
            ),
        )
        r.record(
            "create-job",
            "POST",
            "/services/create",
            spec(
                "job",
                command=["/bin/echo", "done"],
                Mode={"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 2}},
                TaskTemplate={"RestartPolicy": {"Condition": "none"}},
            ),
        )
        r.record(
            "create-unplaceable",
            "POST",
            "/services/create",
            spec("unplaceable", TaskTemplate={"Placement": {"Constraints": ["node.role==worker"]}}),
        )
        r.record(
            "create-greedy",
            "POST",
            "/services/create",
            spec("greedy", TaskTemplate={"Resources": {"Reservations": {"MemoryBytes": 1 << 50}}}),
        )
        r.record(
            "create-dynamic-port",
            "POST",
            "/services/create",
            spec("dynamic", EndpointSpec={"Ports": [{"TargetPort": 80}]}),
        )
        r.record(
            "create-dnsrr",
            "POST",
            "/services/create",
            spec(
                "dnsrr",
                EndpointSpec={"Mode": "dnsrr"},
                TaskTemplate={"Networks": [{"Target": "over"}]},
            ),
        )
        r.record(
            "create-dnsrr-ingress",
            "POST",
            "/services/create",
            spec(
                "x",
                EndpointSpec={
                    "Mode": "dnsrr",
                    "Ports": [{"TargetPort": 80, "PublishedPort": 8099}],
                },
            ),
        )
        r.record(
            "create-talking",
            "POST",
            "/services/create",
            spec(
                "talking",
                command=["/bin/sh", "-c", "echo out; echo err >&2; exec sleep 100000"],
                ContainerSpec={"StopGracePeriod": 0},
            ),
        )
        for name in ("missing", "failing", "nocommand"):
            until(
                lambda name=name: any(
                    t["Status"]["State"] in {"rejected", "failed"} for t in self.tasks(name)
                )
            )
        for name in ("global", "dynamic", "dnsrr", "talking"):
            until(self.running(name, 1))
        until(
            lambda: (
                [t for t in self.tasks("job") if t["Status"]["State"] == "complete"].__len__() == 2
            )
        )
        until(
            lambda: all(
                t["Status"].get("Err") for t in self.tasks("unplaceable") + self.tasks("greedy")
            )
        )
        for name in (
            "missing",
            "failing",
            "nocommand",
            "global",
            "job",
            "unplaceable",
            "greedy",
            "dynamic",
            "dnsrr",
        ):
            r.record(f"tasks-{name}", "GET", "/tasks?" + filters(service=[name]))
            r.record(f"service-{name}", "GET", f"/services/{name}")
        r.record("list-status", "GET", "/services?status=true")
        r.record(
            "list-filter-mode", "GET", "/services?" + filters(mode=["global", "replicated-job"])
        )
        r.record("logs", "GET", "/services/talking/logs?stdout=1&stderr=1&details=1&timestamps=1")
        r.record("logs-plain", "GET", "/services/talking/logs?stdout=1&stderr=1")
        task = self.tasks("talking")[0]
        r.record("task-logs", "GET", f"/tasks/{task['ID']}/logs?stdout=1&stderr=1&details=1")
        container = task["Status"]["ContainerStatus"]["ContainerID"]
        r.record(
            "container-logs", "GET", f"/containers/{container}/logs?stdout=1&stderr=1&timestamps=1"
        )
        r.record(
            "container-logs-details", "GET", f"/containers/{container}/logs?stdout=1&details=1"
        )
        r.record("container-logs-no-stream", "GET", f"/containers/{container}/logs")
        r.record("containers-all", "GET", "/containers/json?all=1")
        r.record("container-failed", "GET", "/containers/json?all=1&" + filters(exited=["1"]))
        r.record("container-unknown", "GET", "/containers/nope/json")
        r.record("container-remove-running", "DELETE", f"/containers/{container}")
        r.record("container-start-running", "POST", f"/containers/{container}/start")
        r.record("container-kill-bad-signal", "POST", f"/containers/{container}/kill?signal=NOPE")
        r.record("container-prune-none", "POST", "/containers/prune?" + filters(label=["nothing"]))
        r.record("system-df", "GET", "/system/df")
        for name in (
            "missing",
            "failing",
            "nocommand",
            "global",
            "job",
            "unplaceable",
            "greedy",
            "dynamic",
            "dnsrr",
            "talking",
        ):
            r.record(f"delete-{name}", "DELETE", f"/services/{name}")
        r.save("kinds")

    def updates(self) -> None:
        r = self.r
        service = r.ask("GET", "/services/web")
        wanted = service["Spec"]

        def seen(name: str, done: Callable[[Any], bool]) -> None:
            path: list[Any] = []

            def look() -> bool:
                status = r.ask("GET", "/services/web").get("UpdateStatus")
                if not path or path[-1] != status:
                    path.append(status)
                return done(status or {})

            until(look, 60)
            r.note(name, path)

        def update(name: str, changed: dict[str, Any], query: str = "") -> None:
            version = r.ask("GET", "/services/web")["Version"]["Index"]
            r.record(name, "POST", f"/services/web/update?version={version}{query}", changed)

        update("scale", {**wanted, "Mode": {"Replicated": {"Replicas": 3}}})
        until(self.running("web", 3))
        r.record("after-scale", "GET", "/services/web")
        wanted = r.ask("GET", "/services/web")["Spec"]
        wanted["UpdateConfig"] = {
            "Parallelism": 2,
            "Monitor": 1_000_000_000,
            "FailureAction": "pause",
        }
        wanted["TaskTemplate"]["ContainerSpec"]["StopGracePeriod"] = 0
        wanted["TaskTemplate"]["ForceUpdate"] = 1
        update("force", wanted)
        r.record(
            "tasks-during-force",
            "GET",
            "/tasks?" + filters(service=["web"], _up_to_date=["true"]),
        )
        seen("force-status", lambda s: s.get("State") == "completed")
        r.record("after-force", "GET", "/services/web")
        r.record("tasks-after-force", "GET", "/tasks?" + filters(service=["web"]))
        broken = {
            **wanted,
            "TaskTemplate": {
                **wanted["TaskTemplate"],
                "ContainerSpec": {
                    **wanted["TaskTemplate"]["ContainerSpec"],
                    "Command": ["/bin/false"],
                },
            },
        }
        update("broken-pause", broken)
        seen("broken-pause-status", lambda s: s.get("State") == "paused")
        r.record("after-pause", "GET", "/services/web")
        update("rollback", wanted, "&rollback=previous")
        seen("rollback-status", lambda s: s.get("State") == "rollback_completed")
        r.record("after-rollback", "GET", "/services/web")
        rolling = {
            **broken,
            "UpdateConfig": {**broken["UpdateConfig"], "FailureAction": "rollback"},
        }
        update("broken-rollback", rolling)
        seen("broken-rollback-status", lambda s: s.get("State") == "rollback_completed")
        r.record("after-automatic-rollback", "GET", "/services/web")
        r.record("list-status", "GET", "/services?status=true")
        r.save("updates")

    def files(self) -> None:
        r = self.r
        data = b64encode(b"top secret").decode()
        for noun in ("secret", "config"):
            made = r.record(
                f"{noun}-create",
                "POST",
                f"/{noun}s/create",
                {"Name": f"my{noun}", "Data": data, "Labels": {"a": "b"}},
            )
            r.record(
                f"{noun}-duplicate", "POST", f"/{noun}s/create", {"Name": f"my{noun}", "Data": data}
            )
            r.record(f"{noun}-no-name", "POST", f"/{noun}s/create", {"Data": data})
            r.record(f"{noun}-bad-name", "POST", f"/{noun}s/create", {"Name": "a b", "Data": data})
            r.record(f"{noun}-no-data", "POST", f"/{noun}s/create", {"Name": "x"})
            r.record(f"{noun}-bad-data", "POST", f"/{noun}s/create", {"Name": "x", "Data": "?"})
            r.record(f"{noun}-list", "GET", f"/{noun}s")
            r.record(f"{noun}-list-name", "GET", f"/{noun}s?" + filters(name=["my"]))
            r.record(f"{noun}-list-bad", "GET", f"/{noun}s?" + filters(foo=["my"]))
            one = r.record(f"{noun}-inspect", "GET", f"/{noun}s/{made['ID']}")
            r.record(f"{noun}-inspect-by-name", "GET", f"/{noun}s/my{noun}")
            r.record(f"{noun}-unknown", "GET", f"/{noun}s/nope")
            r.record(
                f"{noun}-update",
                "POST",
                f"/{noun}s/{made['ID']}/update?version={one['Version']['Index']}",
                {"Name": f"my{noun}", "Labels": {"c": "d"}},
            )
            r.record(
                f"{noun}-update-old",
                "POST",
                f"/{noun}s/{made['ID']}/update?version={one['Version']['Index']}",
                {"Name": f"my{noun}", "Labels": {"c": "d"}},
            )
            again = r.ask("GET", f"/{noun}s/{made['ID']}")["Version"]["Index"]
            r.record(
                f"{noun}-update-data",
                "POST",
                f"/{noun}s/{made['ID']}/update?version={again}",
                {"Name": f"my{noun}", "Data": b64encode(b"other").decode()},
            )
            key = noun.capitalize()
            use = {
                "ContainerSpec": {
                    f"{key}s": [
                        {
                            f"{key}ID": made["ID"],
                            f"{key}Name": f"my{noun}",
                            "File": {"Name": "/run/it", "UID": "0", "GID": "0", "Mode": 292},
                        }
                    ]
                }
            }
            r.record(f"service-with-{noun}", "POST", "/services/create", spec(f"with{noun}", **use))
            r.record(f"{noun}-delete-used", "DELETE", f"/{noun}s/{made['ID']}")
            r.record(f"service-inspect-with-{noun}", "GET", f"/services/with{noun}")
            r.ask("DELETE", f"/services/with{noun}")
            until(
                lambda noun=noun, made=made: (
                    ask(r._socket, "DELETE", f"/v1.41/{noun}s/{made['ID']}")[0] in {204, 404}
                )
            )
            r.record(f"{noun}-delete-unknown", "DELETE", f"/{noun}s/{made['ID']}")
        r.save("files")

    def events(self, since: int) -> None:
        r = self.r
        r.ask("DELETE", "/services/web")
        until(
            lambda: (
                not r.ask(
                    "GET",
                    "/containers/json?all=1&"
                    + filters(label=["com.docker.swarm.service.name=web"]),
                )
            )
        )
        now = int(time.time()) + 1
        started = int(time.time())
        r.ask(
            "POST",
            "/services/create",
            spec(
                "last",
                ContainerSpec={"StopGracePeriod": 1_000_000_000},
                TaskTemplate={"Networks": [{"Target": "over"}]},
            ),
        )
        until(self.running("last", 1))
        service = r.ask("GET", "/services/last")
        changed = service["Spec"]
        changed["Mode"] = {"Replicated": {"Replicas": 0}}
        r.ask("POST", f"/services/last/update?version={service['Version']['Index']}", changed)
        until(
            lambda: (
                not r.ask(
                    "GET",
                    "/containers/json?" + filters(label=["com.docker.swarm.service.name=last"]),
                )
            )
        )
        r.ask("DELETE", "/services/last")
        r.ask("POST", "/secrets/create", {"Name": "brief", "Data": "YQ=="})
        r.ask("DELETE", "/secrets/brief")
        until(lambda: not self.tasks("last"))
        until(lambda: ask(r._socket, "DELETE", "/v1.41/networks/over")[0] == 204)
        time.sleep(0.5)
        end = int(time.time()) + 1
        r.record("life", "GET", f"/events?since={started}&until={end}")
        r.record(
            "filtered", "GET", f"/events?since={started}&until={end}&" + filters(type=["service"])
        )
        r.record("nothing", "GET", f"/events?since={now}&until={now}&" + filters(type=["plugin"]))
        r.record("bad-since", "GET", "/events?since=nonsense")
        r.record("bad-until", "GET", f"/events?since={end}&until={since}")
        r.save("events")

    def leave(self) -> None:
        r = self.r
        r.record("leave-force", "POST", "/swarm/leave?force=true")
        r.record("networks-after-leave", "GET", "/networks")
        r.record("info-after-leave", "GET", "/info")
        r.save("leave")


def main() -> None:
    """Start the engine, play the scenes."""
    RECORDED.mkdir(exist_ok=True)
    with Oracle(sys.argv[1] if len(sys.argv) > 1 else "") as oracle:
        session = Session(Recorder(oracle.socket, RECORDED))
        began = int(time.time())
        for scene in (
            session.engine, session.not_a_manager, session.images, session.networks, session.swarm,
            session.swarm_networks, session.services, session.kinds, session.updates, session.files,
        ):  # fmt: skip
            scene()
            print(scene.__name__, flush=True)
        session.events(began)
        session.leave()


if __name__ == "__main__":
    main()
