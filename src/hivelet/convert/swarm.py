"""The swarm as a whole: init, join and update requests, and the JSON of the cluster and of this node's standing."""

from __future__ import annotations

from collections.abc import Mapping

from hivelet.convert.body import convert_json
from hivelet.convert.query import flag
from hivelet.convert.shape import Json, encode, encode_meta
from hivelet.errors import InvalidParameter
from hivelet.objects.cluster import CaConfig, Cluster, ClusterSpec, DispatcherConfig, RaftConfig
from hivelet.objects.swarm import SwarmInit, SwarmJoin, SwarmRotation, SwarmStatus, SwarmUnlock


def parse_swarm_init(data: Json) -> SwarmInit:
    """A client's wish for a new swarm."""
    request = convert_json(data, SwarmInit)
    if request.availability not in {"", "active", "pause", "drain"}:
        raise InvalidParameter(f'invalid Availability: "{request.availability}"')
    return request.replaced(spec=_fill(request.spec), availability=request.availability or "active")


def parse_swarm_join(data: Json) -> SwarmJoin:
    """A client's wish to join a swarm."""
    request = convert_json(data, SwarmJoin)
    return request.replaced(availability=request.availability or "active")


def parse_cluster_spec(data: Json) -> ClusterSpec:
    """A client's cluster spec; numbers that are 0 mean Docker's defaults."""
    return _fill(convert_json(data, ClusterSpec))


def parse_rotation(query: Mapping[str, str]) -> SwarmRotation:
    """Which tokens and keys an update makes anew."""
    return SwarmRotation(
        worker_token=flag(query, "rotateWorkerToken"),
        manager_token=flag(query, "rotateManagerToken"),
        unlock_key=flag(query, "rotateManagerUnlockKey"),
    )


def parse_unlock(data: Json) -> str:
    """The key that a locked swarm is to be unlocked with; one that is missing is none."""
    return convert_json(data, SwarmUnlock).unlock_key


def encode_cluster(cluster: Cluster, *, tokens: bool) -> Json:
    """The cluster as `GET /swarm` answers it; `docker info` shows it without its join tokens."""
    answer = encode_meta(cluster.id, cluster.meta)
    answer["Spec"] = encode(cluster.spec) | {"TaskDefaults": {}}
    answer["TLSInfo"] = {"TrustRoot": cluster.trust_root} if cluster.trust_root else {}
    answer["RootRotationInProgress"] = False
    answer["DefaultAddrPool"] = list(cluster.default_addr_pool)
    answer["SubnetSize"] = cluster.subnet_size
    answer["DataPathPort"] = cluster.data_path_port
    if tokens:
        answer["JoinTokens"] = {
            "Worker": cluster.join_tokens.worker,
            "Manager": cluster.join_tokens.manager,
        }
    return answer


def encode_status(status: SwarmStatus) -> Json:
    """This node's standing, as `docker info` shows it."""
    answer: Json = {
        "NodeID": status.node_id,
        "NodeAddr": status.node_addr,
        "LocalNodeState": status.local_node_state,
        "ControlAvailable": status.control_available,
        "Error": status.error,
        "RemoteManagers": encode(status.remote_managers) if status.remote_managers else None,
    }
    if status.nodes:
        answer["Nodes"] = status.nodes
    if status.managers:
        answer["Managers"] = status.managers
    if status.cluster is not None:
        answer["Cluster"] = encode_cluster(status.cluster, tokens=False)
    if status.warnings:
        answer["Warnings"] = status.warnings
    return answer


def ping_word(status: SwarmStatus) -> str:
    """The header `Swarm` of `/_ping`."""
    if status.local_node_state != "active":
        return status.local_node_state
    return "active/manager" if status.control_available else "active/worker"


def _fill(spec: ClusterSpec) -> ClusterSpec:
    raft, plain = spec.raft, RaftConfig()
    return spec.replaced(
        name=spec.name or "default",
        raft=RaftConfig(
            snapshot_interval=raft.snapshot_interval or plain.snapshot_interval,
            keep_old_snapshots=raft.keep_old_snapshots,
            log_entries_for_slow_followers=raft.log_entries_for_slow_followers
            or plain.log_entries_for_slow_followers,
            election_tick=raft.election_tick or plain.election_tick,
            heartbeat_tick=raft.heartbeat_tick or plain.heartbeat_tick,
        ),
        dispatcher=spec.dispatcher if spec.dispatcher.heartbeat_period else DispatcherConfig(),
        ca_config=spec.ca_config if spec.ca_config.node_cert_expiry else CaConfig(),
    )
