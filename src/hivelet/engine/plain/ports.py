"""Published ports of plain containers: what was asked for, and which ports of the host it became. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from ipaddress import ip_address

from hivelet.errors import Conflict, InvalidParameter
from hivelet.objects.container import ContainerConfig, HostConfig, PortBinding
from hivelet.objects.task import PortConfig

EPHEMERAL = range(32768, 61000)
"""Where ports that nobody chose come from; Docker's, and Linux's own."""

_PORT = re.compile(r"(\d{1,5})(?:/(tcp|udp|sctp))?")
_RANGE = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_ANY = ("", "0.0.0.0", "::")

Held = tuple[str, str, int]
"""An address of the host ("" is all), a protocol, a port."""


def asked_ports(config: ContainerConfig, host: HostConfig) -> dict[str, list[PortBinding]]:
    """The bindings of each port, as `80/tcp`; an empty list is a port that is only exposed.

    Raises:
        InvalidParameter: one has no valid form, in Docker's words.
    """
    found: dict[str, list[PortBinding]] = {}
    for name in [*config.exposed_ports, *host.port_bindings]:
        found.setdefault(_port_name(name), [])
    for name, bindings in host.port_bindings.items():
        for binding in bindings or [PortBinding()]:
            _check_binding(binding)
            found[_port_name(name)].append(binding)
    if host.publish_all_ports:
        for bindings in found.values():
            bindings[:] = bindings or [PortBinding()]
    return dict(sorted(found.items()))


def choose_ports(
    asked: dict[str, list[PortBinding]], held: Collection[Held], *, default_ip: str = ""
) -> dict[str, list[PortBinding]]:
    """The same with every host port chosen: a free one for each that was left open; at `default_ip` where no address is named.

    Raises:
        Conflict: a port is held by another container, or all of a range are.
    """
    taken, chosen = set(held), dict[str, list[PortBinding]]()
    for name, bindings in asked.items():
        protocol = name.partition("/")[2]
        chosen[name] = []
        for wish in bindings:
            binding = wish.replaced(host_ip=wish.host_ip or default_ip)
            port = _choose(binding, protocol, taken)
            taken.add((_address(binding.host_ip), protocol, port))
            ip = binding.host_ip or "0.0.0.0"
            chosen[name].append(PortBinding(host_ip=ip, host_port=str(port)))
    return chosen


def port_configs(ports: dict[str, list[PortBinding]]) -> list[PortConfig]:
    """The bindings as the data plane wants them."""
    return [
        PortConfig(
            protocol=name.partition("/")[2],
            target_port=int(name.partition("/")[0]),
            published_port=int(binding.host_port),
            publish_mode="host",
            host_ip=_address(binding.host_ip),
        )
        for name, bindings in ports.items()
        for binding in bindings
        if binding.host_port
    ]


def _choose(binding: PortBinding, protocol: str, taken: Collection[Held]) -> int:
    wanted = list(_wanted(binding.host_port))
    address = _address(binding.host_ip)
    for port in wanted or EPHEMERAL:
        if not any(
            kind == protocol and number == port and (not other or not address or other == address)
            for other, kind, number in taken
        ):
            return port
    shown = f"{binding.host_ip or '0.0.0.0'}:{wanted[0] if wanted else 0}"
    raise Conflict(f"Bind for {shown} failed: port is already allocated")


def _wanted(text: str) -> Iterator[int]:
    match = _RANGE.fullmatch(text) if text else None
    if match is not None and int(match[1]):
        yield from range(int(match[1]), int(match[2] or match[1]) + 1)


def _check_binding(binding: PortBinding) -> None:
    match = _RANGE.fullmatch(binding.host_port) if binding.host_port else None
    if binding.host_port and (match is None or int(match[2] or match[1]) > 65535):
        raise InvalidParameter(f'invalid port specification: "{binding.host_port}"')
    if binding.host_ip:
        try:
            ip_address(binding.host_ip)
        except ValueError:
            raise InvalidParameter(f"invalid IP address: {binding.host_ip}") from None


def _port_name(text: str) -> str:
    match = _PORT.fullmatch(text)
    if match is None or not 0 < int(match[1]) < 65536:
        raise InvalidParameter(f'invalid port specification: "{text}"')
    return f"{int(match[1])}/{match[2] or 'tcp'}"


def _address(host_ip: str) -> str:
    return "" if host_ip in _ANY else host_ip
