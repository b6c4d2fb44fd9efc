"""Why a service has not as many running tasks as it should. Pure: what was read goes in, causes with their advice come out.

Causes stand in the order in which a person should look at them: the service as a whole, tasks that cannot be placed, tasks on their
way, tasks that die. A service that has all its tasks may still have a cause to be told: some died lately.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from hivelet.cli.render.human import parse_time
from hivelet.cli.why.advice import advice_for
from hivelet.kit.durations import human_duration

Json: TypeAlias = dict[str, Any]

_ON_ITS_WAY = {
    "new": "waiting for the orchestrator",
    "allocated": "waiting for the scheduler",
    "assigned": "waiting for its node to take it",
    "accepted": "waiting for its node to begin",
    "preparing": "being prepared (the image is pulled, the container made)",
    "ready": "prepared, and waiting to be started",
    "starting": "started, and not ready yet",
}
_LATELY = 600.0
_ENDED_BADLY = frozenset({"failed", "rejected"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One reason: what is so, which tasks it concerns, what to do, and the task whose last words tell more."""

    kind: str
    what: str
    tasks: tuple[str, ...] = ()
    do: tuple[str, ...] = ()
    log_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The whole answer for one service."""

    service: str
    running: int
    wanted: int
    causes: tuple[Cause, ...] = ()

    @property
    def well(self) -> bool:
        """Whether nothing is wrong."""
        return self.running >= self.wanted and not self.causes


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What an explanation is made of: the service with its counts, its tasks, all nodes, and the moment."""

    service: Json
    tasks: Sequence[Json]
    nodes: Sequence[Json]
    now: datetime

    @property
    def name(self) -> str:
        """The service's name."""
        return str(self.service["Spec"]["Name"])

    @property
    def image(self) -> str:
        """The service's image, as a person writes it."""
        container = self.service["Spec"].get("TaskTemplate", {}).get("ContainerSpec") or {}
        return str(container.get("Image", "")).partition("@")[0]

    def label(self, task: Json) -> str:
        """A task as `service ps` names it."""
        return f"{self.name}.{task.get('Slot') or str(task.get('NodeID', ''))[:12]}"

    def age(self, task: Json) -> float:
        """For how many seconds the task has been in its state."""
        moment = parse_time(task["Status"].get("Timestamp", ""))
        return max(0.0, (self.now - moment).total_seconds()) if moment else 0.0


def explain(situation: Situation) -> Explanation:
    """What stands between the service and its replica count."""
    wanted, running = _counts(situation)
    causes = [
        *_scaled_to_nothing(situation, wanted),
        *_update(situation),
        *_pending(situation),
        *_on_their_way(situation),
        *_failing(situation, short=running < wanted),
        *_leaving(situation),
        *_finished(situation, short=running < wanted),
    ]
    if running < wanted and not causes:
        causes = [*_bad_nodes(situation)] or [_unknown(situation, wanted - running)]
    return Explanation(service=situation.name, running=running, wanted=wanted, causes=tuple(causes))


def _counts(situation: Situation) -> tuple[int, int]:
    """Wanted and running tasks; a job's wanted tasks are those that are still to complete."""
    status = situation.service.get("ServiceStatus") or {}
    live = [task for task in situation.tasks if _is_live(task)]
    running = sum(task["Status"]["State"] == "running" for task in live)
    return int(status.get("DesiredTasks", len(live))), int(status.get("RunningTasks", running))


def _is_live(task: Json) -> bool:
    return task.get("DesiredState") in {"running", "ready", "accepted", "complete"} and (
        task["Status"]["State"] not in {*_ENDED_BADLY, "complete", "shutdown", "orphaned", "remove"}
    )


def _scaled_to_nothing(situation: Situation, wanted: int) -> Iterator[Cause]:
    mode = situation.service["Spec"].get("Mode") or {}
    replicated = mode.get("Replicated")
    if replicated is not None and replicated.get("Replicas", 1) == 0:
        yield Cause(
            kind="scaled-to-0",
            what="it is scaled to 0, so nothing of it shall run",
            do=(f"hivelet service scale {situation.name}=1",),
        )
    elif not wanted and mode.get("Global") is not None:
        yield Cause(
            kind="no-node",
            what="it is global, and no node may run it",
            do=("hivelet node ls", "compare deploy.placement.constraints with the nodes"),
        )


def _update(situation: Situation) -> Iterator[Cause]:
    status = situation.service.get("UpdateStatus") or {}
    state, message = status.get("State", ""), status.get("Message", "")
    if state in {"paused", "rollback_paused"}:
        what = "update" if state == "paused" else "rollback"
        yield Cause(
            kind=f"{what}-paused",
            what=f"its {what} is paused, and the other tasks are left as they are: {message}",
            do=(
                "deploy a version that works",
                *([f"hivelet service rollback {situation.name}"] if what == "update" else []),
            ),
        )
    elif state in {"updating", "rollback_started"}:
        what = "is being updated" if state == "updating" else "is being rolled back"
        yield Cause(
            kind="updating",
            what=f"it {what}: {message}",
            do=(f"hivelet service ps {situation.name}",),
        )
    elif state == "rollback_completed":
        yield Cause(
            kind="rolled-back",
            what="its last update failed and was rolled back: it runs the version before",
            do=("deploy a version that works",),
        )


def _pending(situation: Situation) -> Iterator[Cause]:
    waiting = [t for t in situation.tasks if t["Status"]["State"] == "pending" and _is_live(t)]
    for error, tasks in _grouped(waiting, lambda task: str(task["Status"].get("Err", ""))).items():
        verb = "waits" if len(tasks) == 1 else "wait"
        if "waiting for" in error:
            kind, what = "dependency", f"{verb}: {error.removeprefix('waiting ')}"
            what = what.replace(f"{verb}: for", f"{verb} for")
        elif error:
            kind, what = "no-node", f"{verb} for a node: {error}"
        else:
            kind, what = "pending", f"{verb} to be placed"
        yield Cause(
            kind=kind,
            what=f"{_count(tasks)} {what}{_since(situation, tasks)}",
            tasks=_labels(situation, tasks),
            do=advice_for(error, situation.name, image=situation.image, node=_bad_name(situation))
            if error
            else (f"hivelet service ps --no-trunc {situation.name}",),
        )
    if waiting and any(
        "not available for new tasks" in t["Status"].get("Err", "") for t in waiting
    ):
        yield from _bad_nodes(situation)


def _on_their_way(situation: Situation) -> Iterator[Cause]:
    under_way = [t for t in situation.tasks if t["Status"]["State"] in _ON_ITS_WAY and _is_live(t)]
    key = lambda task: (task["Status"]["State"], str(task["Status"].get("Err", "")))  # noqa: E731
    for (state, error), tasks in _grouped(under_way, key).items():
        told = f": {error}" if error else ""
        yield Cause(
            kind=state,
            what=f"{_count(tasks)}, {_ON_ITS_WAY[state]}{told}{_since(situation, tasks)}",
            tasks=_labels(situation, tasks),
            do=advice_for(error, situation.name, image=situation.image) if error else (),
        )


def _failing(situation: Situation, *, short: bool) -> Iterator[Cause]:
    """Tasks that died: those of slots that do not run, and otherwise only those of the last minutes."""
    running = {
        _slot(t) for t in situation.tasks if t["Status"]["State"] == "running" and _is_live(t)
    }
    dead = [
        task
        for task in situation.tasks
        if task["Status"]["State"] in _ENDED_BADLY
        and (situation.age(task) < _LATELY if _slot(task) in running else short)
    ]
    by_reason = _grouped(dead, lambda task: _gist(str(task["Status"].get("Err", ""))))
    for tasks in by_reason.values():
        last = max(tasks, key=lambda task: str(task["Status"].get("Timestamp", "")))
        error = " ".join(str(last["Status"].get("Err") or last["Status"]["State"]).split())
        rejected = last["Status"]["State"] == "rejected"
        how = "could not be made" if rejected else "failed"
        back = {_slot(task) for task in tasks} <= running
        told = "; their successors run" if back else ""
        ago = human_duration(situation.age(last)).lower()
        yield Cause(
            kind="rejected" if rejected else "failed" if len(tasks) < 3 or back else "crash-loop",
            what=f"{_count(tasks)} {how}, the last {ago} ago: {error}{told}",
            tasks=_labels(situation, tasks),
            do=advice_for(error, situation.name, image=situation.image),
            log_of="" if rejected else str(last["ID"]),
        )


def _leaving(situation: Situation) -> Iterator[Cause]:
    leaving = [
        task
        for task in situation.tasks
        if task["Status"]["State"] == "running"
        and task.get("DesiredState") in {"shutdown", "remove"}
    ]
    for message, tasks in _grouped(leaving, lambda t: str(t["Status"].get("Message", ""))).items():
        told = message if message not in {"", "started"} else "asked to stop"
        yield Cause(
            kind="leaving",
            what=f"{_count(tasks)}, on the way out: {told}{_since(situation, tasks)}",
            tasks=_labels(situation, tasks),
        )


def _finished(situation: Situation, *, short: bool) -> Iterator[Cause]:
    policy = situation.service["Spec"].get("TaskTemplate", {}).get("RestartPolicy") or {}
    condition = policy.get("Condition") or "any"
    complete = [task for task in situation.tasks if task["Status"]["State"] == "complete"]
    if complete and short and condition != "any" and not situation.service.get("JobStatus"):
        yield Cause(
            kind="finished",
            what=f"{_count(complete)} ended with exit code 0, and the restart policy ({condition}) starts no other",
            tasks=_labels(situation, complete),
            do=(
                "nothing, where it is a task that is done once",
                f"to run it again: hivelet service update --force {situation.name}",
            ),
        )


def _bad_nodes(situation: Situation) -> Iterator[Cause]:
    for node in situation.nodes:
        name = str((node.get("Description") or {}).get("Hostname") or node["ID"])
        state = (node.get("Status") or {}).get("State", "")
        availability = (node.get("Spec") or {}).get("Availability", "active")
        if state not in {"ready", ""}:
            message = (node.get("Status") or {}).get("Message", "")
            yield Cause(
                kind="node-down",
                what=f"node {name} is {state}{f' ({message})' if message else ''}",
                do=("hivelet node ls", f"start the daemon on {name}"),
            )
        elif availability != "active":
            told = (
                "drained: it runs no tasks" if availability == "drain" else "paused: no new tasks"
            )
            yield Cause(
                kind=f"node-{availability}",
                what=f"node {name} is {told}",
                do=(f"hivelet node update --availability active {name}",),
            )


def _bad_name(situation: Situation) -> str:
    for node in situation.nodes:
        if (node.get("Spec") or {}).get("Availability", "active") != "active":
            return str((node.get("Description") or {}).get("Hostname") or node["ID"])
    return "self"


def _unknown(situation: Situation, missing: int) -> Cause:
    return Cause(
        kind="unknown",
        what=f"{missing} more task{'s' if missing > 1 else ''} should run, and the daemon does not say why not",
        do=(f"hivelet service ps --no-trunc {situation.name}", "hivelet doctor"),
    )


def _grouped(tasks: Iterable[Json], key: Any) -> dict[Any, list[Json]]:
    groups: dict[Any, list[Json]] = defaultdict(list)
    for task in tasks:
        groups[key(task)].append(task)
    return dict(groups)


def _gist(error: str) -> str:
    """What two errors of the same kind have in common: their first words."""
    return error.split(":")[0] + ":" + error.partition(": ")[2][:24]


def _slot(task: Json) -> Any:
    return task.get("Slot") or task.get("NodeID")


def _labels(situation: Situation, tasks: Iterable[Json]) -> tuple[str, ...]:
    return tuple(sorted({situation.label(task) for task in tasks}))


def _count(tasks: Sequence[Json]) -> str:
    return "1 task" if len(tasks) == 1 else f"{len(tasks)} tasks"


def _since(situation: Situation, tasks: Sequence[Json]) -> str:
    seconds = max(situation.age(task) for task in tasks)
    return f", for {human_duration(seconds).lower()}" if seconds >= 2 else ""
