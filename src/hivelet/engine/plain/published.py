"""The published ports of this node's plain containers: chosen before a start, open while a container runs.

What always holds: a port of the host is held by one container at a time, from before its start until after its end.
"""

from __future__ import annotations

from hivelet.engine.plain.ports import Held, asked_ports, choose_ports, port_configs
from hivelet.engine.registry import Record
from hivelet.errors import Conflict, System
from hivelet.network.plane import NetworkPlane
from hivelet.objects.common import ContainerId, NetworkId, ServiceId, TaskId
from hivelet.objects.endpoint import Backend


class PublishedPorts:
    """Holds ports, and has the data plane lead them to their containers."""

    def __init__(self, plane: NetworkPlane) -> None:
        self._plane = plane
        self._held: dict[ContainerId, set[Held]] = {}

    async def choose(self, record: Record) -> Record:
        """The record with its host ports, which are held from now on.

        Raises:
            System: one is taken, in Docker's words.
        """
        container = record.container
        asked = asked_ports(container.config, container.host_config)
        if container.host_config.network_mode == "host" or record.task_id:
            return record
        self._held.pop(record.id, None)
        held = {port for ports in self._held.values() for port in ports} | self._plane.held_ports()
        try:
            main = next((leg.network for leg in record.legs), None)
            ports = choose_ports(asked, held, default_ip=main.host_binding if main else "")
            configs = port_configs(ports)
            self._held[record.id] = {(c.host_ip, c.protocol, c.published_port) for c in configs}
            for config in configs:
                await self._plane.check_port_free(config)
        except Conflict as error:
            self._held.pop(record.id, None)
            raise System(
                f"driver failed programming external connectivity on endpoint {container.name} ({record.id}): "
                f"{error.message}"
            ) from error
        return record.replaced(container=container.replaced(ports=ports))

    async def open(self, record: Record) -> None:
        """Lead the ports to the container, which runs; also one that was adopted."""
        configs = port_configs(record.container.ports)
        sandbox = self._plane.sandbox(record.id)
        if not configs or sandbox is None or record.task_id:
            return
        self._held[record.id] = {(c.host_ip, c.protocol, c.published_port) for c in configs}
        await self._plane.publish(
            Backend(
                task_id=TaskId(record.id),
                service_id=ServiceId(record.id),
                service_name=record.container.name,
                # Where it is reached is where its answers leave: of several networks, the one of its default route.
                addresses=_only(sandbox.addresses, sandbox.way_out),
                addresses6=_only(sandbox.addresses6, sandbox.way_out),
                host_ports=configs,
            )
        )

    async def close(self, container_id: ContainerId) -> None:
        """The container has ended: its ports are free again."""
        if self._held.pop(container_id, None):
            await self._plane.withdraw(TaskId(container_id))


def _only(addresses: dict[NetworkId, str], network: NetworkId | None) -> dict[NetworkId, str]:
    return {key: address for key, address in addresses.items() if key == network}
