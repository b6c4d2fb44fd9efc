"""Whether a service already is what a stack file asks for. Pure.

Both sides are brought to one form: what the daemon fills in by itself counts as not given, networks go by id. A service that is
the same is left alone, so that a redeploy neither restarts a task nor forgets what to roll back to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

_FILLED_IN: Mapping[tuple[str, ...], tuple[Any, ...]] = {
    ("TaskTemplate", "ContainerSpec", "Isolation"): ("default",),
    ("TaskTemplate", "ContainerSpec", "StopGracePeriod"): (10_000_000_000,),
    ("TaskTemplate", "Runtime"): ("container",),
    ("TaskTemplate", "RestartPolicy", "Condition"): ("any",),
    ("EndpointSpec", "Mode"): ("vip",),
    ("Mode", "Replicated", "Replicas"): (1,),
    ("Mode", "ReplicatedJob", "MaxConcurrent"): (1,),
    ("Mode", "ReplicatedJob", "TotalCompletions"): (1,),
    ("TaskTemplate", "Placement", "Platforms"): (),
    ("TaskTemplate", "ForceUpdate"): (),
}
"""Values that mean "not given" at a path; an empty tuple: whatever is there."""

_KEPT_WHEN_EMPTY = frozenset(
    {
        "Replicas",
        "Global",
        "Replicated",
        "GlobalJob",
        "ReplicatedJob",
        "Delay",
        "Init",
        "UpdateConfig",  # without a number it means all at once, and its absence one at a time
        "RollbackConfig",
    }
)


def same_service(wanted: Json, present: Json, network_ids: Mapping[str, str]) -> bool:
    """Whether the spec `present` is `wanted`; `network_ids` has the ids of networks by name."""
    return canonical_spec(wanted, network_ids) == canonical_spec(present, network_ids)


def canonical_spec(spec: Json, network_ids: Mapping[str, str]) -> Json:
    """A spec without what goes without saying."""
    result: Json = _stripped(spec, ())
    task = result.get("TaskTemplate", {})
    networks = task.get("Networks") or result.pop("Networks", [])
    for attachment in networks:
        attachment["Target"] = network_ids.get(attachment["Target"], attachment["Target"])
    if networks:
        task["Networks"] = sorted(networks, key=lambda attachment: str(attachment["Target"]))
    for holder, key in (
        (task.get("ContainerSpec", {}), "Secrets"),
        (task.get("ContainerSpec", {}), "Configs"),
        (result.get("EndpointSpec", {}), "Ports"),
    ):
        # Their order means nothing, and the docker CLI's is not always the same.
        if key in holder:
            holder[key] = sorted(holder[key], key=lambda each: json.dumps(each, sort_keys=True))
    for key in ("UpdateConfig", "RollbackConfig"):
        config = result.get(key)
        if config is not None:
            result[key] = {
                "FailureAction": "pause",
                "Order": "stop-first",
                "Parallelism": 0,
                **config,
            }
    if not result.get("Mode"):
        result["Mode"] = {"Replicated": {}}
    return result


def _stripped(value: Any, path: tuple[str, ...]) -> Any:
    if isinstance(value, list):
        return [_stripped(item, path) for item in value]
    if not isinstance(value, dict):
        return value
    result: Json = {}
    for key, item in value.items():
        inner = (*path, key)
        meaningless = _FILLED_IN.get(inner)
        if item is None or (meaningless is not None and (not meaningless or item in meaningless)):
            continue
        kept = _stripped(item, inner)
        if kept in ({}, [], "", 0, False) and key not in _KEPT_WHEN_EMPTY:
            continue
        result[key] = kept
    return result
