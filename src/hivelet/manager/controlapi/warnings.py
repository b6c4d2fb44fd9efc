"""What the author of a service should know although nothing is wrong: what an update of it cannot prove. Pure.

A task runs once its health check has found it healthy for the first time; from then on it is watched for the monitor period, and
an end within it stops the update or rolls it back. A start period says that starting may take so long. Where that is longer than
the monitor period, a task may pass its first check, fail while it is still starting, and the update goes on all the same.
"""

from __future__ import annotations

from hivelet.kit.durations import format_duration
from hivelet.objects.container import Healthcheck
from hivelet.objects.defaults import FAILURE_ACTION, UPDATE_MONITOR
from hivelet.objects.dirty import same_template
from hivelet.objects.service import ServiceSpec, UpdateConfig


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
