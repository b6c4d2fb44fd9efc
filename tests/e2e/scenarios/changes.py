"""Scenarios of a service's way: created, scaled, updated, rolled back, removed."""

from __future__ import annotations

from typing import Any

from scenarios.registry import scenario
from scenarios.stage import SECOND, STAY, Stage

ENV = {"TaskTemplate": {"ContainerSpec": {"Env": ["A=1"]}}}


# Without a delay an engine may have gone on to the next slot before it hears that a task failed; where that is what is told apart,
# a busy machine needs a second of it.
SLOWLY = {"Monitor": 5 * SECOND, "Delay": SECOND // 3}
PATIENTLY = {**SLOWLY, "Delay": SECOND}


def config(**more: Any) -> dict[str, Any]:
    """An update config whose monitor is short, so that a scenario is."""
    return {"Parallelism": 1, "Monitor": SECOND // 2, "FailureAction": "pause", "Order": "stop-first", **more}  # fmt: skip


@scenario
def create(stage: Stage) -> None:
    """A service of two replicas runs."""
    stage.create(replicas=2)
    stage.until_settled(running=2)


@scenario
def scale_up(stage: Stage) -> None:
    """From one replica to three: the first is untouched."""
    stage.create()
    stage.until_settled(running=1)
    stage.scale(3)
    stage.until_settled(running=3)


@scenario
def scale_down(stage: Stage) -> None:
    """From three replicas to one: the other slots' tasks go, and are forgotten."""
    stage.create(replicas=3)
    stage.until_settled(running=3)
    stage.scale(1)
    stage.until_states("running")


@scenario
def scale_to_nothing_and_back(stage: Stage) -> None:
    """No replicas, then one again."""
    stage.create()
    stage.until_settled(running=1)
    stage.scale(0)
    stage.until_states()
    stage.scale(1)
    stage.until_settled(running=1)


@scenario
def remove(stage: Stage) -> None:
    """A removed service leaves no task."""
    stage.create(replicas=2)
    stage.until_settled(running=2)
    stage.remove()


@scenario
def update_stop_first(stage: Stage) -> None:
    """An update of two replicas, one after the other."""
    stage.create(replicas=2, UpdateConfig=config())
    stage.until_settled(running=2)
    stage.update(ENV)
    stage.until_update("completed")


@scenario
def update_start_first(stage: Stage) -> None:
    """An update which starts the new task before the old one stops."""
    stage.create(replicas=2, UpdateConfig=config(Order="start-first"))
    stage.until_settled(running=2)
    stage.update(ENV)
    stage.until_update("completed")


@scenario
def update_parallel_with_delay(stage: Stage) -> None:
    """Four replicas, two at a time, with a delay between."""
    stage.create(replicas=4, UpdateConfig=config(Parallelism=2, Delay=SECOND // 2))
    stage.until_settled(running=4)
    stage.update(ENV)
    stage.until_update("completed")


@scenario
def update_all_at_once(stage: Stage) -> None:
    """A parallelism of 0 is no limit."""
    stage.create(replicas=3, UpdateConfig=config(Parallelism=0))
    stage.until_settled(running=3)
    stage.update(ENV)
    stage.until_update("completed")


@scenario
def update_paused(stage: Stage) -> None:
    """The new command fails: the update pauses, the other replicas are left as they are."""
    stage.create(replicas=2, UpdateConfig=config(**PATIENTLY))
    stage.until_settled(running=2)
    stage.script("exit 3")
    stage.until_update("paused")


@scenario
def update_paused_then_mended(stage: Stage) -> None:
    """A paused update is overtaken by one that works."""
    stage.create(replicas=2, UpdateConfig=config(**PATIENTLY))
    stage.until_settled(running=2)
    stage.script("exit 3")
    stage.until_update("paused")
    stage.script(STAY + "; :", UpdateConfig=config(Delay=0))
    stage.until_update("completed")


@scenario
def update_goes_on(stage: Stage) -> None:
    """The failure action is to continue."""
    stage.create(replicas=2, UpdateConfig=config(FailureAction="continue"))
    stage.until_settled(running=2)
    stage.script("exit 3")
    stage.until_update("completed")


@scenario
def update_rolls_back(stage: Stage) -> None:
    """The failure action is to roll back: the spec before is the spec again."""
    stage.create(
        replicas=2,
        UpdateConfig=config(FailureAction="rollback", **PATIENTLY),
        RollbackConfig=config(),
    )
    stage.until_settled(running=2)
    stage.script("exit 3")
    stage.until_update("rollback_completed")


@scenario
def rollback_that_fails(stage: Stage) -> None:
    """What is rolled back to fails as well: the rollback pauses."""
    stage.create(
        "exit 4",
        UpdateConfig=config(FailureAction="rollback", **SLOWLY),
        RollbackConfig=config(Monitor=5 * SECOND),
    )
    stage.until_settled(running=0)  # it may run for a moment, which is not yet its end
    stage.script("exit 3")
    stage.until(lambda: len(stage.tasks()) == 3, "the rollback")
    stage.until_settled()
    stage.until(
        lambda: stage.update_state() in ("rollback_paused", "rollback_completed"), "its end"
    )
    stage.until_settled(running=0)


@scenario
def update_within_ratio(stage: Stage) -> None:
    """One of four replicas fails, of which a half may."""
    stage.create(
        replicas=4,
        UpdateConfig=config(MaxFailureRatio=0.5, Parallelism=4),
        TaskTemplate={"ContainerSpec": {"Env": ["SLOT={{.Task.Slot}}"]}},
    )
    stage.until_settled(running=4)
    stage.script(f'[ "$SLOT" != 1 ] || exit 3; {STAY}')
    stage.until_update("completed")


@scenario
def rollback(stage: Stage) -> None:
    """A rollback by hand goes back to the spec before."""
    stage.create(replicas=2, UpdateConfig=config(), RollbackConfig=config())
    stage.until_settled(running=2)
    stage.update(ENV)
    stage.until_update("completed")
    stage.update(rollback="previous")
    stage.until_update("rollback_completed")


@scenario
def rollback_of_a_rollback(stage: Stage) -> None:
    """A second rollback by hand goes forward again."""
    stage.create(UpdateConfig=config(), RollbackConfig=config())
    stage.until_settled(running=1)
    stage.update(ENV)
    stage.until_update("completed")
    stage.update(rollback="previous")
    stage.until_update("rollback_completed")
    stage.update(rollback="previous")
    stage.until(lambda: len(stage.tasks()) == 4, "a fourth task")
    stage.until_update("rollback_completed")


@scenario
def update_overtaken(stage: Stage) -> None:
    """A second update while the first waits out its delay: nobody waits for the first one any more."""
    stage.create(replicas=2, UpdateConfig=config(Delay=600 * SECOND))
    stage.until_settled(running=2)
    stage.update(ENV)
    stage.until(lambda: len(stage.tasks()) == 3, "the first slot to be updated")
    stage.until_settled(running=2)
    stage.update(
        {"TaskTemplate": {"ContainerSpec": {"Env": ["A=2"]}}, "UpdateConfig": config(Delay=0)}
    )
    stage.until_update("completed")


@scenario
def scaled_while_updating(stage: Stage) -> None:
    """More replicas while an update waits out its delay."""
    stage.create(replicas=2, UpdateConfig=config(Delay=600 * SECOND))
    stage.until_settled(running=2)
    stage.update(ENV)
    stage.until(lambda: len(stage.tasks()) == 3, "the first slot to be updated")
    stage.until_settled(running=2)
    stage.update({"Mode": {"Replicated": {"Replicas": 3}}, "UpdateConfig": config(Delay=0)})
    stage.until_update("completed")
    stage.until_settled(running=3)


@scenario
def forced(stage: Stage) -> None:
    """The force counter replaces all tasks though nothing else changed."""
    stage.create(replicas=2, UpdateConfig=config())
    stage.until_settled(running=2)
    stage.update({"TaskTemplate": {"ForceUpdate": 1}})
    stage.until_update("completed")


@scenario
def unchanged(stage: Stage) -> None:
    """The same spec again: nothing happens to the tasks."""
    stage.create(replicas=2, UpdateConfig=config())
    stage.until_settled(running=2)
    stage.update()
    stage.update()
    stage.until_settled(running=2)


@scenario
def labelled(stage: Stage) -> None:
    """A label of the service touches no task."""
    stage.create(UpdateConfig=config())
    stage.until_settled(running=1)
    stage.update({"Labels": {"a": "b"}})
    stage.until_settled(running=1)


@scenario
def everywhere(stage: Stage) -> None:
    """A global service runs once on the node, and is updated there."""
    stage.create(Mode={"Global": {}}, UpdateConfig=config())
    stage.until_settled(running=1)
    stage.update(ENV)
    stage.until_update("completed")


@scenario
def environment_filled_in(stage: Stage) -> None:
    """Templates in the environment name the slot."""
    stage.create(
        '[ "$SLOT" = 2 ] || exit 5; ' + STAY,
        replicas=2,
        TaskTemplate={"ContainerSpec": {"Env": ["SLOT={{.Task.Slot}}"]}},
    )
    stage.until_states("failed", "running")


@scenario
def update_of_the_only_replica_fails(stage: Stage) -> None:
    """One of one has failed, which is more than a half: the old task stays, and the update pauses."""
    stage.create(UpdateConfig=config(Order="start-first", MaxFailureRatio=0.5, **SLOWLY))
    stage.until_settled(running=1)
    stage.script("exit 1")
    stage.until_update("paused")


@scenario
def constraint_that_is_met(stage: Stage) -> None:
    """A new constraint touches no task that satisfies it."""
    stage.create(replicas=2)
    stage.until_settled(running=2)
    stage.update({"TaskTemplate": {"Placement": {"Constraints": ["node.role==manager"]}}})
    stage.until_settled(running=2)
