"""Autolock: the key without which the swarm's state can't be read after a restart.

Writes the cluster's `unlock_key` along with its spec; the key file follows it (`Store.protect`), always in this order: a crash in between
leaves the file as it was, under a key that the user has, and the next start brings it up to date.
"""

from __future__ import annotations

from hivelet.errors import Conflict
from hivelet.manager.controlapi.door import Door, require_swarm
from hivelet.objects.cluster import Cluster
from hivelet.objects.swarm import SwarmRotation
from hivelet.store.unlocking import new_unlock_key, parse_unlock_key
from hivelet.store.view import View


def with_unlock_key(cluster: Cluster, rotation: SwarmRotation) -> Cluster:
    """The cluster with the key that its spec needs: one where it is to be locked, a new one where that is asked for."""
    if not cluster.spec.encryption_config.auto_lock_managers:
        return cluster.replaced(unlock_key="")
    if cluster.unlock_key and not rotation.unlock_key:
        return cluster
    return cluster.replaced(unlock_key=new_unlock_key())


class LockingApi(Door):
    """The part of the API's `ClusterBackend` that concerns the lock."""

    async def unlock_key(self) -> str:
        """The key that unlocks this manager after a restart; "" where it is never locked."""

        def read(view: View) -> str:
            cluster = view.cluster()
            return cluster.unlock_key if cluster else ""

        return self._read(read)

    async def unlock_swarm(self, key: str) -> None:
        """Unlock this manager after a restart, and resume its swarm."""
        if not self._store.locked:
            self._store.view(require_swarm)
            raise Conflict("swarm is not locked")
        parse_unlock_key(key)
        await self._store.unlock(key)
        await self._host.unlocked()
