"""What to do about an error of a task: the first advice whose pattern is in it. Pure."""

from __future__ import annotations

import re

_EXIT = r"^task: non-zero exit "
"""How the error of a program that ended begins. It goes on with the program's last words, which may say anything: so these
come first, and are read from the beginning."""

_MEMORY = ("raise deploy.resources.limits.memory, or find out what needs so much",)
_LOGS = ("hivelet service logs --tail 50 {service}",)

_RULES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        _EXIT + r"\(\d+\): (dockerexec: )?unhealthy container",
        ("its health check fails: run the check by hand in a container, or give it start_period",),
    ),
    (_EXIT + r"\(\d+\): (out of memory|.*killed for memory)|^OOM", _MEMORY),
    (
        _EXIT + r"\(137\)",
        (
            "somebody killed it (`hivelet events` tells of a command that did), or the kernel for want of memory (dmesg)",
            *_LOGS,
        ),
    ),
    (
        _EXIT + r"\(12[67]\): its command",
        ("correct `command` or `entrypoint`, or the script that calls it", *_LOGS),
    ),
    (_EXIT, _LOGS),
    (
        r"insufficient resources",
        (
            "lower deploy.resources.reservations, or free some: what other services reserve counts, used or not",
            "hivelet node inspect --pretty self",
        ),
    ),
    (
        r"scheduling constraints not satisfied",
        (
            "compare deploy.placement.constraints with what the nodes have",
            "hivelet node inspect --pretty self",
        ),
    ),
    (
        r"not available for new tasks",
        ("hivelet node ls", "hivelet node update --availability active {node}"),
    ),
    (
        r"host-mode port already in use",
        ("publish the port in ingress mode, or run one replica for each node",),
    ),
    (
        r"max replicas per node",
        ("raise deploy.placement.max_replicas_per_node, or lower deploy.replicas",),
    ),
    (
        r"unsupported platform",
        ("the image is built for another processor: build it for this one",),
    ),
    (r"waiting for itself", ("take one of the services out of depends_on",)),
    (
        r"waiting for the old task",
        ("nothing: it starts when the task before it has stopped",),
    ),
    (r"waiting for ", ("hivelet service why {awaited}",)),
    (r"network .*: |no available IPv4|address", ("hivelet network inspect -v NETWORK",)),
    (
        r"No such image|manifest unknown|pull access denied|repository does not exist|not found: manifest",
        (
            "hivelet image ls",
            "hivelet image load -i FILE, hivelet image pull {image}, or correct `image`",
        ),
    ),
    (
        r"unhealthy container|Health check",
        ("its health check fails: run the check by hand in a container, or give it start_period",),
    ),
    (r"out of memory|OOM", _MEMORY),
    (
        r"invalid mount|bind source path|bind mount",
        ("make the path on the node, or correct `volumes`",),
    ),
    (
        r"executable file not found|OCI runtime create failed|can't be executed|No command specified",
        ("correct `command` or `entrypoint`: the image does not have that program",),
    ),
    (r"secret|config", ("hivelet secret ls", "hivelet config ls")),
)
_AWAITED = re.compile(r"waiting for ([\w.-]+)")


def advice_for(error: str, service: str, *, image: str = "", node: str = "self") -> tuple[str, ...]:
    """What to type or to correct; the list of tasks where nothing better is known."""
    awaited = _AWAITED.search(error)
    for pattern, lines in _RULES:
        if re.search(pattern, error):
            values = {
                "service": service,
                "image": image,
                "node": node,
                "awaited": awaited[1].rstrip(".") if awaited else "SERVICE",
            }
            return tuple(line.format(**values) for line in lines)
    return (f"hivelet service ps --no-trunc {service}",)
