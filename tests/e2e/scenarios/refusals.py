"""Scenarios of requests that are refused: the status and the message are what clients match on."""

from __future__ import annotations

import base64
from typing import Any

from scenarios.registry import scenario
from scenarios.stage import Stage, merge, service


def put(stage: Stage, **change: Any) -> None:
    """Keep the answer to a creation with a change to a good spec."""
    spec = merge(service(f"{stage.name}-{len(stage.answers)}", replicas=0), change)
    answer = stage.keep("POST", "/services/create", spec)
    if answer and "ID" in answer:
        stage.api.done("DELETE", f"/services/{answer['ID']}")


def template(**change: Any) -> dict[str, Any]:
    """A change of the task template."""
    return {"TaskTemplate": change}


def container(**change: Any) -> dict[str, Any]:
    """A change of the container's spec."""
    return template(ContainerSpec=change)


@scenario
def refused_names(stage: Stage) -> None:
    """Names that are taken, wrong, missing or changed."""
    stage.create(replicas=0)
    put(stage, Name=stage.name)
    put(stage, Name="")
    put(stage, Name="with space")
    put(stage, Name="x" * 64)
    found = stage.inspect()
    version = str(found["Version"]["Index"])
    path = f"/services/{stage.id}/update"
    stage.keep("POST", path, merge(found["Spec"], {"Name": "other"}), version=version)


@scenario
def refused_versions(stage: Stage) -> None:
    """An update on a stale version, without one, or with nonsense for one."""
    stage.create(replicas=0)
    found = stage.inspect()
    version = str(found["Version"]["Index"])
    path = f"/services/{stage.id}/update"
    stage.api.done("POST", path, merge(found["Spec"], {"Labels": {"a": "b"}}), version=version)
    stage.keep("POST", path, found["Spec"], version=version)
    stage.keep("POST", path, found["Spec"])
    stage.keep("POST", path, found["Spec"], version="x")


@scenario
def refused_modes(stage: Stage) -> None:
    """A mode cannot be changed; there is one."""
    stage.create(replicas=0)
    found = stage.inspect()
    version = str(found["Version"]["Index"])
    path = f"/services/{stage.id}/update"
    spec = merge(found["Spec"], {"Mode": {"Replicated": None, "Global": {}}})
    stage.keep("POST", path, spec, version=version)
    put(stage, Mode={"Global": {}})
    job = {"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 1}, "Replicated": None}
    put(stage, Mode=job, UpdateConfig={"Parallelism": 1})
    put(stage, Mode=job, **template(RestartPolicy={"Condition": "any"}))


@scenario
def refused_rollback(stage: Stage) -> None:
    """There is nothing to go back to."""
    stage.create(replicas=0)
    found = stage.inspect()
    version = str(found["Version"]["Index"])
    path = f"/services/{stage.id}/update"
    stage.keep("POST", path, found["Spec"], version=version, rollback="previous")


@scenario
def refused_specs(stage: Stage) -> None:
    """Specs that say nothing, or what cannot be."""
    put(stage, **container(Image=""))
    put(stage, TaskTemplate=None)
    put(stage, **template(ContainerSpec=None))
    put(stage, **template(Placement={"Constraints": ["node.role=manager"]}))
    put(stage, **template(Placement={"Constraints": ["node.role==manager==x"]}))
    put(stage, **template(Placement={"Constraints": ["role==manager"]}))
    put(stage, **template(Placement={"Constraints": ["node.labels.!a==b"]}))
    put(stage, **template(Resources={"Limits": {"NanoCPUs": 1}}))
    put(stage, **template(Resources={"Limits": {"MemoryBytes": 1}}))
    put(stage, **template(RestartPolicy={"Condition": "sometimes"}))
    put(stage, **template(RestartPolicy={"Delay": -1}))
    put(stage, UpdateConfig={"Delay": -1})
    put(stage, UpdateConfig={"Monitor": -1})
    put(stage, UpdateConfig={"MaxFailureRatio": 2})
    put(stage, UpdateConfig={"FailureAction": "panic"})
    put(stage, UpdateConfig={"Order": "both"})
    put(stage, **container(Healthcheck={"Test": ["CMD", "true"], "Interval": 1}))
    put(stage, **container(Healthcheck={"Test": ["CMD", "true"], "Retries": -1}))
    put(stage, **container(Mounts=[{"Type": "volume", "Target": ""}]))
    put(stage, **container(Mounts=[{"Type": "bind", "Target": "/x"}]))
    put(stage, **container(Mounts=[{"Type": "floppy", "Target": "/x"}]))
    put(stage, **container(Mounts=[{"Type": "tmpfs", "Target": "/x", "Source": "y"}]))
    twice = {"Type": "volume", "Source": "v", "Target": "/x"}
    put(stage, **container(Mounts=[twice, twice]))
    put(stage, **container(Env=["{{.Nosuch}}"]))


@scenario
def refused_ports(stage: Stage) -> None:
    """Ports that are taken, given twice, or do not fit the endpoint mode."""
    port = {"Protocol": "tcp", "TargetPort": 80, "PublishedPort": 7070, "PublishMode": "ingress"}
    stage.create(replicas=0, EndpointSpec={"Ports": [port]})
    put(stage, EndpointSpec={"Ports": [port]})
    put(stage, EndpointSpec={"Ports": [{**port, "PublishMode": "host"}]})
    other = {**port, "PublishedPort": 7071}
    put(stage, EndpointSpec={"Ports": [other, other]})
    put(stage, EndpointSpec={"Mode": "dnsrr", "Ports": [other]})
    put(stage, EndpointSpec={"Mode": "nosuch"})


@scenario
def refused_files(stage: Stage) -> None:
    """Secrets and configs: in use, unknown, twice at one place, wrong names."""
    data = base64.b64encode(b"hunter2").decode()
    made = {}
    for kind in ("secret", "config"):
        body = {"Name": f"{stage.name}-{kind}", "Data": data}
        made[kind] = stage.other(f"{kind}s", f"/{kind}s/create", body)
        stage.keep("POST", f"/{kind}s/create", body)
        stage.keep("POST", f"/{kind}s/create", {**body, "Name": "a b"})
        stage.keep("POST", f"/{kind}s/create", {**body, "Name": f"{stage.name}-big", "Data": base64.b64encode(b"x" * 1100000).decode()})  # fmt: skip
        stage.keep("POST", f"/{kind}s/create", {"Name": f"{stage.name}-none", "Data": ""})
        stage.keep("GET", f"/{kind}s/nosuch")
        stage.keep("DELETE", f"/{kind}s/nosuch")
    one = {
        "File": {"Name": "a", "UID": "0", "GID": "0", "Mode": 292},
        "SecretID": made["secret"],
        "SecretName": f"{stage.name}-secret",
    }
    other = {
        "File": {"Name": "/a", "UID": "0", "GID": "0", "Mode": 292},
        "ConfigID": made["config"],
        "ConfigName": f"{stage.name}-config",
    }
    stage.create(replicas=0, **container(Secrets=[one], Configs=[other]))
    stage.keep("DELETE", f"/secrets/{made['secret']}")
    stage.keep("DELETE", f"/configs/{made['config']}")
    put(stage, **container(Secrets=[one, one]))
    put(stage, **container(Configs=[other, other]))
    put(stage, **container(Secrets=[{**one, "SecretID": "nosuch"}]))
    put(stage, **container(Configs=[{**other, "ConfigID": "nosuch"}]))
    found = stage.api.done("GET", f"/secrets/{made['secret']}")
    version = str(found["Version"]["Index"])
    path = f"/secrets/{made['secret']}/update"
    stage.keep("POST", path, {**found["Spec"], "Data": data[::-1]}, version=version)
    stage.keep("POST", path, {**found["Spec"], "Name": "other"}, version=version)
    stage.keep("POST", path, {**found["Spec"], "Labels": {"a": "b"}}, version=version)
    stage.keep("POST", path, {**found["Spec"], "Labels": {"a": "c"}}, version=version)


@scenario
def refused_networks(stage: Stage) -> None:
    """Networks: in use, unknown, taken, predefined."""
    body = {"Name": f"{stage.name}-net", "Driver": "overlay", "CheckDuplicate": True}
    made = stage.other("networks", "/networks/create", body)
    stage.keep("POST", "/networks/create", body)
    stage.create(replicas=0, **template(Networks=[{"Target": made}]))
    stage.keep("DELETE", f"/networks/{made}")
    stage.keep("DELETE", "/networks/host")
    stage.keep("DELETE", "/networks/nosuch")
    stage.keep("GET", "/networks/nosuch")
    stage.keep("POST", "/networks/create", {**body, "Name": ""})
    stage.keep("POST", "/networks/create", {**body, "Name": "n", "Driver": "nosuch"})
    put(stage, **template(Networks=[{"Target": "nosuch"}]))
    put(stage, **template(Networks=[{"Target": "ingress"}]))


@scenario
def refused_objects(stage: Stage) -> None:
    """What is not there, and what may not be done to the only node."""
    for path in ("/services/nosuch", "/tasks/nosuch", "/nodes/nosuch", "/services/nosuch/logs"):
        stage.keep("GET", path)
    stage.keep("DELETE", "/services/nosuch")
    stage.keep("POST", "/services/nosuch/update", service("nosuch"), version="1")
    node = stage.api.done("GET", "/nodes")[0]
    path = f"/nodes/{node['ID']}"
    version = str(node["Version"]["Index"])
    stage.keep("DELETE", path)
    stage.keep("DELETE", path, force="1")
    stage.keep("POST", f"{path}/update", {**node["Spec"], "Role": "worker"}, version=version)
    stage.keep("POST", f"{path}/update", {**node["Spec"], "Role": "king"}, version=version)
    stage.keep("POST", f"{path}/update", {**node["Spec"], "Availability": "away"}, version=version)
    stage.keep("POST", f"{path}/update", node["Spec"], version="1")
    stage.keep("GET", "/services", filters='{"nosuch":["x"]}')
    stage.keep("GET", "/tasks", filters='{"desired-state":["flying"]}')
    stage.keep("POST", "/swarm/init", {"ListenAddr": "127.0.0.1"})


@scenario
def refused_numbers(stage: Stage) -> None:
    """Numbers that the types of the API can't hold: accepted, they would break every list of services."""
    put(stage, **template(Placement={"MaxReplicas": -1}))
    put(stage, **template(Placement={"MaxReplicas": 10**22}))
    put(stage, **template(ForceUpdate=-1))
    put(stage, **template(ForceUpdate=1.5))
    put(stage, **template(ForceUpdate="1"))
    put(stage, **template(RestartPolicy={"Window": 10**22}))
    put(stage, **template(RestartPolicy={"Delay": 2**63}))
    put(stage, **template(RestartPolicy={"Delay": 2**63 - 1}))
    put(stage, **template(RestartPolicy={"MaxAttempts": -1}))
    put(stage, **template(Resources={"Limits": {"NanoCPUs": 10**22}}))
    put(stage, **template(Resources={"Reservations": {"MemoryBytes": 10**22}}))
    gpus = [{"DiscreteResourceSpec": {"Kind": "gpu", "Value": 10**22}}]
    put(stage, **template(Resources={"Reservations": {"GenericResources": gpus}}))
    put(stage, **container(StopGracePeriod=10**22))
    put(stage, **container(Healthcheck={"Test": ["NONE"], "Retries": 10**22}))
    put(stage, **container(Secrets=[{"File": {"Mode": -1}}]))
    put(stage, **container(Image=5))
    put(stage, **container(Env="x"))
    put(stage, Labels={"a": 1})
    put(stage, Mode={"Replicated": {"Replicas": -1}})
    put(stage, Mode={"Replicated": None, "ReplicatedJob": {"MaxConcurrent": 10**30}})
    put(stage, UpdateConfig={"Parallelism": -1})
    put(stage, UpdateConfig={"Delay": 2**63})
    put(stage, RollbackConfig={"FailureAction": "rollback"})
    put(stage, EndpointSpec={"Ports": [{"TargetPort": 2**32}]})


@scenario
def refused_targets(stage: Stage) -> None:
    """Configs with two targets or none, secrets of a driver, base64 of another alphabet."""
    name = f"{stage.name}-config"
    body = {"Name": name, "Data": base64.b64encode(b"x").decode()}
    made = stage.other("configs", "/configs/create", body)
    file = {"File": {"Name": "/a", "UID": "0", "GID": "0", "Mode": 292}}
    for target in ({**file, "Runtime": {}}, {}, file):
        put(stage, **container(Configs=[{**target, "ConfigID": made, "ConfigName": name}]))
    stage.keep("POST", "/secrets/create", {"Name": f"{stage.name}-v", "Driver": {"Name": "vault"}})
    for data in ("-_-_", "eA", "e A=="):
        stage.keep("POST", "/secrets/create", {"Name": f"{stage.name}-x", "Data": data})


@scenario
def refused_cases(stage: Stage) -> None:
    """Names that differ from others in case alone."""
    stage.create(replicas=0)
    put(stage, Name=stage.name.upper())
    data = base64.b64encode(b"x").decode()
    for kind in ("secret", "config"):
        body = {"Name": f"{stage.name}-{kind}", "Data": data}
        stage.other(f"{kind}s", f"/{kind}s/create", body)
        stage.keep("POST", f"/{kind}s/create", {**body, "Name": body["Name"].upper()})
