"""Swarm's default values, each with its source. Durations in nanoseconds."""

from __future__ import annotations

from hivelet.objects.common import SECOND

STOP_GRACE_PERIOD = 10 * SECOND
"""SIGTERM to SIGKILL (SwarmKit `api/defaults/service.go`)."""

UPDATE_MONITOR = 5 * SECOND
"""How long a replaced task is watched for failure (SwarmKit `api/defaults/service.go`)."""

UPDATE_PARALLELISM = 1
"""Tasks replaced at a time where no update config was given (SwarmKit `api/defaults/service.go`)."""

FAILURE_ACTION = "pause"
"""What a failed update does (SwarmKit)."""

UPDATE_ORDER = "stop-first"
"""Old task first out (SwarmKit)."""

RESTART_CONDITION = "any"
"""Every end of a task is followed by a new one (SwarmKit)."""

TASK_HISTORY_LIMIT = 5
"""Tasks remembered of each slot, the current one included (Docker `swarm init --task-history-limit`)."""

OLD_TASK_TIMEOUT = 60 * SECOND
"""How long a new task of a slot waits for its predecessor to stop (SwarmKit `defaultOldTaskTimeout`)."""

DEFAULT_ADDRESS_POOL = "10.0.0.0/8"
"""Where overlay networks get their subnets from (Docker `swarm init --default-addr-pool`)."""

SUBNET_SIZE = 24
"""Prefix length of such a subnet."""

DYNAMIC_PORTS = range(30000, 32768)
"""Published ports that are not given are chosen here (SwarmKit `portallocator.go`)."""

DRAIN_IDLE = 1 * SECOND
"""How long a connection on which nobody waits must have been silent until a leaving task need not keep it."""

READY_TIMEOUT = 60 * SECOND
"""How long a task with published ports may take until it listens on them, where nothing else is said."""

READY_TIMEOUT_LABEL = "com.hivelet.ready-timeout"
"""Service label that sets that limit, as a Go duration ("5m"); "0s" turns the wait off."""

AFFINITY_LABEL = "com.hivelet.affinity"
"""Service label that says whether a client's connections stay together; one of `AFFINITIES`."""

CLIENT_IP = "client-ip"
AFFINITIES = ("none", CLIENT_IP)
"""Each connection to the next task in turn; all connections from one address to one task."""

DRAIN_TIMEOUT_LABEL = "com.hivelet.drain-timeout"
"""Service label that limits the drain, as a Go duration ("30s"); "0s" turns it off; without it, the stop grace period does."""

DRAIN_IDLE_LABEL = "com.hivelet.drain-idle"
"""Service label that sets how long a connection must have been silent, as a Go duration."""
