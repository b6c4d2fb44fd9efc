"""Whether a service has become what its spec asks for. Pure: a decision about what was read, with its reason.

A service has converged when as many up-to-date tasks run as are wanted and have done so for its monitor period; a job when it
has completed. An update that was paused, a rollback, or a slot whose tasks are rejected time and again ends the wait.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Json: TypeAlias = dict[str, Any]
Outcome = Literal["waiting", "converged", "failed"]

STATES = (
    "new",
    "allocated",
    "pending",
    "assigned",
    "accepted",
    "preparing",
    "ready",
    "starting",
    "running",
)
"""The states of a task on its way, in their order: what a progress bar counts."""

_ENDED = ("complete", "shutdown", "failed", "rejected", "remove", "orphaned")
_ORDER = {state: place for place, state in enumerate((*STATES, *_ENDED))}
_MONITOR = 5_000_000_000
_REJECTIONS = 3
_GIVEN_UP = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotProgress:
    """How far one task of the service is; `error` is its reason where it has one."""

    label: str
    state: str
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One look at a service. `why` is what a person should read next."""

    outcome: Outcome = "waiting"
    running: int = 0
    wanted: int = 0
    slots: tuple[SlotProgress, ...] = ()
    rolling_back: bool = False
    verifying: float = 0.0
    failures: int = 0
    last_error: str = ""
    why: str = ""

    @property
    def overall(self) -> str:
        """The first line of docker's progress."""
        counts = f"{self.running} out of {self.wanted} tasks"
        return f"rolling back update: {counts}" if self.rolling_back else counts


@dataclass(slots=True)
class Watch:
    """What is remembered between looks: since when the tasks have been running, a rollback that was seen, slots' places.

    `rollback_wanted`: the user asked for the rollback, so it is no failure. `settled`: the service was not changed, so what it
    runs has proven itself, and a rollback that it came through is history.
    """

    rollback_wanted: bool = False
    settled: bool = False
    service_name: str = ""
    running_since: float | None = None
    ended_since: float | None = None
    rolled_back: str = ""
    places: dict[Any, int] = field(default_factory=dict)
    bygone: frozenset[str] | None = None
    """Tasks that were rejected before this wait began: their reason may have gone, so they count for nothing."""

    def place(self, key: Any) -> int:
        """A slot's place in the display: that of its first appearance, so that lines never move."""
        return self.places.setdefault(key, len(self.places) + 1)


def assess(
    watch: Watch, service: Json, tasks: Iterable[Json], nodes: Collection[str], now: float
) -> Progress:
    """The progress of a service, from its up-to-date tasks and the nodes that are not down; `now` in seconds."""
    watch.service_name = service["Spec"]["Name"]
    status = service.get("UpdateStatus") or {}
    state, message = status.get("State", ""), status.get("Message", "")
    if state in {"paused", "rollback_paused"}:
        kind = "update" if state == "paused" else "rollback"
        return Progress(outcome="failed", why=f"service {kind} paused: {message}")
    if state.startswith("rollback") and not (watch.rollback_wanted or watch.settled):
        watch.rolled_back = message or "the update was rolled back"
    tasks = list(tasks)
    if watch.bygone is None:
        watch.bygone = frozenset(_id(t) for t in tasks if t["Status"].get("State") == "rejected")
    slots = _slots(tasks, nodes)
    wanted = wanted_tasks(service, slots)
    running = sum(
        task["Status"]["State"] == "running" and not _ended(task["DesiredState"])
        for task in slots.values()
    )
    places = {key: watch.place(key) for key in _in_order(slots)}
    lines = tuple(
        _line(slots[key], places[key], wanted)
        for key in sorted(places, key=lambda key: places[key])
    )
    failed = _failed(tasks)
    progress = {
        "failures": len(failed),
        "last_error": _reason(failed[-1]) if failed else "",
        "running": running,
        "wanted": wanted,
        "slots": lines,
        "rolling_back": state.startswith("rollback"),
    }
    if service.get("JobStatus") is not None:
        # What a job's task is to become is "complete" from its beginning: one that nothing follows is to shut down.
        left = [t for t in slots.values() if t["DesiredState"] != "complete"]
        return _assess_job(service, progress, given_up=_has_given_up(watch, service, left, now))
    if not running and _hopeless(t for t in tasks if _id(t) not in watch.bygone):
        why = f"its tasks are rejected: {progress['last_error']}"
        return Progress(**{**progress, "outcome": "failed", "why": why})
    done = sum(_is_done(task, service) for task in slots.values())
    if running + done < wanted or state in {"updating", "rollback_started"}:
        watch.running_since = watch.running_since if running + done >= wanted else None
        if _has_given_up(watch, service, slots.values(), now):
            why = f"its restart policy starts no other task: {progress['last_error']}"
            return Progress(**{**progress, "outcome": "failed", "why": why})
        return Progress(**progress)
    return _verify(watch, service, progress, state, now)


def _policy(service: Json) -> tuple[str, int]:
    """When tasks are replaced, and how often at most; 0 is no limit."""
    policy = service["Spec"].get("TaskTemplate", {}).get("RestartPolicy") or {}
    return str(policy.get("Condition") or "any"), int(policy.get("MaxAttempts") or 0)


def _is_done(task: Json, service: Json) -> bool:
    """Whether the task has ended well and is not to be replaced, as that of a migration."""
    return task["Status"]["State"] == "complete" and _policy(service)[0] != "any"


def _has_given_up(watch: Watch, service: Json, tasks: Iterable[Json], now: float) -> bool:
    """Whether a slot's last task has failed and no other one has come for a while, as the policy allows no more."""
    condition, attempts = _policy(service)
    ended = any(
        task["Status"]["State"] in {"failed", "rejected"} and _ended(task["DesiredState"])
        for task in tasks
    )
    if not ended or (condition != "none" and not attempts):
        watch.ended_since = None
        return False
    if watch.ended_since is None:
        watch.ended_since = now
    return now - watch.ended_since >= _GIVEN_UP


def wanted_tasks(service: Json, slots: Collection[Any]) -> int:
    """How many tasks should run; a global service wants as many as it has been given."""
    mode = service["Spec"].get("Mode") or {}
    if mode.get("Replicated") is not None:
        return int(mode["Replicated"].get("Replicas", 1))
    if mode.get("ReplicatedJob") is not None:
        return int(mode["ReplicatedJob"].get("TotalCompletions", 1))
    return max(1, len(slots))


def latest_failure(tasks: Iterable[Json]) -> Json | None:
    """The newest task that did not come up or ended badly, or waits for a reason that it gives."""
    failed = _failed(tasks) or [task for task in tasks if task["Status"].get("Err")]
    return failed[-1] if failed else None


def _failed(tasks: Iterable[Json]) -> list[Json]:
    """The tasks that ended badly, the newest last."""
    failed = [task for task in tasks if task["Status"].get("State") in {"failed", "rejected"}]
    return sorted(failed, key=lambda task: str(task.get("CreatedAt", "")))


def _hopeless(tasks: Iterable[Json]) -> bool:
    """Whether some slot's tasks were refused again and again before they ran, as for a missing image or a bad mount.

    Note the difference to a task that ran and failed: what it waits for may still come.
    """
    rejected: dict[Any, int] = {}
    for task in tasks:
        if task["Status"].get("State") == "rejected":
            key = task.get("Slot") or task.get("NodeID")
            rejected[key] = rejected.get(key, 0) + 1
    return max(rejected.values(), default=0) >= _REJECTIONS


def _id(task: Json) -> str:
    return str(task.get("ID", ""))


def _reason(task: Json) -> str:
    return " ".join(str(task["Status"].get("Err") or task["Status"]["State"]).split())


def _assess_job(service: Json, progress: Json, *, given_up: bool) -> Progress:
    counts = service.get("ServiceStatus") or {}
    done = counts.get("CompletedTasks", 0)
    if done >= progress["wanted"] and done:
        return Progress(**progress, outcome="converged", why="job complete")
    if given_up:
        why = f"its restart policy starts no other task: {progress['last_error']}"
        return Progress(**progress, outcome="failed", why=why)
    return Progress(**progress)


def _verify(watch: Watch, service: Json, progress: Json, state: str, now: float) -> Progress:
    if watch.running_since is None:
        watch.running_since = now
    monitor = (
        (service["Spec"].get("UpdateConfig") or {}).get("Monitor") or _MONITOR
    ) / 1_000_000_000
    remaining = monitor - (now - watch.running_since)
    finished = watch.settled or state in {"completed", "rollback_completed"}
    if remaining > 0 and not finished:
        why = f"Waiting {int(remaining) + 1} seconds to verify that tasks are stable..."
        return Progress(**progress, verifying=remaining, why=why)
    if watch.rolled_back:
        return Progress(
            **progress, outcome="failed", why=f"service rolled back: {watch.rolled_back}"
        )
    return Progress(**progress, outcome="converged", why=f"Service {watch.service_name} converged")


def _slots(tasks: Iterable[Json], nodes: Collection[str]) -> dict[Any, Json]:
    """For each slot (or node of a global service) the task that matters: the one that shall live, then the latest."""
    slots: dict[Any, Json] = {}
    for task in tasks:
        if task.get("NodeID") and task["NodeID"] not in nodes:
            continue
        key = task.get("Slot") or task.get("NodeID")
        if key not in slots or _rank(task) < _rank(slots[key]):
            slots[key] = task
    return slots


def _rank(task: Json) -> tuple[int, int]:
    return (_ORDER.get(task["DesiredState"], 0), _ORDER.get(task["Status"]["State"], 0))


def _in_order(slots: dict[Any, Json]) -> list[Any]:
    return sorted(slots, key=lambda key: (isinstance(key, str), key))


def _line(task: Json, place: int, wanted: int) -> SlotProgress:
    label = f"{place}/{wanted}" if task.get("Slot") else str(task.get("NodeID", ""))[:12]
    error = _reason(task) if task["Status"].get("Err") else ""
    return SlotProgress(label=label, state=task["Status"]["State"], error=error)


def _ended(state: str) -> bool:
    return state in _ENDED
