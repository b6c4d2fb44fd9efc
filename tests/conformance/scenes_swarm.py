"""What is asked of a swarm: itself, its nodes, networks and services, and services of every kind."""

# fmt: off - one question a line reads better than five

from __future__ import annotations

from session import Session, filters, spec, until


def swarm(s: Session) -> None:
    r = s.r
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
    r.record("update-bad-version", "POST", "/swarm/update?version=4242", swarm["Spec"])
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


def swarm_networks(s: Session) -> None:
    r = s.r
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
        "list-filter-label", "GET", "/networks?" + filters(label=["com.docker.stack.namespace=s"])
    )
    r.save("swarm_networks")


def services(s: Session) -> None:
    r = s.r
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
    tasks = until(s.running("web", 2))
    r.record("inspect", "GET", "/services/web")
    r.record("inspect-by-prefix", "GET", f"/services/{created['ID'][:10]}")
    r.record("inspect-defaults", "GET", "/services/web?insertDefaults=true")
    r.record("list", "GET", "/services")
    r.record("list-status", "GET", "/services?status=true")
    r.record("list-filter-mode", "GET", "/services?" + filters(mode=["global"]))
    r.record(
        "list-filter-label", "GET", "/services?" + filters(label=["com.docker.stack.namespace=s"])
    )
    r.record("list-filter-name", "GET", "/services?" + filters(name=["we"]))
    r.record("list-filter-bad", "GET", "/services?" + filters(foo=["we"]))
    r.record("tasks", "GET", "/tasks?" + filters(service=["web"]))
    r.record("tasks-up-to-date", "GET", "/tasks?" + filters(service=["web"], _up_to_date=["true"]))
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
        "/containers/json?size=1&" + filters(label=[f"com.docker.swarm.task.id={tasks[0]['ID']}"]),
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
        spec("x", ContainerSpec={"Mounts": [{"Type": "bind", "Source": "rel", "Target": "/x"}]}),
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
    r.record("create-bad-order", "POST", "/services/create", spec("x", UpdateConfig={"Order": "x"}))
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


def kinds(s: Session) -> None:
    """What other services look like: missing images, failing commands, global mode, host ports, jobs."""
    r = s.r
    r.record(
        "create-missing-image", "POST", "/services/create", spec("missing", image="nope:latest")
    )
    r.record(
        "create-failing",
        "POST",
        "/services/create",
        spec(
            "failing", command=["/bin/false"], TaskTemplate={"RestartPolicy": {"Condition": "none"}}
        ),
    )
    r.record(
        "create-no-command",
        "POST",
        "/services/create",
        spec("nocommand", command=["/nope"], TaskTemplate={"RestartPolicy": {"Condition": "none"}}),
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
    job = r.record(
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
            "dnsrr", EndpointSpec={"Mode": "dnsrr"}, TaskTemplate={"Networks": [{"Target": "over"}]}
        ),
    )
    r.record(
        "create-dnsrr-ingress",
        "POST",
        "/services/create",
        spec(
            "x",
            EndpointSpec={"Mode": "dnsrr", "Ports": [{"TargetPort": 80, "PublishedPort": 8099}]},
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
                t["Status"]["State"] in {"rejected", "failed"} for t in s.tasks(name)
            )
        )
    for name in ("global", "dynamic", "dnsrr", "talking"):
        until(s.running(name, 1))
    if "ID" in job:
        until(lambda: [t["Status"]["State"] for t in s.tasks("job")] == ["complete"] * 2)
    until(lambda: all(t["Status"].get("Err") for t in s.tasks("unplaceable") + s.tasks("greedy")))
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
    r.record("list-filter-mode", "GET", "/services?" + filters(mode=["global", "replicated-job"]))
    r.record("logs", "GET", "/services/talking/logs?stdout=1&stderr=1&details=1&timestamps=1")
    r.record("logs-plain", "GET", "/services/talking/logs?stdout=1&stderr=1")
    task = s.tasks("talking")[0]
    r.record("task-logs", "GET", f"/tasks/{task['ID']}/logs?stdout=1&stderr=1&details=1")
    container = task["Status"]["ContainerStatus"]["ContainerID"]
    r.record(
        "container-logs", "GET", f"/containers/{container}/logs?stdout=1&stderr=1&timestamps=1"
    )
    r.record("container-logs-details", "GET", f"/containers/{container}/logs?stdout=1&details=1")
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
