"""Scenarios of tasks that end: by themselves, by a health check, or before they begin."""

from __future__ import annotations

from typing import Any

from scenarios.changes import config
from scenarios.registry import scenario
from scenarios.stage import ENDED, SECOND, STAY, Stage


def restart(condition: str, **more: Any) -> dict[str, Any]:
    """A task template with a restart policy, its delay short."""
    return {"RestartPolicy": {"Condition": condition, "Delay": SECOND // 10, **more}}


def check(script: str, **more: Any) -> dict[str, Any]:
    """A task template with a health check every half a second."""
    probe = {"Test": ["CMD-SHELL", script], "Interval": SECOND // 2, "Timeout": 5 * SECOND}
    return {"ContainerSpec": {"Healthcheck": {**probe, "Retries": 2, **more}}}


@scenario
def ends_well(stage: Stage) -> None:
    """Exit status 0 under the restart condition none."""
    stage.create("exit 0")
    stage.until_states("complete")


@scenario
def ends_badly(stage: Stage) -> None:
    """Exit status 1 under the restart condition none."""
    stage.create("exit 1")
    stage.until_states("failed")


@scenario
def on_failure_ends_well(stage: Stage) -> None:
    """Exit status 0 under the restart condition on-failure: not restarted."""
    stage.create("exit 0", TaskTemplate=restart("on-failure"))
    stage.until_states("complete")


@scenario
def on_failure_ends_badly(stage: Stage) -> None:
    """Exit status 7 under the restart condition on-failure: as many attempts as are allowed."""
    stage.create("exit 7", TaskTemplate=restart("on-failure", MaxAttempts=2))
    stage.until_states("failed", "failed", "failed")


@scenario
def any_ends_well(stage: Stage) -> None:
    """Exit status 0 under the restart condition any: as many attempts as are allowed."""
    stage.create("exit 0", TaskTemplate=restart("any", MaxAttempts=2))
    stage.until_states("complete", "complete", "complete")


@scenario
def attempts_within_a_window(stage: Stage) -> None:
    """Attempts are counted within the window: one in ten minutes."""
    stage.create("exit 1", TaskTemplate=restart("any", MaxAttempts=1, Window=600 * SECOND))
    stage.until_states("failed", "failed")


@scenario
def restarted_after_its_end(stage: Stage) -> None:
    """A container that ends by itself is replaced; history shows it."""
    stage.create(
        f"sleep 1; [ -e /cache/was ] && {{ {STAY}; }}; touch /cache/was; exit 9",
        TaskTemplate={
            **restart("any"),
            "ContainerSpec": {
                "Mounts": [{"Type": "volume", "Source": f"{stage.name}", "Target": "/cache"}]
            },
        },
    )
    stage.until(lambda: len(stage.tasks()) == 2, "a second task")
    stage.until_settled(running=1)


@scenario
def no_such_image(stage: Stage) -> None:
    """An image that nobody has: the task is rejected."""
    stage.create(TaskTemplate={"ContainerSpec": {"Image": "127.0.0.1:1/nosuch:1"}})
    stage.until_states("rejected")


@scenario
def no_such_command(stage: Stage) -> None:
    """A command that the image does not have."""
    stage.create(TaskTemplate={"ContainerSpec": {"Command": ["nosuch"]}})
    stage.until(lambda: [t for t in stage.tasks() if t["Status"]["State"] in ("failed", "rejected")], "its end")  # fmt: skip


@scenario
def no_such_directory(stage: Stage) -> None:
    """A bind mount of a path that does not exist."""
    mounts = [{"Type": "bind", "Source": "/nosuch/directory", "Target": "/x"}]
    stage.create(TaskTemplate={"ContainerSpec": {"Mounts": mounts}})
    stage.until_states("rejected")


@scenario
def healthy(stage: Stage) -> None:
    """A task runs once its health check has passed."""
    stage.create(TaskTemplate=check("true"))
    stage.until_settled(running=1)


@scenario
def becomes_unhealthy(stage: Stage) -> None:
    """A task whose health check fails is stopped as failed."""
    script = "touch /good; (sleep 2; rm /good) & trap 'exit 143' TERM; sleep 1000 & wait $!"
    stage.create(script, TaskTemplate=check("test -e /good"))
    stage.until_states("failed")


@scenario
def unhealthy_and_obedient(stage: Stage) -> None:
    """A task whose health check fails, and which ends with status 0 when it is told to."""
    stage.create(TaskTemplate=check("exit 1"))
    stage.until(lambda: [t for t in stage.tasks() if t["Status"]["State"] in ENDED], "its end")


@scenario
def never_healthy(stage: Stage) -> None:
    """A task that never becomes healthy fails."""
    script = "trap 'exit 143' TERM; sleep 1000 & wait"
    stage.create(script, TaskTemplate=check("echo not well; exit 1"))
    stage.until_states("failed")


@scenario
def unhealthy_update(stage: Stage) -> None:
    """An update to something that never becomes healthy pauses; the other replica is untouched."""
    stage.create(replicas=2, UpdateConfig=config(Monitor=10 * SECOND), TaskTemplate=check("true"))
    stage.until_settled(running=2)
    script = "trap 'exit 143' TERM; sleep 1000 & wait"
    stage.script(script, TaskTemplate=check("exit 1"))
    stage.until_update("paused")


@scenario
def history(stage: Stage) -> None:
    """Of a slot's tasks that have ended only some are kept, as the swarm is told to."""
    mounts = [{"Type": "volume", "Source": stage.name, "Target": "/cache"}]
    stage.create(
        f"echo >>/cache/starts; [ $(wc -l </cache/starts) -lt 9 ] && exit 1; {STAY}",
        TaskTemplate={**restart("any"), "ContainerSpec": {"Mounts": mounts}},
    )
    seen: set[str] = set()

    def ninth() -> bool:
        seen.update(task["ID"] for task in stage.tasks())
        return len(seen) == 9

    stage.until(ninth, "nine tasks in all")
    stage.until_settled(running=1)
    stage.until(lambda: len(stage.tasks()) <= 6, "history to be cut")
