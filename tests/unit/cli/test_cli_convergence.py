from __future__ import annotations

from typing import Any

import pytest

from hivelet.cli.convergence import Progress, Watch, assess, latest_failure

NODES = {"n"}


def service(replicas: int = 2, **more: Any) -> dict[str, Any]:
    return {
        "ID": "s",
        "Spec": {"Name": "web", "Mode": {"Replicated": {"Replicas": replicas}}},
        **more,
    }


def task(
    slot: int, state: str = "running", desired: str = "running", **status: str
) -> dict[str, Any]:
    return {
        "ID": f"t{slot}{state}",
        "Slot": slot,
        "NodeID": "n",
        "DesiredState": desired,
        "Status": {"State": state, **status},
    }


def look(
    watch: Watch, given: dict[str, Any], tasks: list[dict[str, Any]], now: float = 0.0
) -> Progress:
    return assess(watch, given, tasks, NODES, now)


def test_waits_until_all_run_and_have_run_for_the_monitor_period() -> None:
    watch = Watch()
    assert look(watch, service(), [task(1), task(2, "starting")]).overall == "1 out of 2 tasks"
    running = look(watch, service(), [task(1), task(2)], 10.0)
    assert (running.outcome, running.why) == (
        "waiting",
        "Waiting 6 seconds to verify that tasks are stable...",
    )
    assert look(watch, service(), [task(1), task(2)], 14.9).outcome == "waiting"
    done = look(watch, service(), [task(1), task(2)], 15.0)
    assert (done.outcome, done.why) == ("converged", "Service web converged")


def test_a_failure_while_verifying_begins_anew() -> None:
    watch = Watch()
    look(watch, service(1), [task(1)], 0.0)
    look(watch, service(1), [task(1, "failed", "shutdown")], 3.0)
    assert look(watch, service(1), [task(1)], 6.0).outcome == "waiting"
    assert look(watch, service(1), [task(1)], 11.0).outcome == "converged"


def test_monitor_period_of_the_spec() -> None:
    given = service(1)
    given["Spec"]["UpdateConfig"] = {"Monitor": 1_000_000_000}
    watch = Watch()
    look(watch, given, [task(1)], 0.0)
    assert look(watch, given, [task(1)], 1.0).outcome == "converged"


def test_a_completed_update_needs_no_verifying() -> None:
    given = service(1, UpdateStatus={"State": "completed"})
    assert look(Watch(), given, [task(1)]).outcome == "converged"


def test_a_paused_update_fails_with_its_reason() -> None:
    given = service(1, UpdateStatus={"State": "paused", "Message": "update paused due to failure"})
    assert (
        look(Watch(), given, [task(1)]).why == "service update paused: update paused due to failure"
    )


def test_a_rollback_ends_as_a_failure_once_the_old_tasks_run() -> None:
    watch = Watch()
    begun = look(
        watch,
        service(1, UpdateStatus={"State": "rollback_started", "Message": "t1 failed"}),
        [task(1, "new")],
    )
    assert begun.overall == "rolling back update: 0 out of 1 tasks"
    done = look(
        watch,
        service(1, UpdateStatus={"State": "rollback_completed", "Message": "rollback completed"}),
        [task(1)],
    )
    assert (done.outcome, done.why) == ("failed", "service rolled back: rollback completed")


def test_no_replicas_wanted() -> None:
    watch = Watch()
    look(watch, service(0), [], 0.0)
    assert look(watch, service(0), [], 5.0).outcome == "converged"


def test_the_task_that_shall_live_stands_for_its_slot() -> None:
    progress = look(Watch(), service(1), [task(1, "shutdown", "shutdown"), task(1, "preparing")])
    assert [(slot.label, slot.state) for slot in progress.slots] == [("1/1", "preparing")]


def test_tasks_of_nodes_that_are_down_do_not_count() -> None:
    assert look(Watch(), service(1), [{**task(1), "NodeID": "gone"}]).running == 0


def test_global_services_want_as_many_as_they_have() -> None:
    given = {"ID": "s", "Spec": {"Name": "w", "Mode": {"Global": {}}}}
    assert look(Watch(), given, []).wanted == 1
    progress = look(Watch(), given, [{**task(0), "Slot": 0}])
    assert (progress.running, progress.wanted, progress.slots[0].label) == (1, 1, "n")


def test_a_job_whose_task_has_failed_for_good_is_not_waited_for() -> None:
    job = {"Name": "web", "Mode": {"ReplicatedJob": {"TotalCompletions": 1}}}
    policy = {"Condition": "none"}
    given = {"ID": "s", "JobStatus": {}, "Spec": {**job, "TaskTemplate": {"RestartPolicy": policy}}}
    watch = Watch()
    coming = [task(1, "failed", "complete", Err="boom")]
    assert look(watch, given, coming, 0.0).outcome == "waiting"
    assert look(watch, given, coming, 99.0).outcome == "waiting"
    left = [task(1, "failed", "shutdown", Err="boom")]
    assert look(watch, given, left, 100.0).outcome == "waiting"
    failed = look(watch, given, left, 103.0)
    assert (failed.outcome, failed.why) == (
        "failed",
        "its restart policy starts no other task: boom",
    )


def test_jobs_are_done_when_their_tasks_have_completed() -> None:
    given = {
        "ID": "s",
        "Spec": {"Name": "j", "Mode": {"ReplicatedJob": {"TotalCompletions": 2}}},
        "JobStatus": {},
    }
    assert look(Watch(), {**given, "ServiceStatus": {"CompletedTasks": 1}}, []).outcome == "waiting"
    assert (
        look(Watch(), {**given, "ServiceStatus": {"CompletedTasks": 2}}, []).outcome == "converged"
    )


def test_tasks_that_are_rejected_again_and_again_end_the_wait() -> None:
    rejected = task(1, "rejected", "shutdown", Err="No such image: x")
    watch = Watch()
    assert look(watch, service(1), [task(1, "preparing")]).outcome == "waiting"
    assert look(watch, service(1), [rejected] * 2 + [task(1, "preparing")]).outcome == "waiting"
    given_up = look(watch, service(1), [rejected] * 3 + [task(1, "preparing")])
    assert (given_up.outcome, given_up.why) == (
        "failed",
        "its tasks are rejected: No such image: x",
    )
    assert look(Watch(), service(2), [rejected] * 3 + [task(2)]).outcome == "waiting"
    late = look(Watch(), service(1), [rejected] * 3 + [task(1, "preparing")])
    assert late.outcome == "waiting", "what was rejected before the wait began says nothing"
    failed = task(1, "failed", "shutdown", Err="task: non-zero exit (1)")
    assert look(Watch(), service(1), [failed] * 5 + [task(1, "preparing")]).outcome == "waiting"


def test_latest_failure() -> None:
    older = {**task(1, "failed", Err="old"), "CreatedAt": "2020"}
    newer = {**task(2, "rejected", Err="new"), "CreatedAt": "2021"}
    assert latest_failure([older, newer, task(3)]) is newer
    assert latest_failure([task(1)]) is None


def test_a_rollback_that_was_asked_for_is_no_failure() -> None:
    given = service(
        1, UpdateStatus={"State": "rollback_completed", "Message": "rollback completed"}
    )
    assert look(Watch(rollback_wanted=True), given, [task(1)]).outcome == "converged"


def test_lines_keep_the_place_of_their_first_appearance() -> None:
    watch = Watch()
    look(watch, service(), [task(2, "new")])
    slots = look(watch, service(), [task(1, "pending"), task(2, "ready")]).slots
    assert [(slot.label, slot.state) for slot in slots] == [("1/2", "ready"), ("2/2", "pending")]


def with_policy(**policy: object) -> dict[str, Any]:
    given = service(1)
    given["Spec"]["TaskTemplate"] = {"RestartPolicy": policy}
    return given


def test_a_task_that_is_done_once_counts_as_it_has_ended_well() -> None:
    watch, given = Watch(), with_policy(Condition="on-failure")
    ended = [task(1, "complete", "shutdown")]
    assert look(watch, given, ended, 0.0).outcome == "waiting"
    assert look(watch, given, ended, 5.0).outcome == "converged"
    assert look(Watch(), with_policy(Condition="any"), ended, 50.0).outcome == "waiting"


@pytest.mark.parametrize("policy", [{"Condition": "none"}, {"MaxAttempts": 2}])
def test_a_policy_that_starts_no_other_task_ends_the_wait(policy: dict[str, Any]) -> None:
    watch, given = Watch(), with_policy(**policy)
    dead = [task(1, "failed", "shutdown", Err="exit 1")]
    assert look(watch, given, dead, 0.0).outcome == "waiting"
    assert look(watch, given, [*dead, task(1, "starting")], 2.0).outcome == "waiting"
    assert look(watch, given, dead, 3.0).outcome == "waiting"
    failed = look(watch, given, dead, 6.0)
    assert failed.why == "its restart policy starts no other task: exit 1"


def test_a_policy_without_a_limit_is_waited_for() -> None:
    watch, dead = Watch(), [task(1, "failed", "shutdown", Err="exit 1")]
    look(watch, with_policy(), dead, 0.0)
    assert look(watch, with_policy(), dead, 60.0).outcome == "waiting"


def test_a_service_that_was_not_touched_need_not_prove_itself() -> None:
    given = service(1, UpdateStatus={"State": "rollback_completed"})
    assert look(Watch(settled=True), given, [task(1)]).outcome == "converged"
    assert look(Watch(settled=True), given, [task(1, "starting")]).outcome == "waiting"
