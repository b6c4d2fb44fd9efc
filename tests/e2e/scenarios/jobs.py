"""Scenarios of services that end."""

from __future__ import annotations

from scenarios.registry import scenario
from scenarios.stage import Stage

JOB = {"ReplicatedJob": {"MaxConcurrent": 2, "TotalCompletions": 3}}


@scenario
def job(stage: Stage) -> None:
    """Three completions, two at a time."""
    stage.create("exit 0", Mode=JOB)
    stage.until_states("complete", "complete", "complete")


@scenario
def job_that_fails(stage: Stage) -> None:
    """A completion that fails is not tried again under the restart condition none."""
    stage.create("exit 1", Mode={"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 1}})
    stage.until_states("failed")


@scenario
def job_run_again(stage: Stage) -> None:
    """A forced update runs the job again."""
    stage.create("exit 0", Mode={"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 1}})
    stage.until_states("complete")
    stage.update({"TaskTemplate": {"ForceUpdate": 1}})
    stage.until(lambda: stage.inspect()["JobStatus"]["JobIteration"].get("Index") == 1, "iteration 1")  # fmt: skip
    stage.until(
        lambda: {t["JobIteration"].get("Index", 0) for t in stage.tasks() if t["Status"]["State"] == "complete"} >= {1},
        "the second run",
    )  # fmt: skip
    stage.until_settled()


@scenario
def job_everywhere(stage: Stage) -> None:
    """A job on every node."""
    stage.create("exit 0", Mode={"GlobalJob": {}})
    stage.until_states("complete")


@scenario
def job_without_numbers(stage: Stage) -> None:
    """What is not said of a job is stored as one task."""
    stage.create("exit 0", Mode={"ReplicatedJob": {}})
    stage.until_states("complete")


@scenario
def job_of_as_many_as_at_a_time(stage: Stage) -> None:
    """Without a number of completions as many are wanted as may run at a time."""
    stage.create("exit 0", Mode={"ReplicatedJob": {"MaxConcurrent": 2}})
    stage.until_states("complete", "complete")


@scenario
def job_that_is_held(stage: Stage) -> None:
    """None at a time runs nothing, until some may."""
    stage.create("exit 0", Mode={"ReplicatedJob": {"MaxConcurrent": 0, "TotalCompletions": 1}})
    stage.answers.append(str(stage.slots()))
    stage.update({"Mode": {"ReplicatedJob": {"MaxConcurrent": 1}}})
    stage.until_states("complete")
