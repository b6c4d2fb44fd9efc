"""What the orchestrator looks at when something has changed, also where several changes reach it as one."""

import asyncio

import pytest

from hivelet.manager.orchestrator.loop import Key, OrchestratorLoop
from hivelet.objects.common import Version
from hivelet.objects.service import (
    ReplicatedJobMode,
    Service,
    ServiceMode,
    ServiceSpec,
    UpdateStatus,
)
from hivelet.objects.task import Task, TaskState, TaskStatus
from hivelet.objects.transitions import Actor
from hivelet.store import Store
from hivelet.store.events import Action, Event, coalesce
from hivelet.store.journal import MemoryJournal
from hivelet.testing.clock import ManualClock

SLOT = Key("s", ("s", "1"))
STEP = Key("s", step=True)

PLAIN = Service(id="s", spec=ServiceSpec(name="web"))
UPDATING = PLAIN.replaced(update_status=UpdateStatus(state="updating"))
JOB = Service(
    id="s", spec=ServiceSpec(name="web", mode=ServiceMode(replicated_job=ReplicatedJobMode()))
)


def task(state, desired="running"):
    return Task(
        id="t",
        service_id="s",
        slot=1,
        node_id="n",
        status=TaskStatus(state=TaskState(state)),
        desired_state=TaskState(desired),
        job_iteration=Version() if desired == "complete" else None,
    )


def touched(service, *events):
    """The keys of events of one task that were not seen one by one."""
    folded, *rest = events
    for event in rest:
        folded = coalesce(folded, event)

    async def look():
        store = Store(ManualClock(), MemoryJournal(), make_id=lambda: "s")
        await store.open()
        await store.update(lambda tx: tx.create(service), Actor.USER)
        return store.view(lambda view: set(OrchestratorLoop().touched(view, folded)))

    return asyncio.run(look())


def created(now):
    return Event(Action.CREATE, now)


def updated(now, before):
    return Event(Action.UPDATE, now, before)


def removed(last):
    return Event(Action.REMOVE, last, last)


RUNNING, LEAVING, DOWN = task("running"), task("running", "shutdown"), task("shutdown", "shutdown")


@pytest.mark.parametrize(
    ("service", "events", "keys"),
    [
        pytest.param(PLAIN, [updated(DOWN, LEAVING)], {SLOT}, id="down"),
        pytest.param(PLAIN, [updated(DOWN, LEAVING), removed(DOWN)], {SLOT}, id="down-and-forgotten"),
        pytest.param(UPDATING, [updated(DOWN, LEAVING), removed(DOWN)], {SLOT, STEP}, id="in-an-update"),
        pytest.param(
            JOB,
            [updated(task("failed", "complete"), task("running", "complete")), removed(task("failed", "shutdown"))],
            {SLOT, STEP},
            id="of-a-job",
        ),
        pytest.param(PLAIN, [removed(DOWN)], set(), id="history-forgotten"),
        pytest.param(PLAIN, [created(task("new", "ready"))], {SLOT}, id="held"),
        pytest.param(PLAIN, [created(task("new"))], set(), id="new"),
        pytest.param(UPDATING, [created(task("new")), updated(RUNNING, task("new"))], {SLOT, STEP}, id="new-and-runs"),
        pytest.param(
            UPDATING, [created(task("new")), updated(task("failed"), task("new"))], {SLOT, STEP}, id="new-and-failed"
        ),
    ],
)  # fmt: skip
def test_keys_that_a_task_touches(service, events, keys):
    assert touched(service, *events) == keys
