"""A plan as text for people and as JSON for programs. Pure.

A line begins with `+` (created), `~` (changed), `-` (removed); under a changed service stand its fields, and what becomes of its tasks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from hivelet.cli.deploy.plan import FieldChange, Plan, Restart, Step, restarted
from hivelet.cli.session import paint

Json: TypeAlias = dict[str, Any]

_COLOURS = {"+": "green", "~": "yellow", "-": "red"}
MARKS = {"create": "+", "update": "~", "remove": "-"}
_WIDTH = 100


def plan_lines(plan: Plan) -> list[str]:
    """The plan, line by line; one line where there is nothing to do."""
    if not plan.changes:
        return [f"Stack {plan.stack} is as its file has it: nothing to do."]
    lines = [f"Plan for stack {plan.stack}:"]
    for step in plan.changes:
        lines += _step_lines(step)
    kept = [f"{step.kind} {step.name}" for step in plan.of("keep")]
    if kept:
        lines.append(f"  Unchanged: {', '.join(kept)}")
    return [*lines, summary(plan)]


def painted(line: str) -> str:
    """A line of the plan as a terminal shows it: what is created, changed or removed in its colour."""
    colour = _COLOURS.get(line[2:3]) if line[:2] == "  " else None
    return paint(line, colour) if colour else line


def summary(plan: Plan) -> str:
    """The counts of a plan in one sentence."""
    changed, tasks = len(plan.of("update")), restarted(plan.steps)
    if not tasks:
        restarts = "no task restarts"
    else:
        bound = "up to " if any(s.restart and s.restart.misplaced_only for s in plan.steps) else ""
        restarts = f"{bound}{_tasks(tasks)} {'restarts' if tasks == 1 else 'restart'}"
    counts = f"{len(plan.of('create'))} to create, {changed} to change, {len(plan.of('remove'))} to remove"
    return f"{counts}; {restarts}."


def restart_text(restart: Restart) -> str:
    """What becomes of the tasks of an updated service, in one sentence."""
    if restart.misplaced_only:
        return "restarts only tasks whose node does not satisfy the new constraints"
    if restart.job:
        stopped = f", and stops {_tasks(restart.tasks)} of before" if restart.tasks else ""
        return f"runs the job anew{stopped} ({_because(restart.why)})"
    if not restart.tasks:
        return "restarts no task, as none runs"
    pace = "all at once" if not restart.parallelism else f"{restart.parallelism} at a time"
    pause = f", {restart.delay} between" if restart.delay else ""
    order = (
        "the new task before the old one stops"
        if restart.order == "start-first"
        else "the old task stops first"
    )
    many = "" if restart.tasks == 1 else f" {pace}{pause},"
    return f"restarts {_tasks(restart.tasks)},{many} {order} ({_because(restart.why)})"


def plan_json(plan: Plan) -> Json:
    """The plan for a program: every step, unchanged objects too."""
    return {
        "Stack": plan.stack,
        "Changes": len(plan.changes),
        "TasksToRestart": restarted(plan.steps),
        "Warnings": list(plan.warnings),
        "Steps": [_step_json(step) for step in plan.steps],
    }


def _step_lines(step: Step) -> Iterator[str]:
    why = f" ({step.why})" if step.why and step.kind != "service" else ""
    yield f"  {MARKS[step.action]} {step.kind} {step.name}{why}{_after_name(step)}"
    for change in step.fields:
        yield f"      {_field_text(change)}"
    if step.action == "update" and step.kind == "service":
        yield f"      {'; '.join(_consequences(step))}"


def _after_name(step: Step) -> str:
    if step.kind != "service":
        return ""
    if step.action == "create" and step.starts:
        return f", starts {_tasks(step.starts)}"
    return f", stops {_tasks(step.stops)}" if step.action == "remove" else ""


def _consequences(step: Step) -> list[str]:
    found = [restart_text(step.restart)] if step.restart else ["restarts no task"]
    found += [f"starts {_tasks(step.starts)}"] if step.starts else []
    return found + ([f"stops {_tasks(step.stops)}"] if step.stops else [])


def _field_text(change: FieldChange) -> str:
    old, new = _cut(change.old), _cut(change.new)
    if change.old is None:
        return f"{change.path}: {new} (new)"
    if change.new is None:
        return f"{change.path}: {old} (removed)"
    return f"{change.path}: {old} -> {new}"


def _cut(value: str | None) -> str:
    text = " ".join(str(value).split()) if value else '""'
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def _because(why: tuple[str, ...]) -> str:
    shown = ", ".join(why[:3])
    return f"{shown} and {len(why) - 3} more" if len(why) > 3 else shown


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"


def _step_json(step: Step) -> Json:
    answer: Json = {"Kind": step.kind, "Name": step.name, "Action": step.action}
    if step.ref:
        answer["ID"] = step.ref
    if step.why:
        answer["Why"] = step.why
    if step.fields:
        answer["Fields"] = [
            {"Path": each.path, "Old": each.old, "New": each.new} for each in step.fields
        ]
    if step.starts or step.stops:
        answer |= {"Starts": step.starts, "Stops": step.stops}
    if step.restart:
        restart = step.restart
        answer["Restart"] = {
            "Tasks": restart.tasks,
            "Why": list(restart.why),
            "Parallelism": restart.parallelism,
            "Order": restart.order,
            "Delay": restart.delay or "0s",
            "OnlyMisplaced": restart.misplaced_only,
            "JobAnew": restart.job,
        }
    return answer
