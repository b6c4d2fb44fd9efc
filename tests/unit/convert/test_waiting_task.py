"""A task that waits out its restart delay says so, as nothing in the store does."""

from datetime import UTC, datetime

import pytest

from hivelet.convert.task import encode_task
from hivelet.objects.task import PortConfig, RestartHistory, Task, TaskState, TaskStatus

LATER = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("history", "told"),
    [
        (RestartHistory(total=1, failures=1), "starts again at 03:04:05 UTC, after a failure"),
        (
            RestartHistory(total=9, failures=7, last_error="task: non-zero exit (1)"),
            "starts again at 03:04:05 UTC, after 7 failures in a row; "
            "the last: task: non-zero exit (1)",
        ),
    ],
)
def test_a_crash_loop_is_visible(history, told):
    task = Task(id="t", desired_state=TaskState.READY, start_after=LATER, restarts=history)
    assert encode_task(task, {})["Status"]["Err"] == told
    assert "Err" not in encode_task(task.replaced(desired_state=TaskState.RUNNING), {})["Status"]


def test_a_prepared_task_that_waits_for_its_predecessor_says_so():
    ready = TaskStatus(state=TaskState.READY)
    task = Task(id="t", desired_state=TaskState.READY, status=ready)
    assert encode_task(task, {})["Status"]["Err"] == "waiting for the old task to stop"
    preparing = task.replaced(status=TaskStatus(state=TaskState.PREPARING))
    assert "Err" not in encode_task(preparing, {})["Status"]
    assert "Err" not in encode_task(task.replaced(desired_state=TaskState.RUNNING), {})["Status"]


def test_a_trouble_of_its_own_comes_first():
    status = TaskStatus(err="No such image: x")
    task = Task(id="t", desired_state=TaskState.READY, start_after=LATER, status=status)
    assert encode_task(task, {})["Status"]["Err"] == "No such image: x"


def test_a_task_on_its_way_out_says_what_holds_it_up():
    status = TaskStatus(state=TaskState.RUNNING, message="draining: 3 connections")
    shown = encode_task(Task(id="t", desired_state=TaskState.SHUTDOWN, status=status), {})["Status"]
    assert (shown["State"], shown["Err"]) == ("running", "draining: 3 connections")
    assert (
        "Err"
        not in encode_task(Task(id="t", status=status.replaced(message="started")), {})["Status"]
    )


@pytest.mark.parametrize(
    ("ports", "told"),
    [
        ([(81, "tcp"), (80, "tcp")], "on port 80, 81"),
        ([(53, "udp")], "on UDP port 53"),
        ([(5061, "udp"), (5060, "udp")], "on one of the UDP ports 5060, 5061"),
        ([(53, "tcp"), (53, "udp")], "on port 53 and on UDP port 53"),
    ],
)
def test_a_task_that_is_not_ready_says_where_it_must_listen(ports, told):
    published = [PortConfig(target_port=port, protocol=protocol) for port, protocol in ports]
    task = Task(id="t", ports=published, status=TaskStatus(state=TaskState.STARTING))
    shown = encode_task(task.replaced(desired_state=TaskState.RUNNING), {})["Status"]
    assert shown["Err"] == f"not ready yet: its program must listen {told}"
