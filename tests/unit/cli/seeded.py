"""A swarm with a bit of everything, for goldens and tests, and the command lines whose output is compared."""

from __future__ import annotations

import time
from typing import Any

from fake_daemon import NODE_ID, NOW, FakeDaemon

COMMANDS: dict[str, list[str]] = {
    "service-ls": ["service", "ls"],
    "service-ls-quiet": ["service", "ls", "-q"],
    "service-ls-json": ["service", "ls", "--format", "{{json .}}"],
    "service-ls-json-word": ["service", "ls", "--format", "json"],
    "service-ls-template": ["service", "ls", "--format", "{{.Name}} {{.Replicas}} {{upper .Mode}}"],
    "service-ls-table": ["service", "ls", "--format", "table {{.ID}}\\t{{.Name}}\\t{{.Ports}}"],
    "service-ls-filter": [
        "service",
        "ls",
        "--filter",
        "name=web",
        "--filter",
        "label=com.docker.stack.namespace=app",
    ],
    "service-ps": ["service", "ps", "app_web"],
    "service-ps-several": ["service", "ps", "app_web", "watch", "nope"],
    "service-ps-no-trunc": ["service", "ps", "--no-trunc", "app_web"],
    "service-ps-quiet": ["service", "ps", "-q", "app_web"],
    "service-ps-json": ["service", "ps", "--format", "{{json .}}", "app_web"],
    "service-ps-no-resolve": ["service", "ps", "--no-resolve", "app_web"],
    "service-ps-template": ["service", "ps", "--format", "{{.Name}} {{.CurrentState}}", "app_web"],
    "service-ps-filter": ["service", "ps", "--filter", "desired-state=running", "app_web"],
    "service-inspect-pretty": ["service", "inspect", "--pretty", "app_web"],
    "service-inspect-pretty-full": ["service", "inspect", "--pretty", "full"],
    "service-inspect-pretty-global": ["service", "inspect", "--pretty", "watch"],
    "service-inspect-template": [
        "service",
        "inspect",
        "--format",
        "{{.Spec.Name}} {{json .Spec.Mode}}",
        "app_web",
    ],
    "service-inspect-missing": ["service", "inspect", "nope"],
    "stack-ls": ["stack", "ls"],
    "stack-ls-json": ["stack", "ls", "--format", "{{json .}}"],
    "stack-services": ["stack", "services", "app"],
    "stack-services-quiet": ["stack", "services", "-q", "app"],
    "stack-services-missing": ["stack", "services", "nope"],
    "stack-ps": ["stack", "ps", "app"],
    "stack-ps-quiet": ["stack", "ps", "-q", "app"],
    "stack-ps-missing": ["stack", "ps", "nope"],
    "node-ls": ["node", "ls"],
    "node-ls-quiet": ["node", "ls", "-q"],
    "node-ls-json": ["node", "ls", "--format", "{{json .}}"],
    "node-inspect-pretty": ["node", "inspect", "--pretty", "self"],
    "node-ps": ["node", "ps"],
    "network-ls": ["network", "ls"],
    "network-ls-quiet": ["network", "ls", "-q"],
    "network-ls-no-trunc": ["network", "ls", "--no-trunc"],
    "network-ls-json": ["network", "ls", "--format", "{{json .}}"],
    "network-ls-template": ["network", "ls", "--format", "{{.Name}}: {{.Driver}}"],
    "secret-ls": ["secret", "ls"],
    "config-ls": ["config", "ls"],
    "image-ls": ["image", "ls"],
    "image-ls-quiet": ["image", "ls", "-q"],
    "image-ls-no-trunc": ["image", "ls", "--no-trunc"],
    "image-ls-digests": ["image", "ls", "--digests"],
    "ps": ["ps"],
    "ps-no-trunc": ["ps", "--no-trunc"],
    "ps-quiet": ["ps", "-q"],
    "ps-template": ["ps", "--format", "{{.Names}} {{.Image}} {{.Status}}"],
    "ps-table": ["ps", "--format", "table {{.Names}}\\t{{.Ports}}"],
    "join-token": ["swarm", "join-token", "-q", "worker"],
}


def port(
    target: int, published: int, protocol: str = "tcp", mode: str = "ingress"
) -> dict[str, Any]:
    return {
        "Protocol": protocol,
        "TargetPort": target,
        "PublishedPort": published,
        "PublishMode": mode,
    }


def spec(name: str, image: str, **more: Any) -> dict[str, Any]:
    task = {"ContainerSpec": {"Image": image}, "ForceUpdate": 0, **more.pop("task", {})}
    return {
        "Name": name,
        "Labels": {},
        "TaskTemplate": task,
        "Mode": {"Replicated": {"Replicas": 1}},
        **more,
    }


def seed(daemon: FakeDaemon) -> None:
    in_stack = {"com.docker.stack.namespace": "app"}
    web = daemon.add_service(
        spec(
            "app_web",
            "registry.example:5000/team/web:1@sha256:" + "ab" * 32,
            Labels={**in_stack, "com.docker.stack.image": "web:1", "empty": ""},
            Mode={"Replicated": {"Replicas": 3}},
            EndpointSpec={
                "Mode": "vip",
                "Ports": [port(80, 8000), port(81, 8001), port(53, 53, "udp"), port(9, 9090)],
            },
            task={
                "ContainerSpec": {
                    "Image": "docker.io/library/web:1@sha256:" + "cd" * 32,
                    "Args": ["a", "b"],
                },
                "Networks": [{"Target": "net1"}],
            },
        )
    )
    add_history(daemon, web)
    daemon.add_service(spec("app_worker10", "worker:2", Labels=in_stack))
    daemon.add_service(spec("app_worker9", "worker:2", Labels=in_stack))
    daemon.add_service(spec("watch", "watch", Mode={"Global": {}}, EndpointSpec={"Mode": "dnsrr"}))
    daemon.add_service(
        spec("other_x", "alpine:latest", Labels={"com.docker.stack.namespace": "other"})
    )
    daemon.add_service(full_spec())
    daemon.objects["networks"] = networks()
    daemon.objects["secrets"]["s"] = file_object("secret-one")
    daemon.objects["configs"]["c"] = file_object("config-one")
    daemon.objects["images"] = images()
    daemon.objects["containers"] = containers()


def add_history(daemon: FakeDaemon, web: dict[str, Any]) -> None:
    error = "task: non-zero exit (1): the program ended with a long explanation"
    daemon.add_task(web, 2, CreatedAt="2020-01-01T00:00:00Z", DesiredState="shutdown",
                    Status={"Timestamp": NOW, "State": "failed", "Err": error})  # fmt: skip
    daemon.add_task(web, 2, CreatedAt="2020-01-02T00:00:00Z", DesiredState="shutdown",
                    Status={"Timestamp": NOW, "State": "rejected", "Err": "No such image: web:1"})  # fmt: skip
    daemon.add_task(web, 3, CreatedAt="2020-01-02T00:00:00Z", DesiredState="ready",
                    Status={"Timestamp": NOW, "State": "ready", "PortStatus": {"Ports": [port(80, 8080, mode="host")]}})  # fmt: skip


def full_spec() -> dict[str, Any]:
    update = {"Parallelism": 2, "Delay": 90 * 10**9, "FailureAction": "rollback", "Monitor": 5 * 10**9,
              "MaxFailureRatio": 0.25, "Order": "start-first"}  # fmt: skip
    container = {
        "Image": "full:1",
        "Args": ["x", "y z"],
        "Env": ["A=1", "B"],
        "Dir": "/w",
        "User": "u",
        "Init": True,
        "CapabilityAdd": ["CAP_NET_ADMIN"],
        "CapabilityDrop": ["CAP_MKNOD", "ALL"],
        "Sysctls": {"net.core.somaxconn": "1024"},
        "Ulimits": [{"Name": "nofile", "Soft": 10, "Hard": 20}],
        "Mounts": [{"Type": "volume", "Source": "v", "Target": "/v"},
                   {"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": True}],
        "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 10**9, "Retries": 3},
        "Secrets": [{"File": {"Name": "s", "UID": "0", "GID": "0", "Mode": 292}, "SecretID": "s", "SecretName": "secret-one"}],
        "Configs": [{"File": {"Name": "/c", "UID": "0", "GID": "0", "Mode": 292}, "ConfigID": "c", "ConfigName": "config-one"}],
    }  # fmt: skip
    task = {
        "ContainerSpec": container,
        "Resources": {"Limits": {"NanoCPUs": 500000000, "MemoryBytes": 67108864, "Pids": 5},
                      "Reservations": {"NanoCPUs": 100000000, "MemoryBytes": 1073741824}},
        "Placement": {"Constraints": ["node.role==manager", "a!=b"], "MaxReplicas": 2,
                      "Preferences": [{"Spread": {"SpreadDescriptor": "node.labels.x"}}]},
        "LogDriver": {"Name": "json-file", "Options": {"max-size": "1m"}},
    }  # fmt: skip
    return spec(
        "full",
        "full:1",
        Labels={"x": "y"},
        UpdateConfig=update,
        RollbackConfig={**update, "Delay": 0},
        task=task,
    )


def networks() -> dict[str, dict[str, Any]]:
    given = [
        ("net1" + "0" * 21, "app_default", "overlay", "swarm"),
        ("f" * 64, "bridge", "bridge", "local"),
        ("e" * 64, "docker_gwbridge", "bridge", "local"),
        ("ingress" + "0" * 18, "ingress", "overlay", "swarm"),
    ]
    return {
        identifier: {"Id": identifier, "Name": name, "Driver": driver, "Scope": scope, "Created": NOW, "IPAM": {},
                     "Labels": {"a": "b"}, "EnableIPv4": True, "EnableIPv6": False, "Internal": False}
        for identifier, name, driver, scope in given
    }  # fmt: skip


def file_object(name: str) -> dict[str, Any]:
    return {
        "ID": f"id-of-{name}",
        "Version": {"Index": 1},
        "CreatedAt": NOW,
        "UpdatedAt": NOW,
        "Spec": {"Name": name, "Labels": {}},
    }


def images() -> dict[str, dict[str, Any]]:
    now = int(time.time())
    return {
        "a": {"Id": "sha256:" + "1" * 64, "RepoTags": ["registry.example:5000/myweb:2"], "RepoDigests": [],
              "Created": now - 7500, "Size": 123456789, "Containers": -1},
        "b": {"Id": "sha256:" + "2" * 64, "RepoTags": ["rabbitmq:3"],
              "RepoDigests": ["rabbitmq@sha256:" + "9" * 64], "Created": now - 40 * 86400, "Size": 1999, "Containers": -1},
        "c": {"Id": "sha256:" + "3" * 64, "RepoTags": [], "RepoDigests": [], "Created": now - 400 * 86400, "Size": 0, "Containers": -1},
    }  # fmt: skip


def containers() -> dict[str, dict[str, Any]]:
    now = int(time.time())
    return {
        "a": {"Id": "c" * 64, "Names": ["/app_web.1.tsk002"], "Image": "myweb:latest", "ImageID": "sha256:" + "1" * 64,
              "Command": "python manage.py runserver 0.0.0.0:8000", "Created": now - 7500, "State": "running",
              "Status": "Up 2 hours (healthy)", "Labels": {"b": "2", "a": "1"}, "Mounts": [],
              "Ports": [{"PrivatePort": 80, "PublicPort": 8080, "Type": "tcp", "IP": "0.0.0.0"}, {"PrivatePort": 443, "Type": "tcp"}],
              "NetworkSettings": {"Networks": {"app_default": {}}}},
        "b": {"Id": "d" * 64, "Names": ["/lone"], "Image": "sha256:" + "2" * 64, "ImageID": "sha256:" + "2" * 64, "Command": "sh",
              "Created": now - 7500, "State": "running", "Status": "Up 2 hours", "Labels": {}, "Mounts": [], "Ports": []},
    }  # fmt: skip


assert NODE_ID
