"""Which tasks of a slot are forgotten."""

import pytest

from hivelet.manager.reaper.reap import reap_slot
from hivelet.objects.task import RestartHistory, Task, TaskState, TaskStatus
from hivelet.testing.clock import EPOCH


def slot(*told):
    """Tasks oldest first, each as "state/desired"."""
    tasks = []
    for number, text in enumerate(told):
        state, desired = text.split("/")
        status = TaskStatus(state=TaskState(state))
        tasks.append(Task(id=str(number), status=status, desired_state=TaskState(desired)))
    return tasks


@pytest.mark.parametrize(
    ("tasks", "limit", "forgotten"),
    [
        pytest.param(["running/running"], 1, "", id="alone"),
        pytest.param(["failed/shutdown"] * 4 + ["running/running"], 5, "", id="within-limit"),
        pytest.param(["failed/shutdown"] * 6 + ["running/running"], 5, "01", id="beyond-limit"),
        pytest.param(["failed/shutdown", "complete/shutdown"], 0, "0", id="last-one-stays"),
        pytest.param(["failed/shutdown"] * 9, -1, "", id="no-limit"),
        pytest.param(["failed/remove", "running/remove"], 5, "0", id="removed"),
        pytest.param(["pending/shutdown", "running/running"], 5, "0", id="never-placed"),
        pytest.param(["orphaned/shutdown", "running/running"], 5, "0", id="orphaned"),
        pytest.param(["failed/running", "running/running"], 1, "", id="still-wanted"),
        pytest.param(["running/shutdown"] * 3 + ["new/ready"], 1, "", id="still-running"),
    ],
)
def test_history(tasks, limit, forgotten):
    plan = reap_slot(slot(*tasks), limit)
    assert "".join(t.id for write in plan.writes for t in write.delete) == forgotten


def test_what_an_update_under_way_has_made_stays():
    made = [
        task.replaced(made_by_update=EPOCH, restarts=RestartHistory(total=number))
        for number, task in enumerate(slot(*["failed/shutdown"] * 3, "running/running"))
    ]
    during = reap_slot(made, 1, updating_since=EPOCH)
    assert [t.id for write in during.writes for t in write.delete] == ["1", "2"]
    assert [t.id for write in reap_slot(made, 1).writes for t in write.delete] == ["0", "1", "2"]


def test_without_a_service_all_that_is_down_goes():
    plan = reap_slot(slot("failed/shutdown", "running/remove"), 5, service_exists=False)
    assert [t.id for t in plan.writes[0].delete] == ["0"]
