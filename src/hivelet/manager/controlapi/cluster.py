"""The swarm as a whole, and its nodes, as users write and read them.

Writes: the cluster object, nodes' `spec`; makes the first node and the ingress network. What must happen on this host when it
becomes or ceases to be a manager is the daemon's, behind `Host` (door.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network

from hivelet.errors import NotASwarmManager, NotImplemented, SwarmLocked, Unavailable
from hivelet.kit.ids import new_id
from hivelet.manager.controlapi.door import Door, at_version, require_swarm
from hivelet.manager.controlapi.locking import with_unlock_key
from hivelet.manager.controlapi.rpc import failed_precondition, invalid
from hivelet.objects.cluster import Cluster, ClusterSpec, EncryptionConfig, JoinTokens
from hivelet.objects.common import Annotations, NetworkId, NodeId
from hivelet.objects.defaults import DEFAULT_ADDRESS_POOL, SUBNET_SIZE
from hivelet.objects.network import Network, NetworkSpec
from hivelet.objects.node import ManagerStatus, Node, NodeDescription, NodeSpec, NodeStatus
from hivelet.objects.swarm import RemoteManager, SwarmInit, SwarmJoin, SwarmRotation, SwarmStatus
from hivelet.objects.transitions import Actor
from hivelet.store.query import find_one
from hivelet.store.tx import Tx
from hivelet.store.unlocking import new_unlock_key
from hivelet.store.view import View

PORT = 2377
"""Where managers listen (Docker)."""

NOT_IN_SWARM = "This node is not part of a swarm"
IN_SWARM = 'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.'
LOCKED = (
    "Swarm is encrypted and locked. Please unlock it first or use `--force` to ignore this message."
)
LAST_MANAGER = (
    "You are attempting to leave the swarm on a node that is participating as a manager. "
    "Removing the last manager erases all current state of the swarm. Use `--force` to ignore this message. "
)


class ClusterApi(Door):
    """Behind the API's `ClusterBackend`."""

    async def status(self) -> SwarmStatus:
        """How this node stands to a swarm."""
        return self._store.view(_status)

    async def init_swarm(self, request: SwarmInit) -> NodeId:
        """Make this node the first manager of a new swarm."""
        _validate_pools(request)
        if self._store.locked:
            raise NotASwarmManager if request.force_new_cluster else Unavailable(IN_SWARM)
        address = self._host.address(_plain(request.advertise_addr))

        def change(tx: Tx) -> NodeId:
            if tx.cluster() is not None:
                if not request.force_new_cluster:
                    raise Unavailable(IN_SWARM)
                return local_node(tx).id
            node_id = _make_swarm(tx, request, self._host.hostname, address)
            # Published ports answer on IPv6 as well, wherever there is IPv6.
            ingress = NetworkSpec(
                annotations=Annotations(name="ingress"),
                ingress=True,
                ipv6_enabled=not self._host.without_ipv6,
            )
            tx.create(Network(id=NetworkId(""), spec=ingress))
            return node_id

        node_id = await self._store.update(change, Actor.USER)
        await self._store.protect()
        await self._host.joined(node_id)
        return node_id

    async def join_swarm(self, request: SwarmJoin) -> None:
        """Make this node a member of an existing swarm."""
        if self._in_swarm():
            raise Unavailable(IN_SWARM)
        raise NotImplemented(
            "hivelet can't join a swarm of several nodes yet; use `swarm init` to start one on this node "
            f"(asked to join {', '.join(request.remote_addrs)})"
        )

    async def leave_swarm(self, *, force: bool) -> None:
        """Leave the swarm; the last manager only with `force`, and then all of the swarm's state is gone."""
        if not self._in_swarm():
            raise Unavailable(NOT_IN_SWARM)
        if not force:
            raise Unavailable(LOCKED if self._store.locked else LAST_MANAGER)
        await self._host.left()

    async def inspect_swarm(self) -> Cluster:
        """The cluster object."""
        return self._read(_cluster)

    async def update_swarm(self, version: int, spec: ClusterSpec, rotation: SwarmRotation) -> None:
        """Write the cluster's spec and make the named tokens anew."""

        def change(tx: Tx) -> None:
            cluster = _cluster(tx)
            tokens = cluster.join_tokens
            if rotation.worker_token:
                tokens = tokens.replaced(worker=_rotate(tokens.worker))
            if rotation.manager_token:
                tokens = tokens.replaced(manager=_rotate(tokens.manager))
            named = spec.replaced(name=spec.name or cluster.spec.name)
            meta = at_version(cluster, version)
            changed = cluster.replaced(spec=named, join_tokens=tokens, meta=meta)
            tx.update(with_unlock_key(changed, rotation))

        await self._write(change)
        await self._store.protect()

    async def list_nodes(self) -> Sequence[Node]:
        """All nodes."""
        return self._read(lambda view: list(view.all(Node)))

    async def get_node(self, ref: str) -> Node:
        """One node."""
        return self._read(lambda view: find_node(view, ref))

    async def update_node(self, ref: str, version: int, spec: NodeSpec) -> None:
        """Write a node's labels, role and availability."""
        _validate_node(spec)

        def change(tx: Tx) -> None:
            node = find_node(tx, ref)
            managers = [each for each in tx.all(Node) if each.spec.role == "manager"]
            if spec.role != "manager" and managers == [node]:
                raise failed_precondition("attempting to demote the last manager of the swarm")
            tx.update(node.replaced(spec=spec, meta=at_version(node, version)))

        await self._write(change)

    async def remove_node(self, ref: str, *, force: bool) -> None:
        """Take a node out of the swarm."""

        def change(tx: Tx) -> None:
            node = find_node(tx, ref)
            if node.spec.role == "manager":
                raise failed_precondition(
                    f"node {node.id} is a cluster manager and is a member of the raft cluster. "
                    "It must be demoted to worker before removal"
                )
            if not force and node.status.state == "ready":
                raise failed_precondition(f"node {node.id} is not down and can't be removed")
            tx.delete(node)

        await self._write(change)

    def _in_swarm(self) -> bool:
        return self._store.view(lambda view: view.locked or view.cluster() is not None)


def local_node(view: View) -> Node:
    """This manager's own node. There is one manager as yet, so it is the leader's."""
    return next(n for n in view.all(Node) if n.manager_status is not None)


def find_node(view: View, ref: str) -> Node:
    """The node that `ref` means; "self" is this one.

    Raises:
        NotFound, InvalidParameter: in dockerd's words.
    """
    require_swarm(view)
    if ref == "self":
        return local_node(view)
    return find_one("node", ref, view.all(Node), lambda node: node.description.hostname)


def _cluster(view: View) -> Cluster:
    require_swarm(view)
    cluster = view.cluster()
    assert cluster is not None
    return cluster


def _status(view: View) -> SwarmStatus:
    if view.locked:
        return SwarmStatus(local_node_state="locked", error=SwarmLocked().message)
    cluster = view.cluster()
    if cluster is None:
        return SwarmStatus()
    own = local_node(view)
    managers = [node for node in view.all(Node) if node.manager_status is not None]
    return SwarmStatus(
        local_node_state="active",
        node_id=own.id,
        node_addr=own.status.addr,
        control_available=True,
        remote_managers=[
            RemoteManager(node_id=node.id, addr=node.manager_status.addr)
            for node in managers
            if node.manager_status is not None
        ],
        nodes=view.count(Node),
        managers=len(managers),
        cluster=cluster,
    )


def _make_swarm(tx: Tx, request: SwarmInit, hostname: str, address: str) -> NodeId:
    digest = f"SWMTKN-1-{new_id()}{new_id()}"
    locked = request.auto_lock_managers or request.spec.encryption_config.auto_lock_managers
    spec = request.spec.replaced(
        name="default", encryption_config=EncryptionConfig(auto_lock_managers=locked)
    )
    tx.create(
        Cluster(
            id="",
            spec=spec,
            unlock_key=new_unlock_key() if locked else "",
            join_tokens=JoinTokens(worker=f"{digest}-{new_id()}", manager=f"{digest}-{new_id()}"),
            default_addr_pool=tuple(request.default_addr_pool) or (DEFAULT_ADDRESS_POOL,),
            subnet_size=request.subnet_size or SUBNET_SIZE,
            data_path_port=request.data_path_port or 4789,
        )
    )
    node = tx.create(
        Node(
            id=NodeId(""),
            spec=NodeSpec(role="manager", availability=request.availability or "active"),
            description=NodeDescription(hostname=hostname),
            status=NodeStatus(state="unknown", addr=address),
            manager_status=ManagerStatus(leader=True, addr=f"{address}:{PORT}"),
        )
    )
    return node.id


def _rotate(token: str) -> str:
    return f"{token.rpartition('-')[0]}-{new_id()}"


def _plain(address: str) -> str:
    """An address without its port; "eth0" and "10.0.0.1:2377" are both usual."""
    host, _, port = address.rpartition(":")
    return host if port.isdigit() and host else address


def _validate_pools(request: SwarmInit) -> None:
    if request.availability not in {"", "active", "pause", "drain"}:
        raise invalid(f'invalid Availability: "{request.availability}"')
    size = request.subnet_size or SUBNET_SIZE
    if not 8 <= size <= 29:
        raise invalid(f"subnet size {size} is not between 8 and 29")
    for pool in request.default_addr_pool:
        try:
            network = IPv4Network(pool)
        except ValueError as error:
            raise invalid(f"invalid default address pool {pool}: {error}") from error
        if network.prefixlen > size:
            raise invalid(f"the address pool {pool} is smaller than one subnet of size /{size}")


def _validate_node(spec: NodeSpec) -> None:
    if spec.role not in {"worker", "manager"}:
        raise invalid(f'invalid Role: "{spec.role}"')
    if spec.availability not in {"active", "pause", "drain"}:
        raise invalid(f'invalid Availability: "{spec.availability}"')
