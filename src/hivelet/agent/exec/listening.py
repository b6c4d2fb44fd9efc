"""Whether a task listens where its service publishes a port. Pure.

A process that runs does not serve yet: a web framework needs its half second, a broker its four. A connection that is
balanced to it in that time is refused, so a task with published ports counts as started only once it listens, or
when it has had long enough. A service that must not wait, or longer, says so by a label.

Of TCP it must listen on all of them. Of UDP on one: what is published beside a telephone exchange's or a relay's own port is a
range for media, of which a port is opened for each call.
"""

from __future__ import annotations

from hivelet.kit.durations import parse_duration
from hivelet.network.listeners import OpenPorts
from hivelet.objects.common import SECOND
from hivelet.objects.defaults import READY_TIMEOUT, READY_TIMEOUT_LABEL
from hivelet.objects.task import Task

POLL = 0.02
"""Seconds between looks: nothing tells of a new listener, and a look costs microseconds."""


def awaited_ports(task: Task) -> frozenset[int]:
    """The TCP ports inside the container that the task must listen on."""
    return frozenset(port.target_port for port in task.ports if port.protocol == "tcp")


def awaited_datagrams(task: Task) -> frozenset[int]:
    """The UDP ports inside the container of which the task must listen on one."""
    return frozenset(port.target_port for port in task.ports if port.protocol == "udp")


def is_listening(task: Task, found: OpenPorts) -> bool:
    """Whether it serves whoever the balancer sends."""
    datagrams = awaited_datagrams(task)
    return awaited_ports(task) <= found.all and (not datagrams or bool(datagrams & found.udp))


def ready_limit(task: Task) -> float:
    """Seconds to wait for them at most: the service's label, or the default; a label that is no duration counts as absent."""
    label = task.service_annotations.labels.get(READY_TIMEOUT_LABEL, "")
    try:
        return parse_duration(label) / SECOND
    except ValueError:
        return READY_TIMEOUT / SECOND
