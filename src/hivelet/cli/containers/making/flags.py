"""The options of `run` and `create`, as the docker CLI has them. A table only; `request` says what each means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_COUNT = click.IntRange(min=0)

_VALUES: tuple[tuple[str, str, str], ...] = (
    ("--name", "NAME", "Name of the container."),
    ("-h --hostname", "NAME", "Host name of the container."),
    ("--domainname", "NAME", "NIS domain name of the container."),
    ("-u --user", "USER[:GROUP]", "User: NAME|UID[:GROUP|GID]."),
    ("-w --workdir", "PATH", "Working directory."),
    ("--volume-driver", "NAME", "Driver of the volumes that are made."),
    ("--ip", "ADDRESS", "IPv4 address, such as 172.30.100.104."),
    ("--ip6", "ADDRESS", "IPv6 address, such as 2001:db8::33."),
    ("--mac-address", "ADDRESS", "MAC address, such as 92:d0:c6:0a:29:33."),
    ("-m --memory", "SIZE", "Memory at most."),
    ("--memory-swap", "SIZE", "Memory and swap together at most; -1 is no limit."),
    ("--memory-reservation", "SIZE", "Memory that is kept when the host runs short of it."),
    ("--kernel-memory", "SIZE", "Memory of the kernel at most."),
    ("--cpus", "NUMBER", "CPUs at most."),
    ("--cpuset-cpus", "LIST", "The CPUs to run on: 0-3, 0,1."),
    ("--cpuset-mems", "LIST", "The memory nodes to use: 0-3, 0,1."),
    ("--shm-size", "SIZE", "Size of /dev/shm."),
    ("--runtime", "NAME", "OCI runtime."),
    ("--platform", "PLATFORM", "Platform of the image, such as linux/arm64."),
    ("--ipc", "MODE", "IPC namespace: none, private, shareable, host or container:NAME."),
    ("--pid", "MODE", "PID namespace: host or container:NAME."),
    ("--uts", "MODE", "UTS namespace: host."),
    ("--userns", "MODE", "User namespace: host."),
    ("--cgroupns", "MODE", "Cgroup namespace: host or private."),
    ("--isolation", "MODE", "Isolation: default."),
    ("--cgroup-parent", "PATH", "Cgroup above the container's own."),
    ("--stop-signal", "SIGNAL", "Signal to stop the container with."),
    ("--log-driver", "NAME", "Log driver."),
    ("--health-cmd", "COMMAND", "Command that checks the health."),
    ("--health-interval", "TIME", "Time between checks."),
    ("--health-timeout", "TIME", "Time that a check may take."),
    ("--health-start-period", "TIME", "Time in which failures do not count."),
    ("--health-start-interval", "TIME", "Time between checks in that period."),
    ("--restart", "POLICY", "When it is started again: no, on-failure[:MAX], always, unless-stopped."),
    ("--gpus", "GPUS", "GPUs to give it: all, a number, or device=…."),
    ("--cidfile", "FILE", "File to write the container's id to."),
)  # fmt: skip
_NUMBERS: tuple[tuple[str, str], ...] = (
    ("-c --cpu-shares", "Weight of its share of the CPUs."),
    ("--cpu-period", "Period of the CPU quota, in microseconds."),
    ("--cpu-quota", "CPU quota in a period, in microseconds."),
    ("--cpu-rt-period", "Period of the real-time CPU quota, in microseconds."),
    ("--cpu-rt-runtime", "Real-time CPU quota in a period, in microseconds."),
    ("--blkio-weight", "Weight of its share of block I/O, 10 to 1000, or 0."),
    ("--memory-swappiness", "How readily its memory is swapped, 0 to 100."),
    ("--pids-limit", "Processes at most; -1 is no limit."),
    ("--oom-score-adj", "OOM preference, -1000 to 1000."),
    ("--stop-timeout", "Seconds to stop in before it is killed."),
    ("--health-retries", "Failures in a row that make it unhealthy."),
)
_LISTS: tuple[tuple[str, str, str], ...] = (
    ("-a --attach", "STREAM", "Attach to stdin, stdout or stderr."),
    ("-e --env", "NAME=VALUE", "Environment variable; a NAME alone takes the value of ours."),
    ("--env-file", "FILE", "File with environment variables."),
    ("-l --label", "NAME=VALUE", "Label."),
    ("--label-file", "FILE", "File with labels."),
    ("--annotation", "NAME=VALUE", "Annotation for the OCI runtime."),
    ("--expose", "PORT", "Port that it offers, or a range."),
    ("-p --publish", "[ADDRESS:][PORT:]PORT", "Publish a port, or a range."),
    ("-v --volume", "[SOURCE:]TARGET[:OPTIONS]", "Bind mount or volume."),
    ("--volumes-from", "CONTAINER", "Mount the volumes of another container."),
    ("--mount", "type=…,src=…,dst=…", "Mount."),
    ("--tmpfs", "PATH[:OPTIONS]", "Mount a tmpfs."),
    ("--network", "NETWORK", "Network to join, or none, host, container:NAME."),
    ("--network-alias", "NAME", "Another name of it in the network."),
    ("--link", "CONTAINER[:ALIAS]", "Make another container known by a name."),
    ("--link-local-ip", "ADDRESS", "Link-local address."),
    ("--dns", "ADDRESS", "Name server."),
    ("--dns-option", "OPTION", "Option of the resolver."),
    ("--dns-search", "DOMAIN", "Search domain."),
    ("--add-host", "HOST:ADDRESS", "Line of /etc/hosts."),
    ("--cap-add", "NAME", "Add a capability."),
    ("--cap-drop", "NAME", "Drop a capability."),
    ("--device", "PATH[:PATH[:RIGHTS]]", "Give it a device of the host."),
    ("--device-cgroup-rule", "RULE", "Rule for devices, such as 'c 1:3 mr'."),
    ("--device-read-bps", "PATH:RATE", "Limit of reading from a device, bytes in a second."),
    ("--device-write-bps", "PATH:RATE", "Limit of writing to a device, bytes in a second."),
    ("--device-read-iops", "PATH:RATE", "Limit of reading from a device, operations in a second."),
    ("--device-write-iops", "PATH:RATE", "Limit of writing to a device, operations in a second."),
    ("--blkio-weight-device", "PATH:WEIGHT", "Weight of its share of a device."),
    ("--group-add", "GROUP", "Another group of its user."),
    ("--security-opt", "OPTION", "Security option."),
    ("--ulimit", "NAME=SOFT[:HARD]", "Limit of its processes."),
    ("--sysctl", "NAME=VALUE", "Kernel parameter of its namespaces."),
    ("--storage-opt", "NAME=VALUE", "Option of the storage driver."),
    ("--log-opt", "NAME=VALUE", "Option of the log driver."),
)
_FLAGS: tuple[tuple[str, str], ...] = (
    ("-i --interactive", "Keep its standard input open, and pass ours on."),
    ("-t --tty", "Give it a terminal."),
    ("-P --publish-all", "Publish all ports that it offers, on ports that are free."),
    ("--privileged", "All rights on the machine."),
    ("--read-only", "Mount the root file system read-only."),
    ("--rm", "Remove it, and its anonymous volumes, when it ends."),
    ("--oom-kill-disable", "Do not kill it where the host runs short of memory."),
    ("--no-healthcheck", "Switch off the image's health check."),
    ("-q --quiet", "Do not print the progress of a pull."),
)
ALIASES = {"--net": "--network", "--net-alias": "--network-alias", "--dns-opt": "--dns-option"}
"""Names that docker has kept from earlier times."""


def create_flags(command: F) -> F:
    """The options that `run` and `create` share."""
    options = [
        *(_option(names, metavar=metavar, default=None, help=text) for names, metavar, text in _VALUES),
        *(_option(names, type=int, default=None, metavar="NUMBER", help=text) for names, text in _NUMBERS),
        *(_option(names, multiple=True, metavar=metavar, help=text) for names, metavar, text in _LISTS),
        *(_option(names, is_flag=True, help=text) for names, text in _FLAGS),
        click.option("--entrypoint", default=None, metavar="COMMAND", help="Command instead of the image's entrypoint."),
        click.option("--init/--no-init", default=None, help="Run a small init as the first process."),
        click.option(
            "--pull", type=click.Choice(["always", "missing", "never"]), default="missing", show_default=True,
            help="When the image is pulled before.",
        ),
        click.option("--disable-content-trust/--no-disable-content-trust", "_trust", default=True, hidden=True),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def _option(names: str, **more: Any) -> Callable[[F], F]:
    words = names.split()
    words += [old for old, new in ALIASES.items() if new in words]
    # click names a parameter after its first long option.
    name = next(word for word in words if word.startswith("--")).lstrip("-").replace("-", "_")
    return click.option(*words, name, **more)
