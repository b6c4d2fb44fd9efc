"""Whether and when a plain container starts again after its end. Pure.

Docker's rules: `always` and `unless-stopped` after any end, `on-failure[:n]` after a code other than 0, at most n times; never
after a stop by hand. The first pause is 100 ms, each next one twice as long up to a minute; a container that has run for
ten seconds begins anew (moby `restartmanager`).
"""

from __future__ import annotations

from dataclasses import dataclass

from hivelet.errors import InvalidParameter
from hivelet.objects.container import ContainerRestartPolicy

FIRST = 0.1
CEILING = 60.0
STABLE = 10.0

NAMES = ("", "no", "always", "on-failure", "unless-stopped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a container has ended: its code, how long it ran, by whom, and what came before."""

    code: int
    ran: float
    by_hand: bool
    restarts: int
    last_pause: float = 0.0


def next_pause(policy: ContainerRestartPolicy, ended: Ended) -> float | None:
    """Seconds until the next start; None where there is none."""
    if ended.by_hand or policy.name in ("", "no"):
        return None
    if policy.name == "on-failure":
        limit = policy.maximum_retry_count
        if ended.code == 0 or (limit and ended.restarts >= limit):
            return None
    if ended.ran >= STABLE or not ended.last_pause:
        return FIRST
    return min(ended.last_pause * 2, CEILING)


def starts_with_the_daemon(policy: ContainerRestartPolicy, *, by_hand: bool, code: int) -> bool:
    """Whether a container that does not run is started when the daemon starts, as after a boot of the machine."""
    match policy.name:
        case "always":
            return True
        case "unless-stopped":
            return not by_hand
        case "on-failure":
            return not by_hand and code != 0
        case _:
            return False


def check_policy(policy: ContainerRestartPolicy, *, auto_remove: bool = False) -> None:
    """Refuse a policy that can't be.

    Raises:
        InvalidParameter: in Docker's words.
    """
    name, count = policy.name, policy.maximum_retry_count
    if name not in NAMES:
        raise InvalidParameter(f"invalid restart policy '{name}'")
    if count < 0:
        raise InvalidParameter("maximum retry count cannot be negative")
    if count and name != "on-failure":
        raise InvalidParameter(
            f"maximum retry count cannot be used with restart policy '{name or 'no'}'"
        )
    if auto_remove and name not in ("", "no"):
        raise InvalidParameter("can't create 'AutoRemove' container with restart policy")
