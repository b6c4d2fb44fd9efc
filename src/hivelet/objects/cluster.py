"""The cluster itself: its settings, join tokens and trust root. There is exactly one in a store."""

from __future__ import annotations

from msgspec import field

from hivelet.objects.common import Duration, Int, Meta, Struct, UInt64
from hivelet.objects.defaults import DEFAULT_ADDRESS_POOL, SUBNET_SIZE, TASK_HISTORY_LIMIT


class OrchestrationConfig(Struct, frozen=True, kw_only=True):
    """How many finished tasks of a slot are remembered."""

    task_history_retention_limit: int = TASK_HISTORY_LIMIT


class RaftConfig(Struct, frozen=True, kw_only=True):
    """Docker's Raft settings; kept and shown, without effect on a store that is not Raft."""

    snapshot_interval: UInt64 = 10000
    keep_old_snapshots: UInt64 = 0
    log_entries_for_slow_followers: UInt64 = 500
    election_tick: Int = 10
    heartbeat_tick: Int = 1


class DispatcherConfig(Struct, frozen=True, kw_only=True):
    """How often agents say that they live, in nanoseconds."""

    heartbeat_period: Duration = 5_000_000_000


class CaConfig(Struct, frozen=True, kw_only=True):
    """How long node certificates hold, in nanoseconds."""

    node_cert_expiry: Duration = 7_776_000_000_000_000


class EncryptionConfig(Struct, frozen=True, kw_only=True):
    """Whether the state is locked after a restart."""

    auto_lock_managers: bool = False


class ClusterSpec(Struct, frozen=True, kw_only=True):
    """The cluster as the user wants it (API: `SwarmSpec`)."""

    name: str = "default"
    labels: dict[str, str] = {}
    orchestration: OrchestrationConfig = OrchestrationConfig()
    raft: RaftConfig = RaftConfig()
    dispatcher: DispatcherConfig = DispatcherConfig()
    ca_config: CaConfig = field(default=CaConfig(), name="CAConfig")
    encryption_config: EncryptionConfig = EncryptionConfig()


class JoinTokens(Struct, frozen=True, kw_only=True):
    """What a new node must show to join as worker or manager."""

    worker: str = ""
    manager: str = ""


class Cluster(Struct, frozen=True, kw_only=True):
    """The one cluster of a store."""

    id: str = field(name="ID")
    meta: Meta = Meta()
    spec: ClusterSpec = ClusterSpec()
    join_tokens: JoinTokens = JoinTokens()
    unlock_key: str = ""
    """What opens the state after a restart; "" where it is not locked. Told by `GET /swarm/unlockkey` alone."""
    trust_root: str = ""
    default_addr_pool: tuple[str, ...] = (DEFAULT_ADDRESS_POOL,)
    subnet_size: int = SUBNET_SIZE
    data_path_port: int = 4789
