"""When a container's health is probed, and what the answers make of it. Pure.

The rules are dockerd's (`daemon/health.go` of moby): one success makes healthy, `retries` failures in a row make unhealthy, a
failure before the first success does not count within the start period. Its times are kept with one difference: while
failures don't count, the first probes come soon and at growing distances up to the start interval, so that a container that
is quickly ready is quickly used.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hivelet.errors import InvalidParameter
from hivelet.kit.durations import format_duration
from hivelet.objects.common import SECOND
from hivelet.objects.container import (
    ContainerConfig,
    ContainerState,
    Health,
    Healthcheck,
    HealthProbe,
)

NONE, STARTING, HEALTHY, UNHEALTHY = "none", "starting", "healthy", "unhealthy"

INTERVAL = 30.0
TIMEOUT = 30.0
START_INTERVAL = 5.0
RETRIES = 3

FIRST_PROBE = 0.25
"""Seconds from the start to the first probe where a failure costs nothing."""

KEPT_PROBES = 5
OUTPUT_LIMIT = 4096
"""Bytes of a probe's output that are kept."""

NO_VERDICT = -1
"""The exit code of a probe that was cut off, or could not be run (Docker)."""

_CUT = b"..."


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPolicy:
    """A health check with all defaults filled in. Times in seconds.

    `grace` is the time from the start in which failures do not count: the start period. Where only a start interval is
    given, it is the first interval, at whose end dockerd would probe for the first time.
    """

    command: tuple[str, ...]
    interval: float = INTERVAL
    timeout: float = TIMEOUT
    grace: float = 0.0
    start_interval: float = START_INTERVAL
    retries: int = RETRIES


def build_policy(config: ContainerConfig) -> HealthPolicy | None:
    """How the container of this config is probed; None where it is not.

    Raises:
        InvalidParameter: the test is of a kind that nobody knows, or says no command.
    """
    check = config.healthcheck
    if check is None or not check.test or check.test[0] == "NONE":
        return None
    interval = _seconds(check.interval, INTERVAL)
    return HealthPolicy(
        command=_command(check, config.shell or ["/bin/sh", "-c"]),
        interval=interval,
        timeout=_seconds(check.timeout, TIMEOUT),
        grace=_seconds(check.start_period, interval if check.start_interval else 0.0),
        start_interval=_seconds(check.start_interval, START_INTERVAL),
        retries=check.retries or RETRIES,
    )


def check_times(check: Healthcheck) -> None:
    """Refuse what a new health check can't ask for.

    Raises:
        InvalidParameter: names the field, in Docker's words.
    """
    for name, given in (
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
    ):
        if given and given < SECOND // 1000:
            raise InvalidParameter(f"{name} in Healthcheck cannot be less than 1ms")
    if check.retries < 0:
        raise InvalidParameter("Retries in Healthcheck cannot be negative")


def begin_health(config: ContainerConfig) -> Health | None:
    """The health of a container that has just been started; None where it has no health check."""
    return None if build_policy(config) is None else Health(status=STARTING)


def next_probe_at(
    policy: HealthPolicy, health: Health, started_at: datetime, now: datetime
) -> datetime:
    """The moment of the next probe, seen from the end of the last one, or from the start."""
    age = (now - started_at).total_seconds()
    if health.status != STARTING or age >= policy.grace:
        return now + timedelta(seconds=policy.interval)
    pause = min(max(age, FIRST_PROBE), policy.start_interval, policy.grace - age)
    return now + timedelta(seconds=pause)


def next_health(
    policy: HealthPolicy, health: Health, probe: HealthProbe, started_at: datetime
) -> Health:
    """The container's health after a probe."""
    log = [*health.log, probe][-KEPT_PROBES:]
    if probe.exit_code == 0:
        return Health(status=HEALTHY, log=log)
    age = (probe.start - started_at).total_seconds()
    if health.status == STARTING and age < policy.grace:
        return health.replaced(log=log)
    streak = health.failing_streak + 1
    status = UNHEALTHY if streak >= policy.retries else health.status
    return Health(status=status, failing_streak=streak, log=log)


def health_status(state: ContainerState) -> str:
    """none, starting, healthy or unhealthy."""
    return state.health.status if state.health is not None else NONE


def clip_output(output: bytes) -> str:
    """A probe's output as it is kept; dots after it where there was more (Docker)."""
    if len(output) > OUTPUT_LIMIT:
        output = output[:OUTPUT_LIMIT] + _CUT
    return output.decode(errors="replace")


def describe_timeout(policy: HealthPolicy, output: str) -> str:
    """What is kept of a probe that was cut off: Docker's words, and what the probe had printed by then."""
    limit = format_duration(round(policy.timeout * SECOND))
    return f"Health check exceeded timeout ({limit})" + (f": {output}" if output else "")


def describe_failure(health: Health | None) -> str:
    """Why a container counts as unhealthy, for the task's error: the last probe's code and the last line it printed."""
    if health is None or not health.log:
        return ""
    last = health.log[-1]
    lines = last.output.strip().splitlines()
    if last.exit_code == NO_VERDICT:
        # The first line is the engine's own, whatever the probe has printed after it.
        return lines[0].strip() if lines else ""
    said = lines[-1].strip() if lines else ""
    return f"health check exited with {last.exit_code}" + (f": {said}" if said else "")


def _command(check: Healthcheck, shell: list[str]) -> tuple[str, ...]:
    kind, *words = check.test
    if kind not in ("CMD", "CMD-SHELL"):
        raise InvalidParameter(
            f'Unknown healthcheck type "{kind}": a test begins with CMD, CMD-SHELL or NONE'
        )
    if not words:
        raise InvalidParameter(f"the health check says {kind} and no command after it")
    return tuple(words) if kind == "CMD" else (*shell, *words)


def _seconds(given: int, default: float) -> float:
    return given / SECOND if given > 0 else default
