"""Which namespaces of others a plain container may share, and what then is no longer its own to choose. Pure.

Sentences are dockerd's. Whether the other container is there shows when this one starts.
"""

from __future__ import annotations

from hivelet.errors import InvalidParameter
from hivelet.objects.container import ContainerCreate, HostConfig

_CONTAINER = "container:"
_UNDEFINED = "This would result in undefined behavior"


def check_modes(given: ContainerCreate) -> None:
    """Refuse namespaces that there are not, and wishes that contradict them.

    Raises:
        InvalidParameter: names the option.
    """
    host = given.host_config
    _check_ipc(host)
    if host.cgroupns_mode not in ("", "private", "host"):
        raise InvalidParameter(f"invalid cgroup namespace mode: {host.cgroupns_mode}")
    if host.uts_mode == "host" and given.hostname:
        raise InvalidParameter("conflicting options: hostname and the UTS mode")
    if host.network_mode == "host" and host.links:
        raise InvalidParameter(
            f"conflicting options: host type networking can't be used with links. {_UNDEFINED}"
        )
    if host.network_mode.startswith(_CONTAINER):
        _check_borrowed_network(given)


def _check_ipc(host: HostConfig) -> None:
    mode = host.ipc_mode
    if mode in ("", "none", "private", "shareable", "host"):
        return
    if not mode.startswith(_CONTAINER) or mode == _CONTAINER:
        raise InvalidParameter(f"Invalid IPC mode: {mode}")


def _check_borrowed_network(given: ContainerCreate) -> None:
    """In another container's network, its names, addresses and ports are the other's."""
    host = given.host_config
    macs = [wish.mac_address for wish in given.networking_config.endpoints_config.values()]
    conflicts = {
        "hostname and the network mode": given.hostname,
        f"container type network can't be used with links. {_UNDEFINED}": host.links,
        "dns and the network mode": host.dns,
        "custom host-to-IP mapping and the network mode": host.extra_hosts,
        "mac-address and the network mode": given.mac_address or any(macs),
        "port publishing and the container type network mode": (
            host.port_bindings or host.publish_all_ports
        ),
        "port exposing and the container type network mode": given.exposed_ports,
    }
    for what, wished in conflicts.items():
        if wished:
            raise InvalidParameter(f"conflicting options: {what}")
