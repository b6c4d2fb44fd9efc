"""Links: other containers that one knows by a name of its own, in `/etc/hosts`, and on the default bridge by variables.

Pure but for the look at who is there. The variables are those of Docker's legacy links, in its order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from hivelet.engine.registry import Record, Registry
from hivelet.errors import InvalidParameter, NotFound, System
from hivelet.objects.common import ContainerId, NetworkId
from hivelet.objects.container import HostConfig
from hivelet.objects.links import split_link

AddressOf = Callable[[ContainerId, NetworkId], str]
"""A container's address in a network, "" while it is not there."""

_NOT_PASSED = ("PATH", "HOSTNAME", "HOME", "TERM")


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """Another container, at its address in a network that both are in; `legacy` is a link of the default bridge."""

    alias: str
    address: str
    target: Record
    legacy: bool

    @property
    def names(self) -> tuple[str, ...]:
        """What it is called in `/etc/hosts`."""
        return (self.alias, self.target.id[:12], self.target.container.name)


def check_links(host: HostConfig, registry: Registry) -> None:
    """Refuse links of a new container that lead nowhere.

    Raises:
        InvalidParameter: in Docker's words.
    """
    for text in host.links:
        name, _ = split_link(text)
        try:
            registry.find(name)
        except NotFound as error:
            raise InvalidParameter(f"could not get container for {name}: {error.message}") from None


async def without_link(alias: str, record: Record) -> Record:
    """The record without its link of that name.

    Raises:
        NotFound: there is none.
    """
    host = record.container.host_config
    links = [text for text in host.links if split_link(text)[1] != alias]
    if links == host.links:
        raise NotFound(f"No such container: {record.container.name}/{alias}")
    changed = record.container.replaced(host_config=host.replaced(links=links))
    return record.replaced(container=changed)


def find_linked(record: Record, registry: Registry, address_of: AddressOf) -> list[Linked]:
    """The containers that this one is linked to and that are there.

    Raises:
        System: one of the default bridge does not run.
    """
    found = []
    for text, network_id, legacy in _links(record):
        name, alias = split_link(text)
        try:
            target = registry.find(name)
        except NotFound:
            continue  # removed since; the link is of no use, and no harm
        address = address_of(target.id, network_id)
        if not address and legacy:
            raise System(
                f"Cannot link to a non running container: /{target.container.name} AS "
                f"/{record.container.name}/{alias}"
            )
        if address:
            found.append(Linked(alias=alias, address=address, target=target, legacy=legacy))
    return found


def linked_from(target: Record, records: Iterable[Record]) -> list[Record]:
    """The running containers that are linked to this one."""
    names = (target.container.name, target.id, target.id[:12])
    return [
        record
        for record in records
        if record.container.state.running
        and any(split_link(text)[0] in names for text, _, _ in _links(record))
    ]


def link_environment(record: Record, linked: Iterable[Linked]) -> list[str]:
    """The variables by which a container of the default bridge knows those that it is linked to."""
    return [
        variable
        for link in linked
        if link.legacy
        for variable in _variables(record.container.name, link)
    ]


def _links(record: Record) -> Iterator[tuple[str, NetworkId, bool]]:
    host = record.container.host_config
    for leg in record.legs:
        default = leg.network.name == "bridge"
        for text in host.links if default else leg.links:
            yield text, leg.network.id, default
        if not default and leg.network.name == host.network_mode:
            yield from ((text, leg.network.id, False) for text in host.links)


def _variables(name: str, link: Linked) -> Iterator[str]:
    prefix = link.alias.upper().replace("-", "_")
    config = link.target.container.config
    ports = sorted(
        (p.partition("/") for p in config.exposed_ports), key=lambda p: (int(p[0]), p[2])
    )
    for protocol in sorted({protocol for _, _, protocol in ports}):
        numbers = [int(number) for number, _, other in ports if other == protocol]
        yield from _ranges(prefix, link.address, protocol or "tcp", numbers)
    for place, (number, _, protocol) in enumerate(ports):
        address = f"{protocol or 'tcp'}://{link.address}:{number}"
        port = f"{prefix}_PORT_{number}_{(protocol or 'tcp').upper()}"
        if place == 0:
            yield f"{prefix}_PORT={address}"
        yield f"{port}={address}"
        yield f"{port}_ADDR={link.address}"
        yield f"{port}_PORT={number}"
        yield f"{port}_PROTO={protocol or 'tcp'}"
    yield f"{prefix}_NAME=/{name}/{link.alias}"
    for entry in config.env:
        if entry.partition("=")[0] not in _NOT_PASSED:
            yield f"{prefix}_ENV_{entry}"


def _ranges(prefix: str, address: str, protocol: str, numbers: list[int]) -> Iterator[str]:
    """Where each run of ports that follow one another begins and ends."""
    begins = [number for number in numbers if number - 1 not in numbers]
    ends = [number for number in numbers if number + 1 not in numbers]
    for first, last in zip(begins, ends, strict=True):
        if first == last:
            continue
        name = f"{prefix}_PORT_{first}_{protocol.upper()}"
        for word, number in (("START", first), ("END", last)):
            yield f"{name}_{word}={protocol}://{address}:{number}"
            yield f"{name}_PORT_{word}={number}"
