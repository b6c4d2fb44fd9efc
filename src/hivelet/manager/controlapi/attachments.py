"""Places in attachable networks for containers without a task. Writes: a network's `attachments`, save their addresses.

The allocator gives the addresses; who asks waits for its answer. What always holds: a container has at most one place in a
network, and a network with places is not removed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

from hivelet.errors import Conflict, System
from hivelet.manager.controlapi.door import Door, require_swarm
from hivelet.manager.controlapi.networks import find_network
from hivelet.manager.controlapi.rpc import denied
from hivelet.objects.common import ContainerId, NetworkId, NodeId
from hivelet.objects.network import Network, NodeAttachment
from hivelet.store.tx import Tx
from hivelet.store.view import View

PATIENCE = 20.0
"""Seconds in which the allocator answers, or never will (SwarmKit's limit for an attachment)."""

_Choice = Callable[[NetworkId, NodeAttachment], bool]


class AttachmentsApi(Door):
    """What an engine asks of the cluster for its plain containers."""

    async def attach_container(
        self,
        network_id: NetworkId,
        container_id: ContainerId,
        node_id: NodeId,
        wanted: Sequence[str],
    ) -> Network:
        """The network, with a place for the container in it.

        Raises:
            NotFound: it is gone.
            Forbidden: it is not attachable.
            Conflict: an address is taken, or none is left.
        """

        def change(tx: Tx) -> None:
            network = find_network(tx, network_id)
            if not network.spec.attachable:
                raise denied(f"network {network.spec.name} not manually attachable")
            if _place(network, container_id) is None:
                place = NodeAttachment(
                    container_id=container_id, node_id=node_id, wanted=list(wanted)
                )
                tx.update(network.replaced(attachments=[*network.attachments, place]))

        with self._store.watch((Network,)) as watcher:
            await self._write(change)
            try:
                async with asyncio.timeout(PATIENCE):
                    while not (
                        found := self._store.view(lambda v: _answer(v, network_id, container_id))
                    ):
                        await watcher.wait()
                        watcher.drain()
            except TimeoutError as error:
                await self.detach_container(container_id, (network_id,))
                raise System(
                    f"network {network_id}: no address was given within {PATIENCE:.0f} seconds"
                ) from error
            except Conflict:
                await self.detach_container(container_id, (network_id,))
                raise
            return found

    async def detach_container(
        self, container_id: ContainerId, networks: Collection[NetworkId] | None = None
    ) -> None:
        """Give back its places in these networks, or in all."""
        await self._leave(lambda _, place: place.container_id == container_id, networks)

    async def keep_attachments(
        self, node_id: NodeId, joined: Collection[tuple[ContainerId, NetworkId]]
    ) -> None:
        """Give back the places of a node's containers, save in the networks that they are joined to: what a crash left."""
        await self._leave(
            lambda network_id, place: (
                place.node_id == node_id and (place.container_id, network_id) not in joined
            ),
            None,
        )

    async def _leave(self, goes: _Choice, networks: Collection[NetworkId] | None) -> None:
        def concerned(view: View) -> list[Network]:
            return [
                network
                for network in view.all(Network)
                if (networks is None or network.id in networks)
                and any(goes(network.id, place) for place in network.attachments)
            ]

        def change(tx: Tx) -> None:
            for network in concerned(tx):
                kept = [place for place in network.attachments if not goes(network.id, place)]
                tx.update(network.replaced(attachments=kept))

        if self._store.view(lambda view: view.cluster() is not None and concerned(view)):
            await self._write(change)


def _place(network: Network, container_id: ContainerId) -> NodeAttachment | None:
    return next((a for a in network.attachments if a.container_id == container_id), None)


def _answer(view: View, network_id: NetworkId, container_id: ContainerId) -> Network | None:
    """The network once the allocator has given the container its addresses."""
    require_swarm(view)
    network = find_network(view, network_id)
    place = _place(network, container_id)
    if place is not None and place.err:
        raise Conflict(place.err)
    return network if place is not None and place.addresses else None
