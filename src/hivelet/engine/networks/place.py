"""Where in the network a container's processes live: in a sandbox of its own, in another container's, or in the host's.

Pure, but for the host's own files, which a container in the host's network gets copies of.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hivelet.engine.registry import Record, Registry
from hivelet.errors import Conflict, NotFound
from hivelet.network.sandbox import Sandbox
from hivelet.objects.container import HostConfig

HOST = "host"
_CONTAINER = "container:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """`netns` as the runtime wants it (None is the host's); `sandbox` is the container's own, if it has one.

    `lender` is the container whose network it shares, and whose files it reads.
    """

    netns: str | None
    hosts: str
    resolv_conf: str
    sandbox: Sandbox | None = None
    lender: Record | None = None


def shares_network(host: HostConfig) -> bool:
    """Whether the container has no network namespace of its own."""
    return host.network_mode == HOST or host.network_mode.startswith(_CONTAINER)


def own_place(sandbox: Sandbox) -> Place:
    """In its own sandbox."""
    return Place(
        netns=str(sandbox.netns),
        hosts=sandbox.hosts,
        resolv_conf=sandbox.resolv_conf,
        sandbox=sandbox,
    )


def shared_place(host: HostConfig, registry: Registry) -> Place:
    """In the host's network, or in another container's.

    Raises:
        NotFound: there is no such container.
        Conflict: it does not run.
    """
    if host.network_mode == HOST:
        return Place(netns=None, hosts=_text("/etc/hosts"), resolv_conf=_text("/etc/resolv.conf"))
    lender = lending(host.network_mode, registry, "network")
    return Place(
        netns=f"/proc/{lender.container.state.pid}/ns/net",
        hosts="",
        resolv_conf="",
        lender=lender,
    )


def joined_namespaces(host: HostConfig, registry: Registry) -> dict[str, str]:
    """The other namespaces that are shared with another container, by type.

    Raises:
        NotFound: there is no such container.
        Conflict: it does not run.
    """
    modes = {"pid": host.pid_mode, "ipc": host.ipc_mode}
    return {
        kind: f"/proc/{lending(mode, registry, kind).container.state.pid}/ns/{kind}"
        for kind, mode in modes.items()
        if mode.startswith(_CONTAINER)
    }


def lending(mode: str, registry: Registry, kind: str) -> Record:
    """The running container that `container:NAME` means.

    Raises:
        NotFound: there is no such container.
        Conflict: it does not run, or does not lend what is asked for.
    """
    name = mode.removeprefix(_CONTAINER)
    try:
        lender = registry.find(name)
    except NotFound as error:
        raise NotFound(f"No such container: {name}") from error
    if kind == "ipc" and lender.container.host_config.ipc_mode in ("", "none", "private"):
        raise Conflict(
            f"can't join IPC of container {lender.id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)"
        )
    if not lender.container.state.running:
        words = {"network": "network", "pid": "PID", "ipc": "IPC"}
        raise Conflict(f"cannot join {words[kind]} of a non running container: {lender.id}")
    return lender


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except FileNotFoundError:
        return ""
