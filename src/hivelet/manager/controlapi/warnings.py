"""What the author of a service should know although nothing is wrong: what an update of it cannot prove, and labels that
look like hivelet's and mean nothing. Pure.

A task runs once its health check has found it healthy for the first time; from then on it is watched for the monitor period, and
an end within it stops the update or rolls it back. A start period says that starting may take so long. Where that is longer than
the monitor period, a task may pass its first check, fail while it is still starting, and the update goes on all the same.
"""

from __future__ import annotations

from difflib import get_close_matches

from hivelet.kit.durations import format_duration
from hivelet.objects.container import Healthcheck
from hivelet.objects.defaults import (
    AFFINITY_LABEL,
    DRAIN_IDLE_LABEL,
    DRAIN_TIMEOUT_LABEL,
    FAILURE_ACTION,
    READY_TIMEOUT_LABEL,
    UPDATE_MONITOR,
)
from hivelet.objects.dirty import same_template
from hivelet.objects.service import DEPENDS_ON_LABEL, ServiceSpec, UpdateConfig

_OURS = "com.hivelet."
_KNOWN = (
    AFFINITY_LABEL,
    DEPENDS_ON_LABEL,
    DRAIN_IDLE_LABEL,
    DRAIN_TIMEOUT_LABEL,
    READY_TIMEOUT_LABEL,
)


def service_warnings(
    spec: ServiceSpec, check: Healthcheck | None, before: ServiceSpec | None = None
) -> list[str]:
    """All that is to be said of a spec; `before` is the spec that it replaces."""
    return update_warnings(spec, check, before) + label_warnings(spec, before)


def label_warnings(spec: ServiceSpec, before: ServiceSpec | None = None) -> list[str]:
    """The service labels that look like hivelet's and are none; those that were there before are not told again."""
    told = before.labels if before is not None else {}
    return [
        f"service {spec.name}: label {name} is unknown and has no effect; {_meant(name)}"
        for name in spec.labels
        if name.startswith(_OURS) and name not in _KNOWN and name not in told
    ]


def _meant(name: str) -> str:
    near = get_close_matches(name.removeprefix(_OURS), [k.removeprefix(_OURS) for k in _KNOWN], n=1)
    return f"did you mean {_OURS}{near[0]}?" if near else f"there are {', '.join(_KNOWN)}"


def update_warnings(
    spec: ServiceSpec, check: Healthcheck | None, before: ServiceSpec | None = None
) -> list[str]:
    """The warnings for a spec whose containers have this health check, its own or their image's.

    `before` is the spec that it replaces: where nothing has changed that an update is about, nothing is said again.
    """
    if spec.mode.is_job or (before is not None and _same_update(spec, before)):
        return []
    config = spec.update_config or UpdateConfig()
    if (config.failure_action or FAILURE_ACTION) == "continue":
        return []
    monitor = UPDATE_MONITOR if config.monitor is None else config.monitor
    start_period = check.start_period if check is not None and check.test[:1] != ["NONE"] else 0
    if start_period <= monitor:
        return []
    watched, starting = format_duration(monitor), format_duration(start_period)
    return [
        f"service {spec.name}: an update watches a new task for {watched} (monitor), which is shorter than the start "
        f"period of its health check ({starting}): a task that fails later in its start does not stop the update. "
        f"Give the update a monitor of {starting} or more."
    ]


def _same_update(spec: ServiceSpec, before: ServiceSpec) -> bool:
    return spec.update_config == before.update_config and same_template(
        spec.task_template, before.task_template
    )
