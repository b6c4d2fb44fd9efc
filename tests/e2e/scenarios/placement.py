"""Scenarios of where a task may run, and when."""

from __future__ import annotations

from typing import Any

from scenarios.failures import restart
from scenarios.registry import alone, scenario
from scenarios.stage import ENDED, STAY, Stage, merge


def change_node(stage: Stage, **change: Any) -> None:
    """Update the only node's spec."""
    node = stage.api.done("GET", "/nodes")[0]
    spec = merge(node["Spec"], change)
    version = str(node["Version"]["Index"])
    stage.api.done("POST", f"/nodes/{node['ID']}/update", spec, version=version)


def waits(stage: Stage) -> bool:
    """Whether the first of two tasks has ended, and the second may start wherever there is a place."""
    first, *rest = stage.tasks()
    ended = first["Status"]["State"] in ENDED
    return ended and [t["DesiredState"] for t in rest if "Err" in t["Status"]] == ["running"]


@alone
def constraint_met_later(stage: Stage) -> None:
    """A constraint on a label that the node gets later."""
    placement = {"Placement": {"Constraints": ["node.labels.disk==fast"]}}
    stage.create(TaskTemplate=merge(placement, restart("any")))
    stage.until_message("no suitable node")
    stage.answers.append(str(stage.slots()))
    change_node(stage, Labels={"disk": "fast"})
    stage.until_settled(running=1)
    change_node(stage, Labels={"disk": None})
    stage.until(lambda: waits(stage), "the new task to wait for nothing but a node")


@alone
def drained(stage: Stage) -> None:
    """A drained node's tasks go elsewhere: nowhere, until it is active again."""
    stage.create(TaskTemplate=restart("any"))
    stage.until_settled(running=1)
    change_node(stage, Availability="drain")
    stage.until_message("no suitable node")
    stage.until(lambda: waits(stage), "the new task to wait for nothing but a node")
    stage.answers.append(str(stage.slots()))
    change_node(stage, Availability="active")
    stage.until_settled(running=1)


@alone
def node_paused(stage: Stage) -> None:
    """A paused node keeps what it has and takes nothing new."""
    stage.create()
    stage.until_settled(running=1)
    change_node(stage, Availability="pause")
    stage.scale(2)
    stage.until_message("no suitable node")
    stage.answers.append(str(stage.slots()))
    change_node(stage, Availability="active")
    stage.until_settled(running=2)


@alone
def updated_while_paused(stage: Stage) -> None:
    """An update of a service on every node leaves a paused one alone, until it is active again."""
    stage.create(Mode={"Global": {}})
    stage.until_settled(running=1)
    change_node(stage, Availability="pause")
    stage.update({"TaskTemplate": {"ForceUpdate": 1}})
    stage.answers.append(str(stage.slots()))
    change_node(stage, Availability="active")
    stage.until(lambda: len(stage.tasks()) == 2, "the update to go on")
    stage.until_settled(running=1)


@alone
def drained_while_updated(stage: Stage) -> None:
    """A drain takes the old task of an update that starts the new one first, though that cannot start."""
    config = {"Order": "start-first", "FailureAction": "continue", "Parallelism": 1}
    stage.create(UpdateConfig=config, TaskTemplate=restart("any"))
    stage.until_settled(running=1)
    stage.update({"TaskTemplate": {"Resources": {"Reservations": {"MemoryBytes": 2**50}}}})
    stage.until_message("no suitable node")
    change_node(stage, Availability="drain")
    stage.until(
        lambda: not any(t["Status"]["State"] == "running" for t in stage.tasks()), "the drain"
    )
    change_node(stage, Availability="active")
    stage.remove()


@scenario
def too_much_memory(stage: Stage) -> None:
    """A reservation of more than the node has."""
    stage.create(TaskTemplate={"Resources": {"Reservations": {"MemoryBytes": 2**50}}})
    stage.until_message("no suitable node")


@scenario
def too_many_cpus(stage: Stage) -> None:
    """A reservation of more than the node has, made smaller."""
    stage.create(TaskTemplate={"Resources": {"Reservations": {"NanoCPUs": 10**15}}})
    stage.until_message("no suitable node")
    stage.update({"TaskTemplate": {"Resources": {"Reservations": {"NanoCPUs": 10**7}}}})
    stage.until_settled(running=1)


@scenario
def no_more_on_one_node(stage: Stage) -> None:
    """Two replicas, of which a node takes one."""
    stage.create(replicas=2, TaskTemplate={"Placement": {"MaxReplicas": 1}})
    stage.until_message("no suitable node")
    stage.until(lambda: any(t["Status"]["State"] == "running" for t in stage.tasks()), "one to run")


@scenario
def other_platform(stage: Stage) -> None:
    """An image for another architecture."""
    platforms = [{"Architecture": "riscv64", "OS": "linux"}]
    stage.create(TaskTemplate={"Placement": {"Platforms": platforms}})
    stage.until_message("no suitable node")


@scenario
def constraint_on_role(stage: Stage) -> None:
    """Only on workers, of which there is none."""
    stage.create(TaskTemplate={"Placement": {"Constraints": ["node.role!=manager"]}})
    stage.until_message("no suitable node")


@scenario
def no_such_gpu(stage: Stage) -> None:
    """A generic resource that no node has."""
    gpu = [{"DiscreteResourceSpec": {"Kind": "gpu", "Value": 1}}]
    stage.create(TaskTemplate={"Resources": {"Reservations": {"GenericResources": gpu}}})
    stage.until_message("no suitable node")


@scenario
def host_port_taken(stage: Stage) -> None:
    """Two replicas that want the same port of the host."""
    ports = [{"Protocol": "tcp", "TargetPort": 80, "PublishedPort": 7777, "PublishMode": "host"}]
    script = "httpd -p 80; " + STAY
    stage.create(script, replicas=2, EndpointSpec={"Ports": ports})
    stage.until_message("no suitable node")
    stage.until(lambda: any(t["Status"]["State"] == "running" for t in stage.tasks()), "one to run")


@scenario
def more_cpus_than_there_are(stage: Stage) -> None:
    """A limit of more processors than the machine has."""
    stage.create(TaskTemplate={"Resources": {"Limits": {"NanoCPUs": 10**12}}})
    stage.until_states("rejected")
